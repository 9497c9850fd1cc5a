"""Cost per item with 10^3 to 10^6 sellers on the list, and with 10^3 to 10^6 items in the run.

Each size has a database of its own, filled by `generate_series`, vacuumed and analysed. Batches of
items go the way that a run's items go (claim, reservation, settling, and a look at the progress),
through the store's own functions in `Transactions`; no upstream, no parsing. The sizes take turns
batch by batch, so that whatever else the machine does falls on all of them; medians are taken.

Each search settled names 20 sellers of the list, drawn at random, and two that are new to it. The
run has seen all sellers of the list before, whatever their number.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from measured import desk_of_its_own, is_quick, keep, print_table
from measured.processes import running_s
from measured.runs import NOBODY, Booking, categories
from sqlalchemy import Connection, text

from collector.database import Database
from collector.models import Item, RunOptions, Seller
from collector.settling import settle_search
from collector.sources.ebay import Card, SearchPage
from collector.store import items, moves, pace, progress, requests, runs
from collector.transactions import Transactions
from collector.words import Source

FEWEST = 1_000
SIZES = (1_000, 10_000) if is_quick() else (1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 6 if is_quick() else 30
BATCH = 10
KNOWN, NEW = 20, 2
OPTIONS = RunOptions(pages_per_search=1)
ALLOWED_PER_TENFOLD = 1.10
STEPS = ("claim", "reserve", "settle", "progress")

# The tables' triggers check references row by row: what is written here needs no check.
_FILL = (
    "SET session_replication_role = replica",
    """
    INSERT INTO sellers (normalized_name, display_name, feedback_percent, feedback_count,
                         first_seen_at, last_seen_at, first_run_id, last_run_id, times_seen)
    SELECT 'seller_' || n, 'Seller_' || n, 90 + n % 100 / 10.0, n % 50000,
           timestamptz '2026-01-01' + n * interval '1 second',
           timestamptz '2026-10-01' + n * interval '1 second', '{run}', '{run}', 1
    FROM generate_series(1, {sellers}) n
    """,
    """
    INSERT INTO seller_audit_log (id, created_at, action, source, actor, affected_count,
                                  seller_count_snapshot)
    SELECT n, timestamptz '2026-01-01' + n * interval '1 minute', 'add', 'import', 'ana', 10, 10 * n
    FROM generate_series(1, {sellers} / 10) n
    """,
    """
    INSERT INTO seller_audit_changes (audit_id, seller_id, change, new_name)
    SELECT 1 + (n - 1) / 10, n, 'added', 'Seller_' || n FROM generate_series(1, {sellers}) n
    """,
    "UPDATE seller_counter SET seller_count = {sellers}, last_audit_id = {sellers} / 10",
    """
    INSERT INTO products (asin, title, first_seen_at, last_seen_at)
    SELECT 'B' || lpad(n::text, 9, '0'), 'Wireless earbuds number ' || n, now(), now()
    FROM generate_series(1, {items}) n
    """,
    # A tenth of the items, or as many as the batches need, is left to do, in no order; the others
    # are done, with their requests and sightings. (7919 is prime to every size.)
    """
    INSERT INTO collection_items (run_id, kind, key, priority, page, node_id, category, asin, title,
                                  price_from_cents, price_to_cents, status, attempts, results,
                                  sellers, sellers_new, has_more, duration_ms, settled_at)
    SELECT '{run}', 'seller_search', 'B' || lpad(n::text, 9, '0') || ':1', n % 1000, 1, '1000',
           'Lists', 'B' || lpad(n::text, 9, '0'), 'Wireless earbuds number ' || n, 1800, 2200,
           CASE WHEN is_left THEN 'pending' ELSE 'done' END, CASE WHEN is_left THEN 0 ELSE 1 END,
           24, 2, 0, false, 5000, CASE WHEN NOT is_left THEN now() END
    FROM generate_series(1, {items}) n,
         LATERAL (SELECT n::bigint * 7919 % {items} < {left} AS is_left) s
    """,
    """
    INSERT INTO collection_requests (run_id, item_id, attempt, finished_at, outcome, billed,
                                     duration_ms)
    SELECT run_id, id, 1, now(), 'ok', true, 5000 FROM collection_items WHERE status = 'done'
    """,
    """
    INSERT INTO seller_sightings (run_id, asin, seller_id, listings, seen_at)
    SELECT i.run_id, i.asin, 1 + (i.id * 7919 + k * 31) % {sellers}, 1, now()
    FROM collection_items i, generate_series(0, 1) k WHERE i.status = 'done'
    """,
    # The run has seen all of them, however many: a page's sellers are then the same work.
    """
    INSERT INTO run_sellers (run_id, seller_id, is_new)
    SELECT '{run}', id, false FROM sellers
    """,
    """
    UPDATE collection_runs SET lists_done = lists_total, products_total = {items},
        (requests, requests_billed, products_searched) = (SELECT count(*), count(*), count(*)
            FROM collection_items WHERE status = 'done'),
        sellers_found = (SELECT count(*) FROM run_sellers)
    """,
)

T = TypeVar("T")


@dataclass
class Desk:
    """One size: its database, its run, and what its batches took."""

    database: Database
    sellers: int
    run_id: UUID
    transactions: Transactions
    wall_ms: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})
    cpu_ms: list[float] = field(default_factory=list)
    server_cpu_ms: list[float] = field(default_factory=list)
    fresh: int = 0

    async def timed(self, step: str, function: Callable[[Connection], T], *, each: int = 1) -> T:
        """Run a step in a transaction of its own and keep how long it took."""
        began = time.perf_counter()
        found = await self.transactions.run(function)
        self.wall_ms[step].append((time.perf_counter() - began) * 1000 / each)
        return found

    async def batch(self, chance: random.Random) -> None:
        """Claim a batch and see it through."""
        # No second connection is ever needed: it is the same session all along.
        session = await self.transactions.run(_session)
        session_cpu, cpu = running_s(session), time.process_time()
        claimed = await self.timed(
            "claim",
            lambda c: items.claim(c, self.run_id, owner_id=NOBODY, limit=BATCH),
            each=BATCH,
        )
        assert len(claimed) == BATCH
        for item in claimed:
            await self.see_through(item, self.page(chance))
        self.cpu_ms.append((time.process_time() - cpu) * 1000 / BATCH)
        self.server_cpu_ms.append((running_s(session) - session_cpu) * 1000 / BATCH)
        for _ in range(BATCH):
            # Of a run, not of an item: twice a second.
            await self.timed("progress", lambda c: progress.read(c, self.run_id))

    async def see_through(self, item: Item, page: SearchPage) -> None:
        """Reserve a request, and settle the item with that page."""
        reserved = await self.timed(
            "reserve", lambda c: requests.reserve_request(c, item, owner_id=NOBODY)
        )
        assert reserved.request_id is not None, "held"
        booking = Booking(reserved.request_id)
        settled = await self.timed(
            "settle",
            lambda c: settle_search(
                c,
                item,
                page,
                booking=booking,
                owner_id=NOBODY,
                options=OPTIONS,
            ),
        )
        assert settled is not None
        assert settled.sellers_new == NEW

    def page(self, chance: random.Random) -> SearchPage:
        """A page of cards by sellers of the list, and by some who are new to it."""
        known = chance.sample(range(1, self.sellers + 1), KNOWN)
        names = [f"Seller_{n}" for n in known]
        names += [f"Newcomer_{self.fresh + n}" for n in range(NEW)]
        self.fresh += NEW
        cards = tuple(
            Card(str(number), "Wireless earbuds", "exact", Seller(name, 99.1, 120))
            for number, name in enumerate(names)
        )
        return SearchPage(cards=cards, has_more=False, null_search=False)


def _session(conn: Connection) -> int:
    return int(conn.execute(text("SELECT pg_backend_pid()")).scalar_one())


def filled(template: Database, name: str, *, sellers: int, count: int) -> Desk:
    """A database of that size."""
    with psycopg.connect(template.named("postgres").conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template.name}".encode())
    database = template.named(name)
    with database.engine().begin() as conn:
        run_id = runs.create(
            conn,
            name=name,
            categories=categories(1),
            options=OPTIONS,
            source=Source.SANDBOX,
            budget=10**9,
            sandbox_day=0,
        )
        moves.take_over(conn, run_id, owner_id=NOBODY)
        pace.learn(conn, 0)
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        connection.execute(b"DELETE FROM collection_items")
        for statement in _FILL:
            left = max(count // 10, (ROUNDS + 1) * BATCH)
            filling = statement.format(sellers=sellers, items=count, left=left, run=run_id)
            connection.execute(filling.encode())
        connection.execute(b"VACUUM (ANALYZE)")
    transactions = Transactions(database, connections=2)
    return Desk(database, sellers, run_id, transactions)


async def take_turns(desks: list[Desk]) -> None:
    """Batches of all sizes, one after the other; a first one of each is not counted."""
    chance = random.Random(1)
    for round_ in range(ROUNDS + 1):
        for desk in desks if round_ % 2 else reversed(desks):
            await desk.batch(chance)
        if round_ == 0:
            for desk in desks:
                desk.cpu_ms.clear()
                desk.server_cpu_ms.clear()
                for taken in desk.wall_ms.values():
                    taken.clear()


def figures(desk: Desk) -> dict[str, float]:
    """The medians of a size."""
    found = {f"{step}_ms": statistics.median(desk.wall_ms[step]) for step in STEPS}
    found["item_ms"] = found["claim_ms"] + found["reserve_ms"] + found["settle_ms"]
    found["cpu_ms"] = statistics.median(desk.cpu_ms)
    found["server_cpu_ms"] = statistics.median(desk.server_cpu_ms)
    return found


def measure(axis: str) -> list[dict[str, Any]]:
    """One table's rows: sizes along one axis, the other one at its fewest."""
    with desk_of_its_own() as (_, template):
        template.dispose()
        desks = []
        for size in SIZES:
            sellers, count = (size, FEWEST) if axis == "sellers" else (FEWEST, size)
            name = f"growth_{size}_sandbox"
            desks.append(filled(template, name, sellers=sellers, count=count))
        with psycopg.connect(template.named("postgres").conninfo(), autocommit=True) as connection:
            connection.execute(b"CHECKPOINT")
        asyncio.run(take_turns(desks))
        for desk in desks:
            desk.database.dispose()
    return [{axis: size, **figures(desk)} for size, desk in zip(SIZES, desks, strict=True)]


