"""One run by one process and by a Dask cluster: how much faster, and what kills and limits do.

The same searches of half a second each, against the same market: five workers in one process, five
in each of four Dask workers, the same with two of the four killed with -9 a third of the way, and
the same under a plan of 20 jobs a second with a budget of half the requests. Sellers are held
against those of the first row, requests against the sandbox's own log. `--quick` takes a tenth.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from distributed import Client, LocalCluster
from measured import desk_of_its_own, is_quick, keep, print_table
from measured.runs import run_of_searches, sandbox_log, service_over

from collector.collection import CollectionService
from collector.dask_engine import DaskEngine
from collector.database import Database
from collector.engine import Engine
from collector.sandbox.process import SandboxProcess
from collector.store import runs
from collector.words import RunStatus

ITEMS = int(os.environ.get("COLLECTOR_BENCH_ITEMS", "200" if is_quick() else "2000"))
LATENCY_S = 0.5
PROCESSES = 4
AIMED_SPEED_UP = 3.6
PLAN_PER_SECOND = 20


@dataclass(frozen=True)
class Case:
    """One row: who works, what befalls them, what bounds them."""

    name: str
    processes: int | None = None
    killed: int = 0
    budget: int | None = None
    per_second: int = 0


CASES = (
    Case("one process, 5 workers"),
    Case("Dask, 1 x 5", processes=1),
    Case(f"Dask, {PROCESSES} x 5", processes=PROCESSES),
    Case(f"Dask, {PROCESSES} x 5, two killed", processes=PROCESSES, killed=2),
    Case(
        f"Dask, {PROCESSES} x 5, {PLAN_PER_SECOND} jobs/s, budget",
        processes=PROCESSES,
        budget=ITEMS // 2,
        per_second=PLAN_PER_SECOND,
    ),
)


def rows_of(database: Database, query: str, run_id: UUID) -> list[Any]:
    """The rows of a query about a run."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        return connection.execute(query.encode(), {"run": str(run_id)}).fetchall()


async def see_through(
    service: CollectionService, run_id: UUID, engine: Engine | None, befall: Callable[[], None]
) -> float:
    """Work on the run until it is paused or has ended; the seconds from its first request on."""
    execution, task = service.start(run_id, engine=engine)
    began: float | None = None
    while not task.done():
        progress = execution.progress()
        # Not before: a cluster's workers import the package when they are first asked.
        if began is None and progress is not None and progress.requests > 1:
            began = time.perf_counter()
        if progress is not None:
            if progress.products_searched > ITEMS // 3:
                befall()
            if progress.status is RunStatus.PAUSED:
                await execution.rest()
                execution.stop()
                break
        await asyncio.sleep(0.02)
    seconds = time.perf_counter() - (began or time.perf_counter())
    await task
    return seconds


def measure(case: Case) -> dict[str, Any]:
    """One row, over a database and a market of its own."""
    with desk_of_its_own() as (settings, database):
        options: dict[str, object] = {"list-length": 100, "page-cap": 60}
        if case.per_second:
            options["rate-limit"] = case.per_second
        with SandboxProcess(latency_s=LATENCY_S, day=0, options=options) as sandbox:
            run_id = run_of_searches(database, ITEMS, workers=5, plan_is_known=not case.per_second)
            if case.budget:
                with database.engine().begin() as conn:
                    # One went into the list.
                    runs.set_budget(conn, run_id, case.budget + 1)
            service = service_over(database, upstream_url=sandbox.url)
            if case.processes is None:
                seconds = asyncio.run(see_through(service, run_id, None, lambda: None))
            else:
                seconds = by_dask(case, settings.collector_home, database, service, run_id)
            asyncio.run(service.close())
            log = sandbox_log(sandbox.base_url)
        sellers = {
            name
            for (name,) in rows_of(
                database,
                "SELECT normalized_name FROM run_sellers r JOIN sellers s ON s.id = r.seller_id "
                "WHERE run_id = %(run)s",
                run_id,
            )
        }
        twice = rows_of(
            database,
            "SELECT count(*) FROM (SELECT item_id FROM collection_requests "
            "WHERE run_id = %(run)s AND outcome = 'ok' GROUP BY item_id HAVING count(*) > 1) t",
            run_id,
        )[0][0]
    began = sorted(entry["began_at"] for entry in log)
    return {
        "case": case.name,
        "seconds": seconds,
        "sellers": sellers,
        "items done twice": twice,
        "requests": len(log),
        "asked again": len(log) - len({(e["query"], e["page"]) for e in log}),
        "refused (429)": sum(entry["status"] == 429 for entry in log),
        "most in a second": max(
            sum(first <= other < first + 1 for other in began[n : n + 200])
            for n, first in enumerate(began)
        ),
    }


def by_dask(
    case: Case, home: Any, database: Database, service: CollectionService, run_id: UUID
) -> float:
    """The seconds that a cluster of processes takes."""
    env = {"COLLECTOR_HOME": str(home), "DATABASE_URL": "", "OXYLABS_URL": ""}
    left = [case.killed]

    def befall() -> None:
        if left[0]:
            named = rows_of(
                database, "SELECT name FROM run_participants WHERE run_id = %(run)s", run_id
            )
            for (name,) in named[: left[0]]:
                os.kill(int(name.rpartition(":")[2]), signal.SIGKILL)
            left[0] = 0

    with (
        LocalCluster(
            n_workers=case.processes,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=50,
            env=env,
        ) as cluster,
        Client(cluster) as client,
    ):
        return asyncio.run(see_through(service, run_id, DaskEngine(client), befall))


def main() -> int:
    rows = [measure(case) for case in CASES]
    seconds, sellers = rows[0]["seconds"], rows[0]["sellers"]
    for row, case in zip(rows, CASES, strict=True):
        row["times faster"] = round(seconds / row["seconds"], 2)
        row["sellers lost"] = "" if case.budget else len(sellers - row["sellers"])
        row["seconds"] = round(row["seconds"], 1)
        row["sellers"] = len(row["sellers"])
    heads = ["case", "seconds", "times faster", "sellers lost", "items done twice", "requests"]
    heads += ["asked again", "refused (429)", "most in a second"]
    print_table(heads, [[row[head] for head in heads] for row in rows])
    keep("engines", {"items": ITEMS, "latency_s": LATENCY_S, "rows": rows})
    whole, killed, bounded = rows[2], rows[3], rows[4]
    good = (
        whole["times faster"] >= AIMED_SPEED_UP
        and killed["sellers lost"] == killed["items done twice"] == 0
        and bounded["requests"] == CASES[4].budget
        and bounded["refused (429)"] == 0
    )
    return 0 if good or is_quick() else 1


if __name__ == "__main__":
    sys.exit(main())
