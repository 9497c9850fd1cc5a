"""Runs against a real sandbox and a real PostgreSQL: what the tests of them have in common."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import httpx
from pydantic import SecretStr
from sqlalchemy import text

from collector.catalogue import shipped
from collector.collection import CollectionService
from collector.database import Database
from collector.models import Category
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.upstream import Upstream
from collector.words import Source

# Lists that share products with each other.
NODES = ("289754", "3610841", "2975312011")
SMALL: dict[str, object] = {"list-length": 8}


def categories(nodes: Sequence[str] = NODES) -> list[Category]:
    """The catalogue's categories of these nodes."""
    catalogue = shipped()
    return [catalogue.get(node) for node in nodes]


def sandbox_process(**given: Any) -> SandboxProcess:
    """A small market that answers at once, on day 0 whatever it is asked."""
    options = {**SMALL, **given.pop("options", {})}
    return SandboxProcess(**{"latency_s": 0.0, "day": 0, **given}, options=options)


def through(settings: Settings, sandbox: SandboxProcess, **changes: Any) -> Settings:
    """Settings that lead to a sandbox."""
    return settings.model_copy(update={"oxylabs_url": sandbox.url, **changes})


def truth(sandbox: SandboxProcess, nodes: Sequence[str] = NODES) -> dict[str, Any]:
    """What a run over these lists must find."""
    answer = httpx.get(
        f"{sandbox.base_url}/_sandbox/truth", params={"nodes": ",".join(nodes)}, timeout=30
    )
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def asked(sandbox: SandboxProcess) -> list[dict[str, Any]]:
    """What a sandbox was asked, oldest first."""
    entries: list[dict[str, Any]] = httpx.get(f"{sandbox.base_url}/_sandbox/requests").json()
    return entries


def forget(sandbox: SandboxProcess) -> None:
    """Clear a sandbox's log."""
    httpx.post(f"{sandbox.base_url}/_sandbox/reset").raise_for_status()


def repeated(entries: Sequence[dict[str, Any]]) -> int:
    """How many requests asked for something that had been asked for before."""
    return len(entries) - len({(e["source"], e["query"], e["page"]) for e in entries})


def rows(database: Database, statement: str, **values: Any) -> list[Any]:
    """The rows of a query."""
    with database.engine().begin() as conn:
        return list(conn.execute(text(statement), values))


def value(database: Database, statement: str, **values: Any) -> Any:
    """The one value of a query."""
    return rows(database, statement, **values)[0][0]


def sellers_of(database: Database, run_id: UUID) -> list[str]:
    """The sellers that a run has seen, by normalized name."""
    found = rows(
        database,
        "SELECT s.normalized_name FROM run_sellers r JOIN sellers s ON s.id = r.seller_id "
        "WHERE r.run_id = :id",
        id=run_id,
    )
    return sorted(row[0] for row in found)


def statuses(database: Database, run_id: UUID) -> dict[str, int]:
    """How many items of a run stand where."""
    found = rows(
        database,
        "SELECT status, count(*) FROM collection_items WHERE run_id = :id GROUP BY 1",
        id=run_id,
    )
    return {row[0]: row[1] for row in found}


async def until(condition: Callable[[], Any], *, within_s: float = 15) -> None:
    """Wait on the loop for something that must come to be."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        await asyncio.sleep(0.01)


def wait_until(condition: Callable[[], Any], *, within_s: float = 15) -> None:
    """Wait, blocking, for something that must come to be."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.01)


@asynccontextmanager
async def serving(
    settings: Settings, database: Database, **given: Any
) -> AsyncIterator[CollectionService]:
    """A collection service whose requests go where the settings lead."""
    upstream = Upstream(settings)
    service = CollectionService(database, connect=upstream.connect, source=Source.SANDBOX, **given)
    try:
        yield service
    finally:
        await service.close()
        upstream.close()


OWNER = """
import asyncio, sys
from collector.workbench import Workbench

async def main():
    with Workbench.open() as bench:
        run = bench.launch(sys.argv[1].split(","))
        print(run.id, flush=True)
        while not (await run).status.is_final:
            await asyncio.sleep(0.05)

asyncio.run(main())
"""


def environment(settings: Settings) -> dict[str, str]:
    """The environment that says the same as these settings, for a process of its own."""
    assert isinstance(settings.database_url, SecretStr)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OXYLABS", "COLLECTOR"))}
    return {
        **kept,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "COLLECTOR_HOME": str(settings.collector_home),
        "OXYLABS_URL": settings.oxylabs_url,
    }


@contextmanager
def owner_process(
    settings: Settings, nodes: Sequence[str] = NODES
) -> Iterator[tuple[subprocess.Popen[str], UUID]]:
    """Another process that works on a run of its own, and the run's id."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, ",".join(nodes)],
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline().strip()
        assert line, process.stderr.read()
        yield process, UUID(line)
    finally:
        process.kill()
        process.communicate()
