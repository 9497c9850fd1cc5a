"""The activity of runs, kept: entries in batches, numbered by the run's owner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from collector.models import ActivityEntry
from collector.store.ownership import owner_is_alive
from collector.words import RunStatus

ACTIVITY_CHANNEL = "collector_activity"

# One document: arrays for each column take four times as long to be made ready for PostgreSQL.
_APPEND = text(
    """
    WITH kept AS (
        INSERT INTO activity_log (run_id, id, created_at, worker_id, phase, action, entry)
        SELECT CAST(:run_id AS uuid), CAST(entry ->> 'id' AS bigint),
               CAST(entry ->> 'timestamp' AS timestamptz), CAST(entry ->> 'worker_id' AS integer),
               entry ->> 'phase', entry ->> 'action', entry
        FROM jsonb_array_elements(:entries) AS entry
        ON CONFLICT DO NOTHING
    )
    SELECT pg_notify(:channel, CAST(:run_id AS text))
    """
).bindparams(bindparam("entries", type_=JSONB))


def append(conn: Connection, run_id: UUID, entries: Sequence[ActivityEntry]) -> None:
    """Keep entries, which have their numbers, and wake whoever watches the run. One statement."""
    conn.execute(
        _APPEND,
        {
            "run_id": run_id,
            "entries": [storable(e) for e in entries],
            "channel": ACTIVITY_CHANNEL,
        },
    )


def storable(entry: ActivityEntry) -> dict[str, object]:
    """An entry as PostgreSQL can keep it."""
    stored = entry.model_dump(mode="json", exclude_none=True)
    return {key: _clean(value) for key, value in stored.items()}


def _clean(value: object) -> object:
    """What PostgreSQL can keep: it knows no NUL, no lone surrogates and no JSON that is NaN."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(_clean(k)): _clean(v) for k, v in value.items()}
    return value


def read(
    conn: Connection, run_id: UUID, *, after: int = 0, limit: int = 1000
) -> list[ActivityEntry]:
    """Up to `limit` entries of a run with ids above `after`, in order."""
    rows = conn.execute(
        text(
            "SELECT entry FROM activity_log WHERE run_id = :run_id AND id > :after "
            "ORDER BY id LIMIT :limit"
        ),
        {"run_id": run_id, "after": after, "limit": limit},
    ).scalars()
    return [ActivityEntry.model_validate(entry) for entry in rows]


def last_id(conn: Connection, run_id: UUID) -> int:
    """The id of a run's newest kept entry; 0 where there is none."""
    return int(
        conn.execute(
            text("SELECT coalesce(max(id), 0) FROM activity_log WHERE run_id = :run_id"),
            {"run_id": run_id},
        ).scalar_one()
    )


_PAGE = text(
    """
    SELECT id, action, entry FROM (
        SELECT id, action, entry, sum(octet_length(entry)) OVER (ORDER BY id) AS bytes
        FROM (
            SELECT id, action, entry::text AS entry FROM activity_log
            WHERE run_id = :run_id AND id > :after ORDER BY id LIMIT :limit
        ) AS following
    ) AS counted
    WHERE bytes - octet_length(entry) < :max_bytes ORDER BY id
    """
)


def page(
    conn: Connection, run_id: UUID, *, after: int, limit: int, max_bytes: int
) -> list[tuple[int, str, str]]:
    """The next entries with ids above `after`: id, action, and the entry as JSON on one line.

    At most `limit` of them, and no further one once they hold `max_bytes` bytes. Unlike `read`
    it takes entries as they are, those of another version of this package too.
    """
    given = {"run_id": run_id, "after": after, "limit": limit, "max_bytes": max_bytes}
    return [(row.id, row.action, row.entry) for row in conn.execute(_PAGE, given)]


def before_latest(conn: Connection, run_id: UUID, *, count: int) -> int:
    """The id after which a run's newest `count` kept entries begin; 0 where there are none."""
    found = conn.execute(
        text(
            """
            SELECT id - CASE WHEN action = 'gap' THEN (entry->>'items_count')::bigint ELSE 1 END
            FROM (
                SELECT id, action, entry FROM activity_log WHERE run_id = :run_id
                ORDER BY id DESC LIMIT :count
            ) AS latest ORDER BY id LIMIT 1
            """
        ),
        {"run_id": run_id, "count": count},
    ).scalar_one_or_none()
    return max(0, found or 0)


def ended(conn: Connection, run_id: UUID) -> RunStatus | None:
    """How the run ended, once it has and whoever worked on it can add no further entry.

    The last entries are written after the status: while the owner's session lives, they may come.
    """
    status = conn.execute(
        text(
            f"""
            SELECT r.status FROM collection_runs r
            WHERE r.id = :run_id AND r.finished_at IS NOT NULL
              AND NOT {owner_is_alive("r.owner_id")}
            """  # noqa: S608 - a constant of this package
        ),
        {"run_id": run_id},
    ).scalar_one_or_none()
    return None if status is None else RunStatus(status)


_PRUNE = text(
    """
    WITH ended AS MATERIALIZED (
        SELECT r.id, (SELECT max(n.id) FROM activity_log n WHERE n.run_id = r.id) AS newest
        FROM collection_runs r
        WHERE r.finished_at IS NOT NULL
          AND r.id IN (
              SELECT run_id FROM activity_log
              WHERE created_at < clock_timestamp() - make_interval(days => :days)
          )
        -- Nobody can send an ended run's failed items again while its entries are dropped.
        FOR SHARE OF r
    )
    DELETE FROM activity_log l USING ended e
    WHERE l.run_id = e.id AND l.id < e.newest
      AND l.created_at < clock_timestamp() - make_interval(days => :days)
    """
)


def prune(conn: Connection, *, days: int) -> int:
    """Drop what is older than `days` days of runs that have ended; returns how many entries.

    Each run keeps its newest entry: ids go on from it, and readers see how many are gone.
    """
    return conn.execute(_PRUNE, {"days": days}).rowcount


def take_turn_to_prune(conn: Connection) -> bool:
    """Whether nobody has pruned for a day; who is told so is the one to do it."""
    taken = conn.execute(
        text(
            """
            INSERT INTO collector_settings (key, value) VALUES ('activity_pruned', 'true')
            ON CONFLICT (key) DO UPDATE SET updated_at = clock_timestamp()
            WHERE collector_settings.updated_at < clock_timestamp() - interval '1 day'
            RETURNING 1
            """
        )
    ).scalar_one_or_none()
    return taken is not None
