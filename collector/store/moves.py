"""How runs move: from status to status, from owner to owner, and by commands left for an owner."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text, update

from collector.errors import IllegalMove, OwnershipLost, RunInProgress
from collector.schema import collection_runs
from collector.store.ownership import COMMAND_CHANNEL, is_alive, owner_is_alive
from collector.store.runs import get, set_budget
from collector.words import MOVES, PauseReason, RunStatus

Command = Literal["pause", "resume", "cancel"]


def move(
    conn: Connection,
    run_id: UUID,
    to: RunStatus,
    *,
    reason: PauseReason | None = None,
    message: str = "",
    owner_id: int | None = None,
) -> RunStatus:
    """Move a run to a status and return the one it had. The same status again changes nothing.

    Args:
        conn: in a transaction; the run's row is locked in it.
        run_id: the run.
        to: where to.
        reason: why, for `paused`.
        message: one line for people.
        owner_id: whoever moves must still be the run's owner; None: it must have none.

    Raises:
        IllegalMove: the run's status does not allow that.
        OwnershipLost: somebody else owns the run by now.
    """
    row = get(conn, run_id, lock=True)
    _check_owner(conn, row, owner_id)
    had = RunStatus(row.status)
    if to is had:
        return had
    if to not in MOVES[had]:
        raise IllegalMove(f"The run is {had}; from there it cannot become {to}.")
    values: dict[str, Any] = {
        "status": to.value,
        "message": message[:1000],
        "pause_reason": reason.value if to is RunStatus.PAUSED and reason else None,
        "finished_at": text("clock_timestamp()") if to.is_final else None,
        "seller_count_snapshot": None,
        "snapshot_audit_id": None,
    }
    if to is RunStatus.RUNNING and row.started_at is None:
        values["started_at"] = text("clock_timestamp()")
        values["seller_count_before"] = _latest_snapshot(conn)
    if to.is_final:
        # Only now: a cancel left while the run paused by itself is still to be carried out.
        values["command"] = None
        # Locked last: no change of the list can commit between this count and this commit.
        counter = conn.execute(
            text("SELECT seller_count, last_audit_id FROM seller_counter FOR UPDATE")
        ).one()
        values["seller_count_snapshot"] = counter.seller_count
        values["snapshot_audit_id"] = counter.last_audit_id
    conn.execute(update(collection_runs).where(collection_runs.c.id == run_id).values(**values))
    _wake(conn, run_id)
    return had


def _check_owner(conn: Connection, row: Row[Any], owner_id: int | None) -> None:
    if owner_id is not None and row.owner_id != owner_id:
        raise OwnershipLost
    if owner_id is None and is_alive(conn, row.owner_id):
        raise RunInProgress("The run is being worked on by another process.")


def _latest_snapshot(conn: Connection) -> int | None:
    return conn.execute(
        text(
            "SELECT seller_count_snapshot FROM collection_runs "
            "WHERE seller_count_snapshot IS NOT NULL ORDER BY finished_at DESC LIMIT 1"
        )
    ).scalar_one_or_none()


def take_over(
    conn: Connection, run_id: UUID, *, owner_id: int, budget: int | None = None
) -> tuple[Row[Any], RunStatus]:
    """Make `owner_id` the run's owner, set it running, and put back a dead owner's items.

    Returns:
        The run's row, and the status it had.

    Raises:
        RunInProgress: its owner lives.
        IllegalMove: it has ended.
        UsageError: the new budget is smaller than what was spent.
    """
    row = get(conn, run_id, lock=True)
    _check_owner(conn, row, None)
    status = RunStatus(row.status)
    if status.is_final:
        raise IllegalMove(
            f"The run is {status} and has nothing left to do; `collector retry` sends its failed "
            "items again, `collector run` launches another."
        )
    if budget is not None:
        set_budget(conn, run_id, budget)
    conn.execute(
        update(collection_runs)
        .where(collection_runs.c.id == run_id)
        # A command that a dead owner did not live to take was not for this one.
        .values(owner_id=owner_id, command=None, ending=False)
    )
    move(conn, run_id, RunStatus.RUNNING, owner_id=owner_id)
    recover(conn, run_id)
    return get(conn, run_id), status


_RECOVER = text(
    f"""
    UPDATE collection_items i SET status = 'pending', owner_id = NULL
    WHERE run_id = :run_id AND status = 'running'
      AND NOT {owner_is_alive("i.owner_id")}
    """  # noqa: S608 - constants of this package
)


def recover(conn: Connection, run_id: UUID) -> int:
    """Put back the items of owners that are gone; returns how many."""
    return conn.execute(_RECOVER, {"run_id": run_id}).rowcount


def leave_command(conn: Connection, run_id: UUID, command: Command) -> None:
    """Leave a command for the run's owner and wake it when the transaction commits."""
    conn.execute(
        update(collection_runs).where(collection_runs.c.id == run_id).values(command=command)
    )
    _wake(conn, run_id)


def _wake(conn: Connection, run_id: UUID) -> None:
    """Wake whoever works on the run, when the transaction commits."""
    conn.execute(
        text("SELECT pg_notify(:channel, :payload)"),
        {"channel": COMMAND_CHANNEL, "payload": str(run_id)},
    )


def set_ending(conn: Connection, run_id: UUID, *, owner_id: int) -> None:
    """Let nobody begin another item of a run: its owner wants to end or leave it.

    Raises:
        OwnershipLost: that owner is not the run's any more.
    """
    _check_owner(conn, get(conn, run_id, lock=True), owner_id)
    conn.execute(update(collection_runs).where(collection_runs.c.id == run_id).values(ending=True))
    _wake(conn, run_id)


def take_command(conn: Connection, run_id: UUID, *, owner_id: int) -> Command | None:
    """Take the command that was left for the run's owner, if there is one.

    Raises:
        OwnershipLost: that owner is not the run's any more.
    """
    # Asked every second: the row, which all workers share, is locked only where there is one.
    row = get(conn, run_id)
    if row.command is None:
        _check_owner(conn, row, owner_id)
        return None
    row = get(conn, run_id, lock=True)
    _check_owner(conn, row, owner_id)
    conn.execute(update(collection_runs).where(collection_runs.c.id == run_id).values(command=None))
    command: Command = row.command
    return command
