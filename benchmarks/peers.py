"""The same searches by the collector, by Scrapy and by Crawlee: time, CPU, memory, what is found.

So many search pages of about 1 MB from the sandbox, five in flight: a POST with basic auth to the
Oxylabs-speaking endpoint, the sellers read out of the page in its answer, and stored in PostgreSQL.
Each peer is written as its documentation would have it, in a process of its own, and must find the
same sellers. The collector stands there twice: as a whole run, which also claims, reserves, audits
and tells, and with its client and parser alone. Scrapy and Crawlee come with `.[bench]`.

Ideal is the sum of the sandbox's latencies, by its own log, over five.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from measured import desk_of_its_own, is_quick, keep, print_table
from measured.peer_work import TABLE
from measured.processes import in_a_process
from measured.runs import (
    LIST_LENGTH,
    latencies_s,
    market_products,
    run_of_searches,
    sandbox_log,
    url_of,
)

from collector.models import Product, RunOptions
from collector.sandbox.process import SandboxProcess
from collector.settling import price_window
from collector.sources import ebay

PAGES = 40 if is_quick() else 200
ROUNDS = 1 if is_quick() else 3
WORKERS = 5
PAGE_KB = 1024
LATENCY_S = 0.3
HERE = Path(__file__).resolve().parent / "measured"
PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "collector, a whole run": ("by_collector.py", {}),
    "collector, client and parser alone": ("by_collector.py", {"alone": True}),
    "Scrapy": ("by_scrapy.py", {}),
    "Crawlee": ("by_crawlee.py", {}),
}


def payload(product: Product) -> dict[str, Any]:
    """What a run asks for one product."""
    options = RunOptions()
    low, high = price_window(product.price_cents or 0, options)
    return ebay.search_payload(
        words=ebay.search_words(product.title),
        price_from_cents=low,
        price_to_cents=high,
        page=1,
        results_per_page=options.results_per_page,
    )


def one(peer: str) -> dict[str, Any]:
    """One peer at work, over a fresh PostgreSQL and a fresh sandbox."""
    script, extra = PEERS[peer]
    options: dict[str, object] = {"list-length": LIST_LENGTH, "page-kb": PAGE_KB, "page-cap": 60}
    with (
        desk_of_its_own() as (_, database),
        SandboxProcess(latency_s=LATENCY_S, day=0, options=options) as sandbox,
        psycopg.connect(database.conninfo(), autocommit=True) as connection,
    ):
        connection.execute(TABLE)
        task = {
            "url": sandbox.url,
            "username": "sandbox",
            "password": "sandbox",
            "database": url_of(database),
            "conninfo": database.conninfo(),
            "run": str(run_of_searches(database, PAGES, workers=WORKERS)),
            "payloads": [payload(product) for product in market_products(PAGES)],
            "workers": WORKERS,
            **extra,
        }
        found = in_a_process(HERE / script, task)
        log = sandbox_log(sandbox.base_url)
        assert len(log) == PAGES, f"{peer} sent {len(log)} requests"
        table, name = (
            ("sellers", "normalized_name")
            if peer == "collector, a whole run"
            else ("peer_sellers", "name")
        )
        names = connection.execute(f"SELECT {name} FROM {table}").fetchall()
    ideal = latencies_s(log) / WORKERS
    return {
        **found,
        "ideal": ideal,
        "ratio": found["seconds"] / ideal,
        "cpu_ms": 1000 * found["cpu_s"] / PAGES,
        "sellers": sorted(row[0] for row in names),
    }


def median(rows: Sequence[dict[str, Any]], name: str) -> float:
    """The middle one of a figure."""
    return statistics.median(row[name] for row in rows)


def main() -> int:
    """Print the table."""
    rounds: dict[str, list[dict[str, Any]]] = {peer: [] for peer in PEERS}
    # In turns: what else the machine does meanwhile falls upon all of them.
    for _ in range(ROUNDS):
        for peer, rows in rounds.items():
            rows.append(one(peer))
    found = {tuple(row["sellers"]) for rows in rounds.values() for row in rows}
    assert len(found) == 1, {peer: len(rows[0]["sellers"]) for peer, rows in rounds.items()}
    (sellers,) = found
    assert sellers
    for rows in rounds.values():
        for row in rows:
            row["sellers"] = len(row["sellers"])
    print_table(
        ["peer", "seconds", "wall / ideal", "CPU ms a page", "peak MB", "sellers"],
        [
            [
                peer,
                round(median(rows, "seconds"), 1),
                round(median(rows, "ratio"), 2),
                round(median(rows, "cpu_ms"), 1),
                round(median(rows, "peak_mb")),
                len(sellers),
            ]
            for peer, rows in rounds.items()
        ],
    )
    print(f"{PAGES} pages, {LATENCY_S:g} s each; medians of {ROUNDS}; all found the same sellers.")
    keep("peers", {"pages": PAGES, "latency_s": LATENCY_S, "rounds": rounds})
    return 0


if __name__ == "__main__":
    sys.exit(main())
