"""Items: claiming, finishing, failing, putting back, adding.

What an item brings commits in ONE transaction with its status. In every such transaction rows are
locked in the same order (item, products or sellers by name, the product's latest search, run,
counter), so that none waits in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Integer, Text

from collector.errors import OwnershipLost
from collector.models import Item, NewItem
from collector.words import ItemKind

# The page of the first failure of each kind is kept; longer ones are cut.
KEPT_PAGE_CHARACTERS = 3_000_000

# Materialized: joined otherwise, the planner may run the locking query again for every row of the
# table, and take more than the limit (seen with a nested loop).
_CLAIM = text(
    """
    WITH next AS MATERIALIZED (
        SELECT id FROM collection_items
        WHERE run_id = :run_id AND status = 'pending'
          -- A process that lost the run without noticing must not take anything of it.
          AND EXISTS (SELECT FROM collection_runs
                      WHERE id = :run_id AND status = 'running' AND NOT ending
                        AND owner_id = :run_owner_id)
        ORDER BY priority, id LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE collection_items i SET status = 'running', owner_id = :owner_id
    FROM next WHERE i.id = next.id
    RETURNING i.id, i.run_id, i.kind, i.page, i.node_id, i.category, i.asin, i.title,
              i.price_from_cents, i.price_to_cents, i.attempts, i.priority
    """
)


def claim(
    conn: Connection, run_id: UUID, *, owner_id: int, limit: int, run_owner_id: int | None = None
) -> list[Item]:
    """Take up to `limit` pending items of a running run, in their order.

    Args:
        conn: in a transaction.
        run_id: the run.
        owner_id: who takes them.
        limit: how many at most.
        run_owner_id: the owner of the run, where that is somebody else than who takes items.
    """
    rows = conn.execute(
        _CLAIM,
        {
            "run_id": run_id,
            "owner_id": owner_id,
            "run_owner_id": owner_id if run_owner_id is None else run_owner_id,
            "limit": limit,
        },
    ).all()
    return [_item(row) for row in sorted(rows, key=lambda r: (r.priority, r.id))]


def _item(row: Row[Any]) -> Item:
    return Item(
        id=row.id,
        run_id=row.run_id,
        kind=ItemKind(row.kind),
        page=row.page,
        node_id=row.node_id,
        category=row.category,
        asin=row.asin,
        title=row.title,
        price_from_cents=row.price_from_cents,
        price_to_cents=row.price_to_cents,
        attempts=row.attempts,
        priority=row.priority,
    )


def is_exhausted(conn: Connection, run_id: UUID) -> bool:
    """Whether no item of the run is pending or under way with anybody."""
    return not conn.execute(
        text(
            "SELECT EXISTS (SELECT FROM collection_items "
            "               WHERE run_id = :run_id AND status = 'pending') "
            "    OR EXISTS (SELECT FROM collection_items "
            "               WHERE run_id = :run_id AND status = 'running')"
        ),
        {"run_id": run_id},
    ).scalar_one()


class ItemsLeft(Exception):
    """Items of the run are pending or under way."""


def require_exhausted(conn: Connection, run_id: UUID) -> None:
    """Raise where something of a run is left to do.

    Raises:
        ItemsLeft: an item is pending or under way.
    """
    if not is_exhausted(conn, run_id):
        raise ItemsLeft


_RELEASE = text(
    """
    UPDATE collection_items
    SET status = 'pending', owner_id = NULL, settled_at = NULL,
        error_type = NULL, error_stage = NULL, error_message = NULL
    WHERE id = ANY(:ids) AND (owner_id = :owner_id OR status = 'failed')
    """
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))


def release(conn: Connection, items: Sequence[Item], *, owner_id: int) -> int:
    """Put claimed or failed items back, so that they can be claimed again."""
    return conn.execute(_RELEASE, {"ids": [i.id for i in items], "owner_id": owner_id}).rowcount


def release_strays(conn: Connection, run_id: UUID, *, owner_id: int, held: Sequence[int]) -> int:
    """Put back what an owner holds by the database's account but not by its own."""
    return conn.execute(
        text(
            "UPDATE collection_items SET status = 'pending', owner_id = NULL "
            "WHERE run_id = :run_id AND status = 'running' AND owner_id = :owner_id "
            "AND NOT id = ANY(:held)"
        ).bindparams(bindparam("held", type_=ARRAY(BigInteger))),
        {"run_id": run_id, "owner_id": owner_id, "held": list(held)},
    ).rowcount


def retry_failed(conn: Connection, run_id: UUID) -> int:
    """Put all failed items of a run back; returns how many."""
    return conn.execute(
        text(
            "UPDATE collection_items SET status = 'pending', settled_at = NULL, "
            "error_type = NULL, error_stage = NULL, error_message = NULL "
            "WHERE run_id = :run_id AND status = 'failed'"
        ),
        {"run_id": run_id},
    ).rowcount


_FINISH = text(
    """
    UPDATE collection_items
    SET status = 'done', owner_id = NULL, settled_at = clock_timestamp(),
        duration_ms = :duration_ms, results = :results, sellers = :sellers,
        sellers_new = :sellers_new, has_more = :has_more
    WHERE id = :id AND owner_id = :owner_id AND status = 'running'
    """
)


def finish(
    conn: Connection,
    item: Item,
    *,
    owner_id: int,
    duration_ms: int,
    results: int,
    sellers: int = 0,
    sellers_new: int = 0,
    has_more: bool = False,
) -> None:
    """Mark an item done. First in its transaction: it locks the item and proves the claim.

    Raises:
        OwnershipLost: the item is somebody else's by now.
    """
    done = conn.execute(
        _FINISH,
        {
            "id": item.id,
            "owner_id": owner_id,
            "duration_ms": duration_ms,
            "results": results,
            "sellers": sellers,
            "sellers_new": sellers_new,
            "has_more": has_more,
        },
    ).rowcount
    if not done:
        raise OwnershipLost


def fail(
    conn: Connection,
    item: Item,
    *,
    owner_id: int,
    error_type: str,
    error_stage: str,
    error_message: str,
    page: str | None,
) -> None:
    """Keep an item as failed, and the page of the first failure of its kind.

    Raises:
        OwnershipLost: the item is somebody else's by now.
    """
    failed = conn.execute(
        text(
            "UPDATE collection_items SET status = 'failed', owner_id = NULL, "
            "settled_at = clock_timestamp(), error_type = :error_type, "
            "error_stage = :error_stage, error_message = :error_message "
            # Failed already: by this very call, whose commit was lost with the connection.
            "WHERE id = :id AND ((owner_id = :owner_id AND status = 'running') "
            "OR status = 'failed')"
        ),
        {
            "id": item.id,
            "owner_id": owner_id,
            "error_type": error_type,
            "error_stage": error_stage,
            "error_message": error_message[:2000],
        },
    ).rowcount
    if not failed:
        raise OwnershipLost
    if page:
        conn.execute(
            text(
                "INSERT INTO failed_pages (run_id, error_type, item_id, page) "
                "VALUES (:run_id, :error_type, :item_id, :page) ON CONFLICT DO NOTHING"
            ),
            {
                "run_id": item.run_id,
                "error_type": error_type,
                "item_id": item.id,
                "page": page.replace("\x00", "")[:KEPT_PAGE_CHARACTERS],
            },
        )


_ADD = text(
    """
    INSERT INTO collection_items (run_id, kind, key, priority, page, node_id, category,
                                  asin, title, price_from_cents, price_to_cents)
    SELECT :run_id, * FROM unnest(
        :kinds, :keys, :priorities, :pages, :node_ids, :categories,
        :asins, :titles, :prices_from, :prices_to)
    ON CONFLICT (run_id, kind, key) DO NOTHING
    """
).bindparams(
    bindparam("kinds", type_=ARRAY(Text)),
    bindparam("keys", type_=ARRAY(Text)),
    bindparam("priorities", type_=ARRAY(Integer)),
    bindparam("pages", type_=ARRAY(Integer)),
    bindparam("node_ids", type_=ARRAY(Text)),
    bindparam("categories", type_=ARRAY(Text)),
    bindparam("asins", type_=ARRAY(Text)),
    bindparam("titles", type_=ARRAY(Text)),
    bindparam("prices_from", type_=ARRAY(BigInteger)),
    bindparam("prices_to", type_=ARRAY(BigInteger)),
)


def add(conn: Connection, run_id: UUID, items: Sequence[NewItem]) -> int:
    """Add items; those whose key the run has already are left out. Returns how many were added."""
    if not items:
        return 0
    ordered = sorted(items, key=lambda i: (i.kind, i.key))
    return conn.execute(
        _ADD,
        {
            "run_id": run_id,
            "kinds": [i.kind.value for i in ordered],
            "keys": [i.key for i in ordered],
            "priorities": [i.priority for i in ordered],
            "pages": [i.page for i in ordered],
            "node_ids": [i.node_id for i in ordered],
            "categories": [i.category for i in ordered],
            "asins": [i.asin for i in ordered],
            "titles": [i.title for i in ordered],
            "prices_from": [i.price_from_cents for i in ordered],
            "prices_to": [i.price_to_cents for i in ordered],
        },
    ).rowcount
