"""Requests: reserved from the budget before they leave, booked with their outcome after."""

from __future__ import annotations

from sqlalchemy import Connection, text

from collector.errors import BudgetExhausted, OwnershipLost
from collector.models import Item

_RESERVE = text(
    """
    WITH item AS (
        UPDATE collection_items SET attempts = attempts + 1
        WHERE id = :item_id AND owner_id = :owner_id AND status = 'running'
          AND EXISTS (SELECT FROM collection_runs
                      WHERE id = :run_id AND (budget IS NULL OR requests < budget))
        RETURNING attempts
    ), run AS (
        UPDATE collection_runs SET requests = requests + 1
        WHERE id = :run_id AND (budget IS NULL OR requests < budget)
          AND EXISTS (SELECT FROM item)
        RETURNING id
    )
    INSERT INTO collection_requests (run_id, item_id, attempt)
    SELECT run.id, :item_id, item.attempts FROM run, item
    RETURNING id
    """
)


def reserve_request(conn: Connection, item: Item, *, owner_id: int) -> int:
    """Reserve one request of the run's budget, before it leaves; returns its id.

    Raises:
        BudgetExhausted: the budget allows no more. Nothing was reserved.
        OwnershipLost: the item is somebody else's by now. Nothing was reserved.
    """
    request_id = conn.execute(
        _RESERVE, {"run_id": item.run_id, "item_id": item.id, "owner_id": owner_id}
    ).scalar_one_or_none()
    if request_id is not None:
        return int(request_id)
    run = conn.execute(
        text("SELECT budget, requests FROM collection_runs WHERE id = :id"), {"id": item.run_id}
    ).one()
    if run.budget is not None and run.requests >= run.budget:
        raise BudgetExhausted(
            f"The budget of {run.budget} requests is spent. Resume the run with a larger one."
        )
    raise OwnershipLost


_GIVE_BACK = text(
    """
    WITH unsent AS (
        DELETE FROM collection_requests WHERE id = :request_id AND finished_at IS NULL
        RETURNING run_id, item_id
    ), item AS (
        UPDATE collection_items SET attempts = attempts - 1
        WHERE id IN (SELECT item_id FROM unsent)
    )
    UPDATE collection_runs SET requests = requests - 1 WHERE id IN (SELECT run_id FROM unsent)
    """
)


def give_back(conn: Connection, request_id: int) -> None:
    """Give a reserved request that never left back to the run's budget."""
    conn.execute(_GIVE_BACK, {"request_id": request_id})


_BOOK = text(
    """
    UPDATE collection_requests
    SET finished_at = clock_timestamp(), outcome = :outcome, billed = :billed,
        duration_ms = :duration_ms
    WHERE id = :request_id AND finished_at IS NULL
    """
)


def book(
    conn: Connection, request_id: int, *, outcome: str, billed: bool, duration_ms: int
) -> bool:
    """Write down how a reserved request ended.

    Returns whether it was not booked yet. Where it was, the transaction that booked it had
    committed although its answer was lost with the connection: nothing is to be done again.
    """
    return bool(
        conn.execute(
            _BOOK,
            {
                "request_id": request_id,
                "outcome": outcome,
                "billed": billed,
                "duration_ms": duration_ms,
            },
        ).rowcount
    )