def main() -> int:
    """Print both tables; 1 where something rises more than allowed."""
    kept: dict[str, Any] = {}
    too_much = []
    for axis in ("sellers", "items"):
        rows = measure(axis)
        names = [name for name in rows[0] if name != axis]
        first, last = rows[0], rows[-1]
        tenfolds = len(SIZES) - 1
        whole = {name: last[name] / first[name] for name in names}
        each = {name: ratio ** (1 / tenfolds) for name, ratio in whole.items()}
        heads = ["claim", "reserve", "settle", "progress", "an item", "CPU", "PostgreSQL's CPU"]
        print_table(
            [axis, *heads],
            [
                *([f"{row[axis]:,}", *(round(row[name], 2) for name in names)] for row in rows),
                ["last / first", *(round(whole[name], 2) for name in names)],
                ["per tenfold", *(round(each[name], 3) for name in names)],
            ],
        )
        print(f"Milliseconds an item, or a look; {ROUNDS * BATCH} items of each size.\n")
        too_much += [f"{name} with {axis}" for name in names if each[name] > ALLOWED_PER_TENFOLD]
        kept[axis] = {"rows": rows, "whole": whole, "per_tenfold": each}
    print(f"Rises by more than {ALLOWED_PER_TENFOLD - 1:.0%} per tenfold:", too_much or "nothing")
    keep("growth", kept)
    return int(bool(too_much))


if __name__ == "__main__":
    sys.exit(main())
