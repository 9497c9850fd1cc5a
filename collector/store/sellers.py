"""What a page's sellers are to the list and to the run: seen again, or new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import BigInteger

from collector.models import Seller
from collector.store.audit import Change


@dataclass(frozen=True, slots=True)
class _Kept:
    """A seller's row after a page; `times` is how often it was counted as seen by the run."""

    id: int
    display_name: str
    removed_at: datetime | None
    added: bool
    listings: int
    times: int


@dataclass(frozen=True, slots=True)
class Sighted:
    """What one page's sellers were to the list and to the run."""

    on_page: int
    new_to_run: int
    added: tuple[str, ...]


# A name that was renamed away leads to the seller who bears the new one. DISTINCT ON keeps two
# names of one seller on one page from touching its row twice, ORDER BY from waiting in a circle.
# Whether a seller is new to the run is looked up beforehand, so that one update counts it too: on a
# long list nearly each seller lies on a page of its own. Whom the run was the last to see it has
# seen; others are looked up. (A count is never hashed, as EXISTS may be: that would read all
# sellers of the run.)
_UPSERT = text(
    """
    WITH named AS (
        SELECT * FROM jsonb_to_recordset(:sellers)
            AS t(name text, display text, percent numeric, feedback bigint, listings integer)
    ), resolved AS (
        SELECT DISTINCT ON (coalesce(s.normalized_name, n.name))
               coalesce(s.normalized_name, n.name) AS name, n.display, n.percent, n.feedback,
               sum(n.listings) OVER (PARTITION BY coalesce(s.normalized_name, n.name)) AS listings
        FROM named n
        LEFT JOIN seller_aliases a ON a.platform = 'ebay' AND a.normalized_name = n.name
        LEFT JOIN sellers s ON s.id = a.seller_id
        ORDER BY coalesce(s.normalized_name, n.name), n.name
    ), counted AS MATERIALIZED (
        SELECT r.*, coalesce((
            SELECT CASE WHEN s.last_run_id = :run_id THEN 0 ELSE 1 - (
                SELECT count(*) FROM run_sellers seen
                WHERE seen.run_id = :run_id AND seen.seller_id = s.id
            ) END
            FROM sellers s WHERE s.platform = 'ebay' AND s.normalized_name = r.name
        ), 1) AS times
        FROM resolved r
    ), upserted AS (
        INSERT INTO sellers (platform, normalized_name, display_name, feedback_percent,
                             feedback_count, first_seen_at, last_seen_at, first_run_id, last_run_id,
                             times_seen)
        SELECT 'ebay', name, display, percent, feedback, clock_timestamp(), clock_timestamp(),
               :run_id, :run_id, times
        FROM counted ORDER BY name
        ON CONFLICT (platform, normalized_name) DO UPDATE
        SET last_seen_at = greatest(sellers.last_seen_at, excluded.last_seen_at),
            feedback_percent = coalesce(excluded.feedback_percent, sellers.feedback_percent),
            feedback_count = coalesce(excluded.feedback_count, sellers.feedback_count),
            first_run_id = coalesce(sellers.first_run_id, excluded.first_run_id),
            last_run_id = excluded.last_run_id,
            times_seen = sellers.times_seen + excluded.times_seen
        RETURNING id, normalized_name, display_name, removed_at, (xmax = 0) AS added
    )
    SELECT u.*, c.listings, c.times FROM upserted u JOIN counted c ON c.name = u.normalized_name
    """
).bindparams(bindparam("sellers", type_=JSONB))

