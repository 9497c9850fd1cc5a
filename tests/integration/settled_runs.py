"""Runs without a network: their items are claimed, reserved and settled as a run's workers do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from collector import catalogue
from collector.database import Database
from collector.models import Item, Product, ProductPage, RunOptions, Seller, Settled
from collector.settling import settle_list, settle_search
from collector.sources.ebay import Card, SearchPage
from collector.store import items, moves, pace, requests, runs
from collector.words import RunStatus, Source

LIST = "284507"
OPTIONS = RunOptions(pages_per_list=1, pages_per_search=1)


@dataclass(frozen=True)
class Booked:
    request_id: int
    duration_ms: int = 5


def page_of(names: Iterable[str]) -> SearchPage:
    """A page of results with a card of each of these sellers."""
    cards = tuple(
        Card(
            listing_id=str(number),
            title="A thing",
            match="exact",
            seller=Seller(username=name, feedback_percent=99.0, feedback_count=10),
        )
        for number, name in enumerate(names)
    )
    return SearchPage(cards=cards, has_more=False, null_search=False)


class SettledRun:
    """A run that is under way; its list holds these products."""

    def __init__(
        self, database: Database, asins: Iterable[str], *, budget: int | None = None
    ) -> None:
        self._database = database
        with database.engine().begin() as conn:
            self.id: UUID = runs.create(
                conn,
                name="settled",
                categories=catalogue.shipped().find(LIST)[:1],
                options=OPTIONS,
                source=Source.SANDBOX,
                budget=budget,
                sandbox_day=0,
            )
            self.owner_id = int(
                conn.execute(text("SELECT nextval('collection_owner_ids')")).scalar_one()
            )
            moves.take_over(conn, self.id, owner_id=self.owner_id)
        self._waiting: dict[str, Item] = {}
        (listed,) = self.claim()
        products = tuple(
            Product(asin, f"Thing {asin}", place, 1000, "USD")
            for place, asin in enumerate(asins, start=1)
        )
        with database.engine().begin() as conn:
            settle_list(
                conn,
                listed,
                ProductPage(page=1, products=products),
                booking=self.book(conn, listed),
                owner_id=self.owner_id,
                options=OPTIONS,
            )
        self._waiting = {item.asin or "": item for item in self.claim()}

    @property
    def waiting(self) -> list[str]:
        """The products that are not searched yet."""
        return sorted(self._waiting)

    def claim(self) -> list[Item]:
        with self._database.engine().begin() as conn:
            return items.claim(conn, self.id, owner_id=self.owner_id, limit=100)

    def book(self, conn: Connection, item: Item) -> Booked:
        # As if an answer had told: nothing is to be waited for.
        pace.learn(conn, 0)
        reserved = requests.reserve_request(conn, item, owner_id=self.owner_id)
        assert reserved.request_id is not None
        return Booked(reserved.request_id)

    def reserve(self, asin: str) -> Booked:
        """Reserve a request in a transaction of its own, before it leaves."""
        with self._database.engine().begin() as conn:
            return self.book(conn, self._waiting[asin])

    def settle(
        self, conn: Connection, asin: str, names: Iterable[str], booked: Booked
    ) -> Settled | None:
        """Settle a product's search in the caller's transaction."""
        return settle_search(
            conn,
            self._waiting[asin],
            page_of(names),
            booking=booked,
            owner_id=self.owner_id,
            options=OPTIONS,
        )

    def search(self, asin: str, names: Iterable[str]) -> Settled:
        """Search a product and see these sellers."""
        booked = self.reserve(asin)
        while True:
            try:
                with self._database.engine().begin() as conn:
                    settled = self.settle(conn, asin, names, booked)
                break
            except OperationalError as exc:
                # As `Transactions` does: whom a deadlock with an edit killed, tries again.
                if getattr(exc.orig, "sqlstate", None) != "40P01":
                    raise
        del self._waiting[asin]
        assert settled is not None
        return settled

    def taken_over(self) -> SettledRun:
        """The owner dies and another goes on; returns what the dead one believes it still has."""
        dead = copy(self)
        with self._database.engine().begin() as conn:
            self.owner_id = int(
                conn.execute(text("SELECT nextval('collection_owner_ids')")).scalar_one()
            )
            moves.take_over(conn, self.id, owner_id=self.owner_id)
        self._waiting = {item.asin or "": item for item in self.claim()}
        return dead

    def end(self, status: RunStatus = RunStatus.COMPLETED) -> UUID:
        with self._database.engine().begin() as conn:
            moves.move(conn, self.id, status, owner_id=self.owner_id)
        return self.id


def run_that_saw(database: Database, searches: Mapping[str, Iterable[str]]) -> UUID:
    """A whole run: by product, the sellers it saw."""
    run = SettledRun(database, searches)
    for asin, names in searches.items():
        run.search(asin, names)
    return run.end()
