"""Runs as the benchmarks need them: over invented categories, or made of searches alone."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from collector.collection import CollectionService
from collector.connections import Database, parse_url
from collector.models import Category, Product, ProductPage, RunOptions
from collector.sandbox.categories import department_of
from collector.sandbox.market import Market
from collector.settings import Settings
from collector.settling import settle_list
from collector.store import items, moves, pace, requests, runs
from collector.upstream import Upstream
from collector.words import Source

SEED = 1
LIST_LENGTH = 100
# Never drawn for a living owner: the sequence begins at 1.
NOBODY = 0


def categories(count: int) -> list[Category]:
    """So many best-seller lists that the catalogue does not know; the sandbox has any."""
    return [Category(f"{1000 + n}", "Lists", f"{n}", "", True) for n in range(count)]


def database_at(url: str) -> Database:
    """A database by the address that `url_of` gave, in another process."""
    return Database(url=parse_url(url), is_embedded=False)


def url_of(database: Database) -> str:
    """The address of a database, for another process."""
    return database.url.render_as_string(hide_password=False)


def service_over(database: Database, *, upstream_url: str) -> CollectionService:
    """A service whose requests go to that sandbox."""
    settings = Settings.model_validate(
        {
            "database_url": None,
            "oxylabs_username": None,
            "oxylabs_password": None,
            "oxylabs_url": upstream_url,
        }
    )
    return CollectionService(database, connect=Upstream(settings).connect, source=Source.SANDBOX)


def market_products(count: int) -> list[Product]:
    """So many products of the sandbox's market (`SEED`, `LIST_LENGTH`) that can be searched."""
    market = Market(SEED, list_length=LIST_LENGTH, department_of=department_of)
    found: dict[str, Product] = {}
    for category in categories(1 + count // (LIST_LENGTH // 2)):
        for listed in market.best_sellers(category.node_id, day=0):
            if listed.price_cents is not None:
                product = partial(Product, listed.asin, listed.title, len(found) + 1)
                found.setdefault(listed.asin, product(listed.price_cents, "USD"))
    return list(found.values())[:count]


def run_of_searches(
    database: Database, count: int, *, workers: int, plan_is_known: bool = True
) -> UUID:
    """A run whose one list has been settled already: so many searches are left, each of one page.

    It goes through the store as any run does, and belongs to an owner who is dead. One request
    has been spent on the list. `plan_is_known`: an earlier answer told that nothing is to be
    waited for; otherwise the run begins as a first one does, and learns.
    """
    options = RunOptions(workers=workers, pages_per_list=1, pages_per_search=1)
    page = ProductPage(page=1, products=tuple(market_products(count)))
    with database.engine().begin() as conn:
        run_id = runs.create(
            conn,
            name="searches",
            categories=categories(1),
            options=options,
            source=Source.SANDBOX,
            budget=None,
            sandbox_day=0,
        )
        moves.take_over(conn, run_id, owner_id=NOBODY)
        (item,) = items.claim(conn, run_id, owner_id=NOBODY, limit=1)
        if plan_is_known:
            pace.learn(conn, 0)
        reserved = requests.reserve_request(conn, item, owner_id=NOBODY)
        assert reserved.request_id is not None
        booking = Booking(reserved.request_id)
        settle_list(conn, item, page, booking=booking, owner_id=NOBODY, options=options)
    return run_id


@dataclass(frozen=True)
class Booking:
    """A reserved request whose answer has come."""

    request_id: int
    duration_ms: int = 1


def sandbox_log(base_url: str) -> list[dict[str, Any]]:
    """What the sandbox was asked, oldest first."""
    with urllib.request.urlopen(f"{base_url}/_sandbox/requests", timeout=60) as answer:  # noqa: S310
        told: list[dict[str, Any]] = json.load(answer)
    return told


def latencies_s(log: list[dict[str, Any]]) -> float:
    """The sum of the sandbox's latencies, by its own account."""
    return sum(entry["ended_at"] - entry["began_at"] for entry in log if entry["ended_at"])
