"""Runs: making them, finding them, counting what they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, insert, select, text

from collector.errors import UnknownRun, UsageError
from collector.models import Category, RunOptions
from collector.schema import collection_items, collection_runs, run_categories
from collector.words import ItemKind, Source

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


_ADVANCE = text(
    """
    UPDATE collection_runs
    SET requests_billed = requests_billed + :billed,
        lists_done = lists_done + :lists_done,
        products_total = products_total + :products_total,
        products_searched = products_searched + :products_searched,
        products_skipped = products_skipped + :products_skipped,
        products_covered = products_covered + :products_covered,
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
    products_covered: int = 0,
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
            "products_covered": products_covered,
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
