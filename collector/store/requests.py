"""Requests: reserved from the budget before they leave, booked with their outcome after."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from collector.errors import BudgetExhausted, OwnershipLost
from collector.models import Item
from collector.store import pace

# How long to wait before asking again for a run that was paused meanwhile.
ASK_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True)
class Reservation:
    """A request of the run's budget, or none yet.

    Attributes:
        request_id: the reserved request; None where none may leave now.
        wait_s: seconds until it may leave, or until to ask again.
    """

    request_id: int | None
    wait_s: float


# Only a run that runs sends requests: whoever shares it need not have heard of a pause yet.
_MAY_SEND = "status = 'running' AND NOT ending AND (budget IS NULL OR requests < budget)"

_RESERVE = text(
    f"""
    WITH item AS (
        UPDATE collection_items SET attempts = attempts + 1
        WHERE id = :item_id AND owner_id = :owner_id AND status = 'running'
          AND EXISTS (SELECT FROM collection_runs WHERE id = :run_id AND {_MAY_SEND})
          AND NOT EXISTS ({pace.HELD_S})
        RETURNING attempts
    ), run AS (
        UPDATE collection_runs SET requests = requests + 1
        WHERE id = :run_id AND {_MAY_SEND} AND EXISTS (SELECT FROM item)
        RETURNING id
    ), slot AS (
        UPDATE request_pace SET next_slot_at = {pace.NEXT_SLOT} + {pace.INTERVAL}
        WHERE EXISTS (SELECT FROM run)
        RETURNING extract(epoch FROM next_slot_at - {pace.INTERVAL} - clock_timestamp()) AS wait_s
    )
    INSERT INTO collection_requests (run_id, item_id, attempt)
    SELECT run.id, :item_id, item.attempts FROM run, item, slot
    RETURNING id, (SELECT wait_s::double precision FROM slot) AS wait_s
    """  # noqa: S608 - constants of this package
)

_WHY_NOT = text(
    f"""
    SELECT r.budget, r.requests, r.status = 'running' AND NOT r.ending AS runs,
           EXISTS (SELECT FROM collection_items
                   WHERE id = :item_id AND owner_id = :owner_id AND status = 'running') AS is_ours,
           ({pace.HELD_S}) AS held_s
    FROM collection_runs r WHERE r.id = :run_id
    """  # noqa: S608 - constants of this package
)


def reserve_request(
    conn: Connection, item: Item, *, owner_id: int, interval_s: float = 0.0
) -> Reservation:
    """Reserve one request of the run's budget, and its slot, before it leaves.

    Args:
        conn: in a transaction of its own, which is short: all requests share the row of the pace.
        item: whose request it is.
        owner_id: who holds the item.
        interval_s: seconds to leave between two requests, where that is more than the plan asks.

    Raises:
        BudgetExhausted: the budget allows no more. Nothing was reserved.
        OwnershipLost: the item is somebody else's by now. Nothing was reserved.
    """
    given = {"run_id": item.run_id, "item_id": item.id, "owner_id": owner_id}
    reserved = conn.execute(_RESERVE, {**given, "interval_s": interval_s}).one_or_none()
    if reserved is not None:
        return Reservation(reserved.id, max(0.0, reserved.wait_s))
    run = conn.execute(_WHY_NOT, given).one()
    if not run.is_ours:
        raise OwnershipLost
    if run.runs and run.budget is not None and run.requests >= run.budget:
        raise BudgetExhausted(
            f"The budget of {run.budget} requests is spent. Resume the run with a larger one."
        )
    # Asked again at the latest after a slot: what held it may be over.
    return Reservation(None, min(run.held_s or ASK_AGAIN_S, pace.LONGEST_SLOT_S))


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
