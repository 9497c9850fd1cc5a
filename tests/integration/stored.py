"""A database's store in the hands of a test: runs, owners, items and pages, without any HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from sqlalchemy import Connection, text

from collector.database import Database
from collector.models import Category, Item, Product, ProductPage, RunOptions, Seller, Settled
from collector.settling import settle_list, settle_search
from collector.sources.ebay import Card, SearchPage
from collector.store import items, moves, pace, requests, runs
from collector.store.ownership import LOCK_CLASS
from collector.words import Source

T = TypeVar("T")

COFFEE = Category("289754", "Home & Kitchen", "Coffee", "coffee", True)
TEA = Category("3610841", "Home & Kitchen", "Tea", "tea", True)
OPTIONS = RunOptions()


@dataclass(frozen=True, slots=True)
class Booked:
    request_id: int
    duration_ms: int = 5


def products(*asins: str, cents: int = 2000, titled: str = "Product") -> ProductPage:
    """A page of a list with these products."""
    return ProductPage(
        page=1,
        products=tuple(
            Product(asin, f"{titled} {asin}", place, cents, "USD")
            for place, asin in enumerate(asins, 1)
        ),
    )


def sellers_page(*names: str, has_more: bool = False) -> SearchPage:
    """A page of a search on which each of these names has a listing; twice named, two."""
    cards = tuple(
        Card(str(number), f"Listing {number}", "exact", Seller(name, 99.5, 100))
        for number, name in enumerate(names)
    )
    return SearchPage(cards=cards, has_more=has_more, null_search=False)


class Store:
    """A database, and what the tests of the store do with it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.engine = database.engine()
        self._owners = ExitStack()

    def __call__(self, function: Callable[[Connection], T]) -> T:
        """Run a function in a transaction."""
        with self.engine.begin() as conn:
            return function(conn)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """The rows of a query."""
        return self(lambda c: list(c.execute(text(statement), values)))

    def value(self, statement: str, **values: Any) -> Any:
        """The one value of a query."""
        return self(lambda c: c.execute(text(statement), values).scalar_one())

    def create(
        self,
        *categories: Category,
        budget: int | None = None,
        options: RunOptions = OPTIONS,
        name: str = "Coffee",
        source: Source = Source.SANDBOX,
        day: int = 0,
    ) -> UUID:
        """A pending run, of the sandbox by default."""
        return self(
            lambda c: runs.create(
                c,
                name=name,
                categories=categories or (COFFEE,),
                options=options,
                source=source,
                budget=budget,
                sandbox_day=day if source is Source.SANDBOX else None,
            )
        )

    def new_owner(self) -> tuple[int, psycopg.Connection[Any]]:
        """A fresh owner id and the session that holds its lock: the owner lives until it ends."""
        session = psycopg.connect(self.database.conninfo(), autocommit=True)
        self._owners.callback(session.close)
        row = session.execute("SELECT nextval('collection_owner_ids')").fetchone()
        owner_id = int(row[0]) if row else 0
        session.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, owner_id))
        return owner_id, session

    def running(self, *categories: Category, **given: Any) -> tuple[UUID, int]:
        """A run that a living owner has taken over, and that owner's id."""
        run_id = self.create(*categories, **given)
        owner_id, _ = self.new_owner()
        self(lambda c: moves.take_over(c, run_id, owner_id=owner_id))
        return run_id, owner_id

    def claim(self, run_id: UUID, owner_id: int, limit: int = 10) -> list[Item]:
        """Claim in a transaction of its own."""
        return self(lambda c: items.claim(c, run_id, owner_id=owner_id, limit=limit))

    def reserve(self, item: Item, owner_id: int) -> Booked:
        """Reserve a request for an item."""
        reserved = self(lambda c: requests.reserve_request(c, item, owner_id=owner_id))
        assert reserved.request_id is not None
        return Booked(reserved.request_id)

    def settle(
        self,
        item: Item,
        owner_id: int,
        page: ProductPage | SearchPage,
        *,
        booked: Booked | None = None,
        options: RunOptions = OPTIONS,
    ) -> Settled | None:
        """Settle an item with what a page brought, its request reserved before."""
        booking = booked or self.reserve(item, owner_id)
        settle: Callable[..., Settled | None] = (
            settle_list if isinstance(page, ProductPage) else settle_search
        )
        return self(
            lambda c: settle(c, item, page, booking=booking, owner_id=owner_id, options=options)
        )

    def searching(self, *asins: str, **given: Any) -> tuple[UUID, int, list[Item]]:
        """A run whose list is settled, its owner, and its searches, claimed."""
        options = given.setdefault("options", RunOptions(pages_per_list=1))
        run_id, owner_id = self.running(**given)
        (page,) = self.claim(run_id, owner_id)
        self.settle(page, owner_id, products(*asins), options=options)
        return run_id, owner_id, self.claim(run_id, owner_id, 100)

    def statuses(self, run_id: UUID) -> dict[str, str]:
        """Each item of a run by its key, with its status."""
        return {
            row.key: row.status
            for row in self.rows(
                "SELECT key, status FROM collection_items WHERE run_id = :id ORDER BY id", id=run_id
            )
        }

    def run(self, run_id: UUID) -> Any:
        """The run's row."""
        return self(lambda c: runs.get(c, run_id))

    def close(self) -> None:
        """End every owner."""
        self._owners.close()


@contextmanager
def opened_store(database: Database) -> Iterator[Store]:
    """A store whose owners end with the block."""
    store = Store(database)
    # As if an answer had told: whoever reserves here waits for no slot.
    store(lambda c: pace.learn(c, 0))
    try:
        yield store
    finally:
        store.close()
