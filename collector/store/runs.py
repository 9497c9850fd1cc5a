"""Runs: making them, finding them, moving them from status to status, ending them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, insert, select, text, update

from collector.errors import IllegalMove, OwnershipLost, RunInProgress, UnknownRun, UsageError
from collector.models import Category, RunOptions
from collector.schema import collection_items, collection_runs, run_categories
from collector.store.ownership import COMMAND_CHANNEL, OWNER_IS_ALIVE, is_alive
from collector.words import MOVES, ItemKind, PauseReason, RunStatus, Source

Command = Literal["pause", "resume", "cancel"]
# Lists lie this far apart in the order of claims: lists run ahead of searches, yet searches begin
# with the first list, so that both phases move at once.
PRIORITY_STEP = 20


def create(
    conn: Connection,
    *,
    name: str,
    categories: Sequence[Category],
    options: RunOptions,
    source: Source,
    budget: int | None,
    sandbox_day: int | None,
    run_id: UUID | None = None,
) -> UUID:
    """Add a pending run with the first page of each category's list as its items.

    Given an id, it adds a run once: again where the commit was lost with the connection, and
    nobody knows whether it went through.
    """
    if run_id is None:
        run_id = uuid4()
    elif conn.execute(select(collection_runs.c.id).where(collection_runs.c.id == run_id)).first():
        return run_id
    conn.execute(
        insert(collection_runs).values(
            id=run_id,
            name=name,
            source=source.value,
            sandbox_day=sandbox_day,
            options=options.model_dump(mode="json"),
            budget=budget,
            lists_total=len(categories),
        )
    )
    conn.execute(
        insert(run_categories),
        [
            {
                "run_id": run_id,
                "node_id": c.node_id,
                "ordinal": ordinal,
                "department": c.department,
                "name": c.name,
            }
            for ordinal, c in enumerate(categories)
        ],
    )
    conn.execute(
        insert(collection_items),
        [
            {
                "run_id": run_id,
                "kind": ItemKind.BEST_SELLERS.value,
                "key": f"{c.node_id}:1",
                "priority": ordinal * PRIORITY_STEP,
                "page": 1,
                "node_id": c.node_id,
                "category": c.title,
            }
            for ordinal, c in enumerate(categories)
        ],
    )
    return run_id


def find(conn: Connection, run_id: str | UUID) -> UUID:
    """The run with that id, or with an id that begins so; `latest` is the newest.

    Raises:
        UsageError: the text is no run id, or several runs' ids begin with it.
        UnknownRun: no run has it.
    """
    wanted = str(run_id).strip().lower()
    if wanted == "latest":
        newest = conn.execute(
            select(collection_runs.c.id).order_by(collection_runs.c.created_at.desc()).limit(1)
        ).scalar_one_or_none()
        if newest is None:
            raise UnknownRun("There is no run yet: launch one first (`collector run`).")
        return UUID(str(newest))
    digits = wanted.replace("-", "")
    if len(digits) < 4 or len(digits) > 32 or any(d not in "0123456789abcdef" for d in digits):
        raise UsageError(
            f"{str(run_id)[:40]!r} is no run id: give the id that `collector runs` shows, or at "
            "least its first four characters."
        )
    found = (
        conn.execute(
            text(
                "SELECT id FROM collection_runs "
                "WHERE id BETWEEN CAST(:low AS uuid) AND CAST(:high AS uuid) LIMIT 2"
            ),
            {"low": digits.ljust(32, "0"), "high": digits.ljust(32, "f")},
        )
        .scalars()
        .all()
    )
    if not found:
        raise UnknownRun(f"No run has the id {wanted}: `collector runs` lists them.")
    if len(found) > 1:
        raise UsageError(f"Several runs' ids begin with {wanted}: give more of it.")
    return UUID(str(found[0]))


def get(conn: Connection, run_id: UUID, *, lock: bool = False) -> Row[Any]:
    """The run's row.

    Raises:
        UnknownRun: there is none.
    """
    query = select(collection_runs).where(collection_runs.c.id == run_id)
    row = conn.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownRun(f"No run has the id {run_id}: `collector runs` lists them.")
    return row


def categories(conn: Connection, run_id: UUID) -> list[Row[Any]]:
    """The run's categories, in their order."""
    return list(
        conn.execute(
            select(run_categories)
            .where(run_categories.c.run_id == run_id)
            .order_by(run_categories.c.ordinal)
        )
    )


def finished_sandbox_runs(conn: Connection) -> int:
    """How many runs of the sandbox have ended whole: the sandbox's next day."""
    return int(
        conn.execute(
            text(
                "SELECT count(*) FROM collection_runs "
                "WHERE source = 'sandbox' AND status = 'completed'"
            )
        ).scalar_one()
    )


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
        .values(owner_id=owner_id, command=None)
    )
    move(conn, run_id, RunStatus.RUNNING, owner_id=owner_id)
    recover(conn, run_id)
    return get(conn, run_id), status


_ADVANCE = text(
    """
    UPDATE collection_runs
    SET requests_billed = requests_billed + :billed,
        lists_done = lists_done + :lists_done,
        products_total = products_total + :products_total,
        products_searched = products_searched + :products_searched,
        products_skipped = products_skipped + :products_skipped,
        sellers_found = sellers_found + :sellers_found,
        sellers_new = sellers_new + :sellers_new
    WHERE id = :run_id
    """
)


def advance(
    conn: Connection,
    run_id: UUID,
    *,
    billed: int = 0,
    lists_done: int = 0,
    products_total: int = 0,
    products_searched: int = 0,
    products_skipped: int = 0,
    sellers_found: int = 0,
    sellers_new: int = 0,
) -> None:
    """Add to the run's counters. Late in its transaction: all workers of a run share this row."""
    conn.execute(
        _ADVANCE,
        {
            "run_id": run_id,
            "billed": billed,
            "lists_done": lists_done,
            "products_total": products_total,
            "products_searched": products_searched,
            "products_skipped": products_skipped,
            "sellers_found": sellers_found,
            "sellers_new": sellers_new,
        },
    )


def set_budget(conn: Connection, run_id: UUID, budget: int) -> None:
    """Give a run another budget.

    Raises:
        UsageError: it has spent more than that already, or the budget is none.
    """
    if budget < 1:
        raise UsageError("A budget is at least one request.")
    changed = conn.execute(
        text("UPDATE collection_runs SET budget = :budget WHERE id = :id AND requests <= :budget"),
        {"id": run_id, "budget": budget},
    ).rowcount
    if not changed:
        spent = get(conn, run_id).requests
        raise UsageError(f"The run has sent {spent} requests already: give it a larger budget.")


_RECOVER = text(
    f"""
    UPDATE collection_items i SET status = 'pending', owner_id = NULL
    WHERE run_id = :run_id AND status = 'running'
      AND NOT {OWNER_IS_ALIVE.replace(":owner_id", "i.owner_id")}
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
    conn.execute(
        text("SELECT pg_notify(:channel, :payload)"),
        {"channel": COMMAND_CHANNEL, "payload": str(run_id)},
    )


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
