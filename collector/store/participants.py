"""Participants: processes that take items of a run which another process owns.

Each holds the lock of an owner id of its own, under which it claims items, so that those of a
dead one come back at once. It reports its entries to the run's owner, who alone numbers them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from collector.models import ActivityEntry
from collector.store import runs
from collector.store.activity_log import storable
from collector.store.ownership import is_alive, owner_is_alive
from collector.words import PauseReason, RunStatus

REPORTS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Standing:
    """What a participant has to know of its run.

    Attributes:
        goes_on: whether there will be items for it, now or after a pause.
        pause_reason: why the run is paused; None while it is not.
    """

    goes_on: bool
    pause_reason: PauseReason | None


@dataclass(frozen=True, slots=True)
class Crew:
    """The living participants of a run: how many, and how many of them have nothing in flight."""

    living: int
    resting: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A participant that died: what it was called, and the numbers of its workers."""

    name: str
    first_worker: int
    last_worker: int


_FORGET_DEAD = text(
    f"""
    DELETE FROM run_participants p WHERE run_id = :run_id
      AND NOT {owner_is_alive("p.owner_id")}
    RETURNING name, place * workers + 1 AS first_worker, (place + 1) * workers AS last_worker
    """  # noqa: S608 - constants of this package
)


def forget_dead(conn: Connection, run_id: UUID) -> list[Lost]:
    """Take the dead off the run's participants, and return them."""
    return [Lost(*row) for row in conn.execute(_FORGET_DEAD, {"run_id": run_id})]


def join(
    conn: Connection, run_id: UUID, *, owner_id: int, run_owner_id: int, workers: int, name: str
) -> int | None:
    """Become a participant; returns the number before that of its first worker.

    None where there is nothing to join: the run has ended, is ending, or has another owner.
    """
    row = runs.get(conn, run_id, lock=True)
    if not _goes_on(conn, row, run_owner_id):
        return None
    forget_dead(conn, run_id)
    taken = set(
        conn.execute(
            text("SELECT place FROM run_participants WHERE run_id = :run_id"), {"run_id": run_id}
        ).scalars()
    )
    place = next(place for place in range(len(taken) + 1) if place not in taken)
    conn.execute(
        text(
            "INSERT INTO run_participants (run_id, owner_id, place, workers, name) "
            "VALUES (:run_id, :owner_id, :place, :workers, :name)"
        ),
        {
            "run_id": run_id,
            "owner_id": owner_id,
            "place": place,
            "workers": workers,
            "name": name,
        },
    )
    return place * workers


def leave(conn: Connection, run_id: UUID, *, owner_id: int) -> None:
    """Be a participant no more. After the last report: the owner waits for it."""
    conn.execute(
        text("DELETE FROM run_participants WHERE run_id = :run_id AND owner_id = :owner_id"),
        {"run_id": run_id, "owner_id": owner_id},
    )


def rest(conn: Connection, run_id: UUID, *, owner_id: int, resting: bool) -> None:
    """Tell whether a participant has nothing in flight, and begins nothing."""
    conn.execute(
        text(
            "UPDATE run_participants SET resting = :resting "
            "WHERE run_id = :run_id AND owner_id = :owner_id"
        ),
        {"run_id": run_id, "owner_id": owner_id, "resting": resting},
    )


def standing(conn: Connection, run_id: UUID, *, run_owner_id: int) -> Standing:
    """How the run stands for a participant whom that owner invited."""
    row = runs.get(conn, run_id)
    reason = PauseReason(row.pause_reason) if row.pause_reason else None
    return Standing(_goes_on(conn, row, run_owner_id), reason)


def _goes_on(conn: Connection, row: Row[Any], run_owner_id: int) -> bool:
    return (
        not row.ending
        and row.status in {RunStatus.RUNNING, RunStatus.PAUSED}
        and row.owner_id == run_owner_id
        and is_alive(conn, run_owner_id)
    )


_CREW = text(
    f"""
    SELECT count(*) AS living, count(*) FILTER (WHERE resting) AS resting
    FROM run_participants p WHERE run_id = :run_id AND {owner_is_alive("p.owner_id")}
    """  # noqa: S608 - constants of this package
)


def crew(conn: Connection, run_id: UUID) -> Crew:
    """The living participants of a run."""
    row = conn.execute(_CREW, {"run_id": run_id}).one()
    return Crew(row.living, row.resting)


_REPORT = text(
    "INSERT INTO participant_reports (run_id, entry) SELECT :run_id, * FROM unnest(:entries)"
).bindparams(bindparam("entries", type_=ARRAY(JSONB)))


def report(conn: Connection, run_id: UUID, entries: Sequence[ActivityEntry]) -> None:
    """Leave entries for the run's owner."""
    conn.execute(_REPORT, {"run_id": run_id, "entries": [storable(e) for e in entries]})


_TAKE = text(
    """
    WITH taken AS (
        DELETE FROM participant_reports WHERE id IN (
            SELECT id FROM participant_reports WHERE run_id = :run_id ORDER BY id LIMIT :limit
        ) RETURNING id, entry
    )
    SELECT entry FROM taken ORDER BY id
    """
)


def take_reports(conn: Connection, run_id: UUID) -> list[ActivityEntry]:
    """Take what participants reported, in the order in which they did; a thousand at most."""
    rows = conn.execute(_TAKE, {"run_id": run_id, "limit": REPORTS_AT_ONCE}).scalars()
    return [ActivityEntry.model_validate(entry) for entry in rows]