# Whoever waited for a rename to commit has inserted the name that was just given up.
_GIVEN_UP = text(
    """
    DELETE FROM sellers s USING seller_aliases a
    WHERE s.id = ANY(:ids) AND a.platform = s.platform AND a.normalized_name = s.normalized_name
    RETURNING s.id, s.normalized_name
    """
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

# Only an undo took them off: nobody said that they do not belong on the list.
_PUT_BACK = text(
    """
    UPDATE sellers SET removed_at = NULL
    WHERE id = ANY(:ids) AND removed_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM seller_audit_changes c JOIN seller_audit_log l ON l.id = c.audit_id
        WHERE c.seller_id = sellers.id AND c.change = 'removed' AND l.action <> 'undo')
    RETURNING id
    """
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

_SEEN_BY_RUN = text(
    """
    WITH kept AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(:kept)
            AS t(id bigint, listings integer, added boolean, times integer)
    ), seen AS (
        INSERT INTO run_sellers (run_id, seller_id, is_new)
        SELECT CAST(:run_id AS uuid), id, added FROM kept WHERE times > 0 ORDER BY id
        ON CONFLICT DO NOTHING
        RETURNING seller_id
    ), sighted AS (
        INSERT INTO seller_sightings (run_id, asin, seller_id, listings, seen_at)
        SELECT CAST(:run_id AS uuid), :asin, id, listings, clock_timestamp() FROM kept ORDER BY id
        ON CONFLICT (run_id, asin, seller_id) DO UPDATE
        SET listings = seller_sightings.listings + excluded.listings
    )
    SELECT seller_id FROM seen
    """
).bindparams(bindparam("kept", type_=JSONB))

# Another page of the run was settled with the same seller since it was looked up whether to count.
_COUNTED_TWICE = text("UPDATE sellers SET times_seen = times_seen - :times WHERE id = :id")


def sight(
    conn: Connection,
    *,
    run_id: UUID,
    asin: str,
    sellers: Mapping[str, Seller],
    listings: Mapping[str, int],
) -> tuple[Sighted, list[Change]]:
    """Keep that a run saw sellers while it searched a product.

    The audit entry for those who are new is left to the caller (`audit.log_change`), who writes it
    last in the transaction.

    Args:
        conn: in a transaction.
        run_id: the run.
        asin: the product.
        sellers: by normalized name.
        listings: by normalized name, how many of the page's cards were that seller's.
    """
    if not sellers:
        return Sighted(0, 0, ()), []
    rows = _upserted(conn, run_id, sellers, listings)
    gone = [row.id for row in rows if row.removed_at is not None]
    back = set(conn.execute(_PUT_BACK, {"ids": gone}).scalars()) if gone else set()
    added = {row.id for row in rows if row.added or row.id in back}
    kept = [
        {"id": r.id, "listings": r.listings, "added": r.id in added, "times": r.times} for r in rows
    ]
    given = {"run_id": run_id, "asin": asin, "kept": kept}
    new_to_run = set(conn.execute(_SEEN_BY_RUN, given).scalars())
    for row in rows:
        if twice := row.times - (row.id in new_to_run):
            conn.execute(_COUNTED_TWICE, {"id": row.id, "times": twice})
    named = {row.id: row.display_name for row in rows if row.id in added}
    sighted = Sighted(len(rows), len(new_to_run), tuple(named.values()))
    return sighted, [Change(id_, "added", new_name=name) for id_, name in named.items()]


def _upserted(
    conn: Connection, run_id: UUID, sellers: Mapping[str, Seller], listings: Mapping[str, int]
) -> list[_Kept]:
    """The rows of these sellers, each once, brought up to date or added."""
    named = [
        {
            "name": name,
            "display": seller.username,
            "percent": seller.feedback_percent,
            "feedback": seller.feedback_count,
            "listings": listings.get(name, 1),
        }
        for name, seller in sorted(sellers.items())
    ]
    rows = conn.execute(_UPSERT, {"run_id": run_id, "sellers": named}).all()
    kept = {
        row.id: _Kept(row.id, row.display_name, row.removed_at, row.added, row.listings, row.times)
        for row in rows
    }
    fresh = [row.id for row in rows if row.added]
    given_up = conn.execute(_GIVEN_UP, {"ids": fresh}).all() if fresh else []
    for row in given_up:
        del kept[row.id]
    again = {row.normalized_name: sellers[row.normalized_name] for row in given_up}
    for bearer in _upserted(conn, run_id, again, listings) if again else ():
        # Who is on the page under both names is one seller.
        twin = kept.get(bearer.id)
        kept[bearer.id] = bearer if twin is None else _both(twin, bearer)
    return list(kept.values())


def _both(first: _Kept, then: _Kept) -> _Kept:
    return replace(
        then,
        added=first.added or then.added,
        listings=first.listings + then.listings,
        times=first.times + then.times,
    )
