"""The activity of runs, kept: entries in batches, numbered by the run's owner."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import BigInteger, DateTime, Integer, Text

from collector.models import ActivityEntry

ACTIVITY_CHANNEL = "collector_activity"

_APPEND = text(
    """
    INSERT INTO activity_log (run_id, id, created_at, worker_id, phase, action, entry)
    SELECT :run_id, * FROM unnest(:ids, :times, :workers, :phases, :actions, :entries)
    ON CONFLICT DO NOTHING
    """
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("times", type_=ARRAY(DateTime(timezone=True))),
    bindparam("workers", type_=ARRAY(Integer)),
    bindparam("phases", type_=ARRAY(Text)),
    bindparam("actions", type_=ARRAY(Text)),
    bindparam("entries", type_=ARRAY(JSONB)),
)


def append(conn: Connection, run_id: UUID, entries: Sequence[ActivityEntry]) -> None:
    """Keep entries, which have their numbers, and announce them when the transaction commits."""
    conn.execute(
        _APPEND,
        {
            "run_id": run_id,
            "ids": [e.id for e in entries],
            "times": [e.timestamp for e in entries],
            "workers": [e.worker_id for e in entries],
            "phases": [e.phase.value for e in entries],
            "actions": [e.action.value for e in entries],
            "entries": [_storable(e) for e in entries],
        },
    )
    announce(conn, run_id)


def announce(conn: Connection, run_id: UUID) -> None:
    """Wake whoever watches the run, when the transaction commits."""
    conn.execute(
        text("SELECT pg_notify(:channel, :payload)"),
        {"channel": ACTIVITY_CHANNEL, "payload": str(run_id)},
    )


def _storable(entry: ActivityEntry) -> dict[str, object]:
    stored = entry.model_dump(mode="json", exclude_none=True)
    return {key: _clean(value) for key, value in stored.items()}


def _clean(value: object) -> object:
    """Text that PostgreSQL can keep: it knows neither NUL nor lone surrogates."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode(errors="replace").decode()
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


def prune(conn: Connection, *, days: int) -> int:
    """Drop what is older than `days` days of runs that have ended; returns how many entries."""
    return conn.execute(
        text(
            "DELETE FROM activity_log l USING collection_runs r "
            "WHERE r.id = l.run_id AND r.finished_at IS NOT NULL "
            "AND l.created_at < clock_timestamp() - make_interval(days => :days)"
        ),
        {"days": days},
    ).rowcount
