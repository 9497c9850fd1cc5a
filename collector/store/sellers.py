"""The seller list: what a page adds to it, and the one way in which it may change.

Every change goes through `log_change`: it locks the counter's one row last, so that the order of
audit ids is the order of commits and each snapshot is the count right after its own commit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import BigInteger, Integer, Numeric, Text

from collector.models import Seller


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one seller: added, removed, renamed, flagged, unflagged or edited."""

    seller_id: int
    change: str
    old_name: str | None = None
    new_name: str | None = None
    old_note: str | None = None
    new_note: str | None = None


@dataclass(frozen=True, slots=True)
class Sighted:
    """What one page's sellers were to the list and to the run."""

    on_page: int
    new_to_run: int
    added: tuple[str, ...]
    audit_id: int | None
    seller_count: int | None


# A name that was renamed away leads to the seller who bears the new one. DISTINCT ON keeps two
# names of one seller on one page from touching its row twice, ORDER BY from waiting in a circle.
_UPSERT = text(
    """
    WITH named AS (
        SELECT * FROM unnest(:names, :displays, :percents, :counts, :listings)
            AS t(name, display, percent, feedback, listings)
    ), resolved AS (
        SELECT DISTINCT ON (coalesce(s.normalized_name, n.name))
               coalesce(s.normalized_name, n.name) AS name, n.display, n.percent, n.feedback,
               sum(n.listings) OVER (PARTITION BY coalesce(s.normalized_name, n.name)) AS listings
        FROM named n
        LEFT JOIN seller_aliases a ON a.platform = 'ebay' AND a.normalized_name = n.name
        LEFT JOIN sellers s ON s.id = a.seller_id
        ORDER BY coalesce(s.normalized_name, n.name), n.name
    ), upserted AS (
        INSERT INTO sellers (platform, normalized_name, display_name, feedback_percent,
                             feedback_count, first_seen_at, last_seen_at, first_run_id, last_run_id)
        SELECT 'ebay', name, display, percent, feedback, clock_timestamp(), clock_timestamp(),
               :run_id, :run_id
        FROM resolved ORDER BY name
        ON CONFLICT (platform, normalized_name) DO UPDATE
        SET last_seen_at = greatest(sellers.last_seen_at, excluded.last_seen_at),
            feedback_percent = coalesce(excluded.feedback_percent, sellers.feedback_percent),
            feedback_count = coalesce(excluded.feedback_count, sellers.feedback_count),
            first_run_id = coalesce(sellers.first_run_id, excluded.first_run_id),
            last_run_id = excluded.last_run_id
        RETURNING id, normalized_name, display_name, removed_at, (xmax = 0) AS added
    )
    SELECT u.*, r.listings FROM upserted u JOIN resolved r ON r.name = u.normalized_name
    """
).bindparams(
    bindparam("names", type_=ARRAY(Text)),
    bindparam("displays", type_=ARRAY(Text)),
    bindparam("percents", type_=ARRAY(Numeric)),
    bindparam("counts", type_=ARRAY(BigInteger)),
    bindparam("listings", type_=ARRAY(Integer)),
)

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
    WITH seen AS (
        INSERT INTO run_sellers (run_id, seller_id, is_new)
        SELECT :run_id, id, id = ANY(:added) FROM unnest(:ids) AS t(id) ORDER BY id
        ON CONFLICT DO NOTHING
        RETURNING seller_id
    )
    UPDATE sellers SET times_seen = times_seen + 1 WHERE id IN (SELECT seller_id FROM seen)
    """
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)), bindparam("added", type_=ARRAY(BigInteger)))

_SIGHTINGS = text(
    """
    INSERT INTO seller_sightings (run_id, asin, seller_id, listings, seen_at)
    SELECT :run_id, :asin, id, listings, clock_timestamp()
    FROM unnest(:ids, :listings) AS t(id, listings) ORDER BY id
    ON CONFLICT (run_id, asin, seller_id) DO UPDATE
    SET listings = seller_sightings.listings + excluded.listings
    """
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)), bindparam("listings", type_=ARRAY(Integer)))


def sight(
    conn: Connection,
    *,
    run_id: UUID,
    asin: str,
    sellers: Mapping[str, Seller],
    listings: Mapping[str, int],
) -> tuple[Sighted, list[Change]]:
    """Keep that a run saw sellers while it searched a product.

    The audit entry for those who are new is left to the caller (`log_change`), who writes it
    last in the transaction.

    Args:
        conn: in a transaction.
        run_id: the run.
        asin: the product.
        sellers: by normalized name.
        listings: by normalized name, how many of the page's cards were that seller's.
    """
    if not sellers:
        return Sighted(0, 0, (), None, None), []
    rows = _upserted(conn, run_id, sellers, listings)
    gone = [row.id for row in rows if row.removed_at is not None]
    back = set(conn.execute(_PUT_BACK, {"ids": gone}).scalars()) if gone else set()
    added = [row for row in rows if row.added or row.id in back]
    new_to_run = conn.execute(
        _SEEN_BY_RUN,
        {"run_id": run_id, "ids": [r.id for r in rows], "added": [r.id for r in added]},
    ).rowcount
    conn.execute(
        _SIGHTINGS,
        {
            "run_id": run_id,
            "asin": asin,
            "ids": [r.id for r in rows],
            "listings": [r.listings for r in rows],
        },
    )
    sighted = Sighted(len(rows), new_to_run, tuple(r.display_name for r in added), None, None)
    return sighted, [Change(r.id, "added", new_name=r.display_name) for r in added]


def _upserted(
    conn: Connection, run_id: UUID, sellers: Mapping[str, Seller], listings: Mapping[str, int]
) -> list[Row[Any]]:
    """The rows of these sellers, by normalized name, brought up to date or added."""
    names = sorted(sellers)
    rows = conn.execute(
        _UPSERT,
        {
            "run_id": run_id,
            "names": names,
            "displays": [sellers[n].username for n in names],
            "percents": [sellers[n].feedback_percent for n in names],
            "counts": [sellers[n].feedback_count for n in names],
            "listings": [listings.get(n, 1) for n in names],
        },
    ).all()
    fresh = [row.id for row in rows if row.added]
    given_up = conn.execute(_GIVEN_UP, {"ids": fresh}).all() if fresh else []
    if not given_up:
        return list(rows)
    gone = {row.id for row in given_up}
    again = {row.normalized_name: sellers[row.normalized_name] for row in given_up}
    found = {row.id: row for row in _upserted(conn, run_id, again, listings)}
    # A bearer who is on the page under both names counts once.
    return [row for row in rows if row.id not in gone and row.id not in found] + list(
        found.values()
    )


_CHANGES = text(
    """
    INSERT INTO seller_audit_changes
        (audit_id, seller_id, change, old_name, new_name, old_note, new_note)
    SELECT :audit_id, * FROM unnest(
        :seller_ids, :changes, :old_names, :new_names, :old_notes, :new_notes)
    """
).bindparams(
    bindparam("seller_ids", type_=ARRAY(BigInteger)),
    bindparam("changes", type_=ARRAY(Text)),
    bindparam("old_names", type_=ARRAY(Text)),
    bindparam("new_names", type_=ARRAY(Text)),
    bindparam("old_notes", type_=ARRAY(Text)),
    bindparam("new_notes", type_=ARRAY(Text)),
)

_COUNT = text(
    """
    UPDATE seller_counter
    SET seller_count = seller_count + :delta, last_audit_id = last_audit_id + 1
    RETURNING seller_count, last_audit_id
    """
)

_AUDIT = text(
    """
    INSERT INTO seller_audit_log (id, action, source, actor, seller_name, run_id,
                                  affected_count, details, undoes_id, seller_count_snapshot)
    VALUES (:id, :action, :source, :actor, :seller_name, :run_id,
            :affected_count, :details, :undoes_id, :snapshot)
    """
).bindparams(bindparam("details", type_=JSONB))


def log_change(
    conn: Connection,
    *,
    action: str,
    source: str,
    actor: str,
    changes: Sequence[Change] = (),
    affected_count: int | None = None,
    run_id: UUID | None = None,
    details: Mapping[str, Any] | None = None,
    undoes_id: int | None = None,
) -> tuple[int, int]:
    """Write one audit entry with its snapshot. The last statement of its transaction.

    Args:
        conn: in a transaction; the counter's row stays locked until it commits.
        action: what was done, one of the table's actions.
        source: what did it: a run, a person, an import, an export.
        actor: who.
        changes: what happened to each seller, each seller at most once.
        affected_count: where it is not the number of changes.
        run_id: the run that did it.
        details: more, as JSON.
        undoes_id: the audit entry that this one undoes or does again.

    Returns:
        The audit entry's id and its snapshot.
    """
    delta = sum((c.change == "added") - (c.change == "removed") for c in changes)
    counted = conn.execute(_COUNT, {"delta": delta}).one()
    first = changes[0] if changes else None
    conn.execute(
        _AUDIT,
        {
            "id": counted.last_audit_id,
            "action": action,
            "source": source,
            "actor": actor,
            "seller_name": (first.new_name or first.old_name) if first else None,
            "run_id": run_id,
            "affected_count": len(changes) if affected_count is None else affected_count,
            "details": json.loads(json.dumps(details or {}, default=str)),
            "undoes_id": undoes_id,
            "snapshot": counted.seller_count,
        },
    )
    if changes:
        conn.execute(
            _CHANGES,
            {
                "audit_id": counted.last_audit_id,
                "seller_ids": [c.seller_id for c in changes],
                "changes": [c.change for c in changes],
                "old_names": [c.old_name for c in changes],
                "new_names": [c.new_name for c in changes],
                "old_notes": [c.old_note for c in changes],
                "new_notes": [c.new_note for c in changes],
            },
        )
    return counted.last_audit_id, counted.seller_count


def record_export(conn: Connection, *, what: str, rows: int, actor: str, path_name: str) -> int:
    """Write down that a frame was exported; returns the audit entry's id."""
    audit_id, _ = log_change(
        conn,
        action="export",
        source="export",
        actor=actor,
        affected_count=rows,
        details={"what": what, "file": path_name},
    )
    return audit_id


def count(conn: Connection) -> int:
    """How many sellers are on the list."""
    return int(conn.execute(text("SELECT seller_count FROM seller_counter")).scalar_one())
