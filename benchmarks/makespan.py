"""A realistic run against the ideal: the sum of all latencies, by the sandbox's log, over five.

Twenty categories, about a thousand products, up to three pages a search; log-normal latencies; with
and without one request in ten meeting a fault that is retried. Pipelined as built, and with a
barrier between the phases: no search is claimed before the last best-seller list is settled.

Where the time beside the latencies goes is read from the same log. While the API asks to wait
nobody sends anything; at the end there is less left to do than workers are; the rest is what each
request costs besides: claim, reservation, reading, settling. Items to be tried again wait aside.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from measured import desk_of_its_own, is_quick, keep, print_table
from measured.runs import categories, latencies_s, sandbox_log, service_over
from sqlalchemy import text

from collector.models import RunOptions
from collector.sandbox.process import SandboxProcess
from collector.store import items

WORKERS = 5
LISTS = 4 if is_quick() else 20
LIST_LENGTH = 20 if is_quick() else 62
LATENCY_S = 0.2 if is_quick() else 0.5
# One in ten, of kinds that are retried; 429 is the one that makes all workers wait.
FAULTS = "429=0.01,500=0.03,612=0.02,cut=0.02,half=0.01,wall=0.01"
REAL_LATENCIES_S = (3, 5, 10)
AIMED_RATIO = 1.03

_OPEN_TO_ALL = "WHERE run_id = :run_id AND status = 'pending'"
_LISTS_FIRST = """
    AND (kind = 'best_sellers' OR NOT EXISTS (
        SELECT FROM collection_items WHERE run_id = :run_id AND kind = 'best_sellers'
                                       AND status IN ('pending', 'running')))"""


@contextmanager
def barrier() -> Iterator[None]:
    """Claims without searches while a best-seller list is pending or under way."""
    as_built = items._CLAIM
    assert as_built.text.count(_OPEN_TO_ALL) == 1
    items._CLAIM = text(as_built.text.replace(_OPEN_TO_ALL, _OPEN_TO_ALL + _LISTS_FIRST))
    try:
        yield
    finally:
        items._CLAIM = as_built


async def measure(*, faults: str) -> dict[str, Any]:
    """One run over a fresh PostgreSQL and a fresh sandbox."""
    with (
        desk_of_its_own() as (_, database),
        SandboxProcess(
            latency_s=LATENCY_S, day=0, faults=faults, options={"list-length": LIST_LENGTH}
        ) as sandbox,
    ):
        service = service_over(database, upstream_url=sandbox.url)
        run_id = await service.create(categories(LISTS), options=RunOptions(workers=WORKERS))
        began = time.perf_counter()
        progress = await service.start(run_id)[1]
        makespan = time.perf_counter() - began
        await service.close()
        log = sandbox_log(sandbox.base_url)
        with database.engine().connect() as conn:
            entries = conn.execute(
                text(
                    "SELECT extract(epoch FROM created_at) AS at, entry->'params' AS params "
                    "FROM activity_log WHERE run_id = :run_id AND entry->'params' ?| "
                    "array['delay_s', 'wait_s'] ORDER BY id"
                ),
                {"run_id": run_id},
            ).all()
    assert progress.status == "completed", progress
    retries = sum(row.params.get("delay_s", 0) for row in entries)
    holds = [(float(row.at), row.params["wait_s"]) for row in entries if "wait_s" in row.params]
    idle_held = idle_s(log, union([(at, at + wait) for at, wait in holds]))
    last_began = max(entry["began_at"] for entry in log)
    ended = max(entry["ended_at"] for entry in log)
    tail = idle_s(log, [(last_began, ended)])
    ideal = latencies_s(log) / WORKERS
    rest = WORKERS * (makespan - ideal) - idle_held - tail
    return {
        "products": progress.products_searched,
        "failed_items": progress.failed_items,
        "requests": len(log),
        "faults": sum(entry["fault"] is not None for entry in log),
        "latencies_s": latencies_s(log),
        "ideal_s": ideal,
        "makespan_s": makespan,
        "ratio": makespan / ideal,
        "waited_aside_s": retries,
        "held_s": idle_held / WORKERS,
        "tail_s": tail / WORKERS,
        "rest_ms": 1000 * rest / len(log),
    }


def union(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same time without anything twice."""
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def idle_s(log: Sequence[dict[str, Any]], spans: Sequence[tuple[float, float]]) -> float:
    """Worker-seconds within these spans in which no request was with the sandbox."""
    idle = 0.0
    for begin, end in spans:
        busy = sum(
            max(0.0, min(entry["ended_at"], end) - max(entry["began_at"], begin)) for entry in log
        )
        idle += WORKERS * (end - begin) - busy
    return idle


def main() -> int:
    """Print the table."""
    rows: dict[str, dict[str, Any]] = {}
    for faults, name in (("", "no faults"), (FAULTS, "10 % faults")):
        rows[f"{name}, pipelined"] = asyncio.run(measure(faults=faults))
        with barrier():
            rows[f"{name}, barrier"] = asyncio.run(measure(faults=faults))
    heads = ["run", "requests", "latencies s", "ideal s", "makespan s", "ratio"]
    print_table(
        [*heads, "waited aside s", "held s", "tail s", "rest ms a request"],
        [
            [
                name,
                row["requests"],
                *(round(row[figure], 1) for figure in ("latencies_s", "ideal_s", "makespan_s")),
                round(row["ratio"], 3),
                *(round(row[figure], 1) for figure in ("waited_aside_s", "held_s", "tail_s")),
                round(row["rest_ms"], 1),
            ]
            for name, row in rows.items()
        ],
    )
    clean, faulty = rows["no faults, pipelined"], rows["10 % faults, pipelined"]
    print(
        f"{clean['products']:,} products; held and tail are of the makespan (aim: {AIMED_RATIO})."
    )
    for latency in REAL_LATENCIES_S:
        print(
            f"At {latency} s a request the same costs make {at_latency(clean, latency):.3f} "
            f"without faults, {at_latency(faulty, latency):.3f} with them."
        )
    keep("makespan", {"latency_s": LATENCY_S, "faults": FAULTS, "runs": rows})
    return 0


def at_latency(row: dict[str, Any], latency_s: float) -> float:
    """The ratio where a request takes so long; the tail grows with it, all else stays."""
    ideal = latency_s * row["requests"] / WORKERS
    tail = row["tail_s"] * latency_s / (row["latencies_s"] / row["requests"])
    fixed = row["rest_ms"] / 1000 * row["requests"] / WORKERS
    return 1 + (fixed + row["held_s"] + tail) / ideal


if __name__ == "__main__":
    sys.exit(main())
