"""Rows written straight into the tables: runs as they stand after they happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from collector import schema
from collector.database import Database
from collector.models import RunOptions

FIRST_DAY = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
KITCHEN = ("284507", "Home & Kitchen", "")
DOGS = ("2975312011", "Pet Supplies", "Dogs")


class Rows:
    """Writes what a run leaves behind. Days are counted from `FIRST_DAY`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audit_id = 0
        self._count = 0
        self.sellers: dict[str, int] = {}

    def run(
        self,
        day: int,
        searches: Mapping[str, Sequence[str]],
        *,
        name: str = "",
        categories: Sequence[tuple[str, str, str]] = (KITCHEN,),
        status: str = "completed",
        failed: Sequence[str] = (),
        options: RunOptions | None = None,
        source: str = "sandbox",
        **columns: Any,
    ) -> UUID:
        """A run that searched these products and saw these sellers; `failed` ones failed.

        The i-th product stands on the i-th category, round and round.
        """
        run_id, at = uuid4(), FIRST_DAY + timedelta(days=day)
        ended = status in {"completed", "failed", "cancelled"}
        with self._database.engine().begin() as connection:
            connection.execute(
                insert(schema.collection_runs).values(
                    id=run_id,
                    name=name or f"day {day}",
                    status=status,
                    source=source,
                    sandbox_day=day if source == "sandbox" else None,
                    options=(options or RunOptions()).model_dump(mode="json"),
                    created_at=at,
                    started_at=at + timedelta(seconds=1),
                    finished_at=at + timedelta(seconds=61) if ended else None,
                    requests=len(searches),
                    requests_billed=len(searches) - len(failed),
                    lists_total=len(categories),
                    lists_done=len(categories),
                    products_total=len(searches),
                    products_searched=len(searches) - len(failed),
                    **columns,
                )
            )
            for ordinal, (node_id, department, category) in enumerate(categories):
                connection.execute(
                    insert(schema.run_categories).values(
                        run_id=run_id,
                        node_id=node_id,
                        ordinal=ordinal,
                        department=department,
                        name=category,
                    )
                )
            new = self._searches(connection, run_id, at, searches, categories, failed)
            found = {name for names in searches.values() for name in names}
            connection.execute(
                update(schema.collection_runs)
                .where(schema.collection_runs.c.id == run_id)
                .values(
                    sellers_found=len(found),
                    sellers_new=len(new),
                    seller_count_snapshot=self._count if ended else None,
                    snapshot_audit_id=self._audit_id if ended else None,
                )
            )
        return run_id

    def audit(
        self,
        connection: Connection,
        *,
        at: datetime,
        action: str,
        change: int,
        source: str = "manual",
        seller_name: str | None = None,
        run_id: UUID | None = None,
    ) -> None:
        """An audit entry, with its snapshot."""
        self._audit_id += 1
        self._count += change
        connection.execute(
            insert(schema.seller_audit_log).values(
                id=self._audit_id,
                created_at=at,
                action=action,
                source=source,
                actor="ana",
                seller_name=seller_name,
                run_id=run_id,
                affected_count=abs(change),
                seller_count_snapshot=self._count,
            )
        )
        connection.execute(
            update(schema.seller_counter).values(
                seller_count=self._count, last_audit_id=self._audit_id
            )
        )

    def remove(self, name: str, *, day: int) -> None:
        """Take a seller off the list."""
        at = FIRST_DAY + timedelta(days=day)
        with self._database.engine().begin() as connection:
            connection.execute(
                update(schema.sellers)
                .where(schema.sellers.c.id == self.sellers[name])
                .values(removed_at=at)
            )
            self.audit(connection, at=at, action="remove", change=-1, seller_name=name)

    def _searches(
        self,
        connection: Connection,
        run_id: UUID,
        at: datetime,
        searches: Mapping[str, Sequence[str]],
        categories: Sequence[tuple[str, str, str]],
        failed: Sequence[str],
    ) -> set[str]:
        new: set[str] = set()
        for place, (asin, names) in enumerate(searches.items()):
            node_id, department, category = categories[place % len(categories)]
            connection.execute(
                upsert(schema.products)
                .values(asin=asin, title=f"Product {asin}", first_seen_at=at, last_seen_at=at)
                .on_conflict_do_nothing()
            )
            connection.execute(
                insert(schema.run_products).values(
                    run_id=run_id,
                    node_id=node_id,
                    asin=asin,
                    position=place + 1,
                    title=f"Product {asin}",
                    price_cents=1999,
                    currency="USD",
                )
            )
            item_id = connection.execute(
                insert(schema.collection_items)
                .values(
                    run_id=run_id,
                    kind="seller_search",
                    key=f"{asin}/1",
                    priority=1,
                    page=1,
                    node_id=node_id,
                    category=f"{department} › {category}",
                    asin=asin,
                    title=f"Product {asin}",
                    price_from_cents=3598,
                    price_to_cents=4398,
                    status="failed" if asin in failed else "done",
                    error_type="blocked" if asin in failed else None,
                    attempts=1,
                    has_more=None if asin in failed else False,
                    settled_at=at,
                )
                .returning(schema.collection_items.c.id)
            ).scalar_one()
            connection.execute(
                insert(schema.collection_requests).values(
                    run_id=run_id,
                    item_id=item_id,
                    attempt=1,
                    reserved_at=at,
                    finished_at=at + timedelta(seconds=2),
                    outcome="blocked" if asin in failed else "ok",
                    billed=True,
                    duration_ms=2000,
                )
            )
            for name in sorted(names):
                new |= self._sight(connection, run_id, at, asin, name)
        return new

    def _sight(
        self, connection: Connection, run_id: UUID, at: datetime, asin: str, name: str
    ) -> set[str]:
        is_new = name not in self.sellers
        if is_new:
            self.sellers[name] = connection.execute(
                insert(schema.sellers)
                .values(
                    normalized_name=name.casefold()[:64],
                    display_name=name,
                    feedback_percent=99.5,
                    feedback_count=1234,
                    first_seen_at=at,
                    last_seen_at=at,
                    first_run_id=run_id,
                    last_run_id=run_id,
                    times_seen=1,
                )
                .returning(schema.sellers.c.id)
            ).scalar_one()
            self.audit(
                connection,
                at=at,
                action="add",
                change=1,
                source="run",
                seller_name=name,
                run_id=run_id,
            )
        seller_id = self.sellers[name]
        connection.execute(
            insert(schema.seller_sightings).values(
                run_id=run_id, asin=asin, seller_id=seller_id, listings=1, seen_at=at
            )
        )
        connection.execute(
            upsert(schema.run_sellers)
            .values(run_id=run_id, seller_id=seller_id, is_new=is_new)
            .on_conflict_do_nothing()
        )
        return {name} if is_new else set()


def rows_in(database: Database, table: str) -> int:
    """How many rows a table has."""
    with database.engine().connect() as connection:
        counted = select(func.count()).select_from(schema.metadata.tables[table])
        return int(connection.execute(counted).scalar_one())
