"""What an item costs where the upstream costs no time: 1 MB pages, everything else real.

A run made of searches goes through the sandbox's process, httpx, the parser and PostgreSQL, with
5, 20, 50 and 100 workers, each in a process of its own. Beside the collector's own CPU stands what
the sandbox and PostgreSQL took meanwhile: on a machine with few processors they share them. The
last row is paced: about 20 pages a second by five workers, as far from full load as a plan is.

Loop lag is how late a tick of the run's own loop comes, every 10 ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any
from uuid import UUID

from measured import desk_of_its_own, is_quick, keep, print_table
from measured.loop_lag import LoopLag
from measured.processes import cpu_s, family_cpu_s, in_a_process, peak_mb, task_given
from measured.runs import (
    LIST_LENGTH,
    database_at,
    latencies_s,
    run_of_searches,
    sandbox_log,
    service_over,
    url_of,
)

from collector.embedded import server_status
from collector.sandbox.process import SandboxProcess

PAGE_KB = 1024
ITEMS = 100 if is_quick() else 600
WORKERS = (5, 100) if is_quick() else (5, 20, 50, 100)
# Five workers, and some 50 ms an item beside the latency: 20 pages a second.
PACED_LATENCY_S = 0.2
AIMED_LAG_MS = 20


async def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Work on the run, here: the seconds, the CPU of all three, the lag of this loop."""
    database = database_at(task["database"])
    service = service_over(database, upstream_url=task["url"])
    lag = LoopLag()
    sandbox_cpu, server_cpu = cpu_s(task["sandbox_pid"]), family_cpu_s(task["server_pid"])
    async with lag.watched():
        cpu, began = time.process_time(), time.perf_counter()
        progress = await service.start(UUID(task["run"]))[1]
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    sandbox_cpu = cpu_s(task["sandbox_pid"]) - sandbox_cpu
    server_cpu = family_cpu_s(task["server_pid"]) - server_cpu
    await service.close()
    assert progress.products_searched == task["items"], progress
    return {
        "seconds": seconds,
        "items_per_s": task["items"] / seconds,
        "cpu_ms": 1000 * cpu / task["items"],
        "sandbox_cpu_ms": 1000 * sandbox_cpu / task["items"],
        "server_cpu_ms": 1000 * server_cpu / task["items"],
        "lag_p50_ms": lag.at(0.5),
        "lag_p99_ms": lag.at(0.99),
        "peak_mb": peak_mb(),
    }


def one(workers: int, *, latency_s: float = 0.0) -> dict[str, Any]:
    """One row: a fresh PostgreSQL, sandbox and process."""
    options: dict[str, object] = {"list-length": LIST_LENGTH, "page-kb": PAGE_KB, "page-cap": 60}
    with (
        desk_of_its_own() as (settings, database),
        SandboxProcess(latency_s=latency_s, day=0, options=options) as sandbox,
    ):
        task = {
            "database": url_of(database),
            "url": sandbox.url,
            "run": str(run_of_searches(database, ITEMS, workers=workers)),
            "items": ITEMS,
            "sandbox_pid": sandbox.pid,
            "server_pid": server_status(settings.collector_home).pid,
        }
        found = in_a_process(__file__, task)
        found["latencies_s"] = latencies_s(sandbox_log(sandbox.base_url))
    return {"workers": workers, "latency_s": latency_s, **found}


def main() -> int:
    """Print the table."""
    if task := task_given():
        print(json.dumps(asyncio.run(measure(task))))
        return 0
    rows = [one(workers) for workers in WORKERS]
    rows.append(one(5, latency_s=PACED_LATENCY_S))
    heads = ["workers", "items/s", "CPU ms", "sandbox's", "PostgreSQL's", "lag p50 ms", "p99 ms"]
    print_table(
        [*heads, "peak MB"],
        [
            [
                f"{row['workers']}, paced" if row["latency_s"] else f"{row['workers']}",
                *(
                    round(row[name], 1)
                    for name in ("items_per_s", "cpu_ms", "sandbox_cpu_ms", "server_cpu_ms")
                ),
                *(round(row[name], 1) for name in ("lag_p50_ms", "lag_p99_ms")),
                round(row["peak_mb"]),
            ]
            for row in rows
        ],
    )
    paced = rows[-1]["lag_p99_ms"]
    print(f"CPU is for each item. Lag p99 of the paced run: {paced:.1f} ms (aim: {AIMED_LAG_MS}).")
    keep("overhead", {"items": ITEMS, "page_kb": PAGE_KB, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
