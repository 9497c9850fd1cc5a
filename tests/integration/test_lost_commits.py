"""The worst moments: a commit whose answer is lost, a retry as the run ends, a cancelled close."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from collecting import (
    asked,
    categories,
    forget,
    rows,
    sandbox_process,
    sellers_of,
    serving,
    statuses,
    through,
    truth,
    until,
    value,
)
from sqlalchemy import Connection, text

from collector.collection import CollectionService
from collector.database import Database
from collector.errors import DatabaseError
from collector.execution import RunExecution
from collector.models import RunOptions
from collector.runner import RunEnd
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.store import items, runs
from collector.store.ownership import OwnerSession, is_alive
from collector.words import RunStatus, Source

NODES = ("289754",)


@pytest.fixture(scope="module")
def market() -> Iterator[SandboxProcess]:
    with sandbox_process() as process:
        yield process


@pytest.fixture(autouse=True)
def _nothing_asked(market: SandboxProcess) -> None:
    forget(market)


def test_a_run_whose_creation_is_repeated_is_made_once(database: Database) -> None:
    run_id = uuid4()
    for _ in range(2):
        with database.engine().begin() as conn:
            made = runs.create(
                conn,
                name="once",
                categories=categories(NODES),
                options=RunOptions(),
                source=Source.SANDBOX,
                budget=None,
                sandbox_day=0,
                run_id=run_id,
            )
        assert made == run_id
    assert value(database, "SELECT count(*) FROM collection_runs") == 1
    assert value(database, "SELECT count(*) FROM collection_items") == 1


class RetriedAtTheEnd(RunExecution):
    """A run one of whose failed items is put back right after its workers found nothing left."""

    retried = 0

    async def _run_workers(self, *given: Any) -> RunEnd:
        end = await super()._run_workers(*given)
        if self.retried:
            return end

        def put_back(conn: Connection) -> int:
            # Failed and sent again, as if that had come to pass while the workers drained.
            conn.execute(
                text(
                    "UPDATE collection_items SET status = 'failed', error_type = 'timeout' "
                    "WHERE id = (SELECT max(id) FROM collection_items WHERE kind = 'seller_search')"
                )
            )
            # The latest item is the last page of its product.
            conn.execute(
                text("UPDATE collection_runs SET products_searched = products_searched - 1")
            )
            return items.retry_failed(conn, self.run_id)

        self.retried = await self._transactions.run(put_back)
        return end


async def test_a_retry_that_comes_as_the_run_ends_is_not_forgotten(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    """A completed run with items left could be neither resumed nor retried: they would be lost."""
    async with serving(through(settings, market), database) as service:
        run_id = await service.create(categories(NODES))
        execution = RetriedAtTheEnd(
            database,
            run_id,
            stream=service._streams.stream(run_id),
            connect=service._connect,
        )
        progress = await execution.run()
    assert execution.retried == 1
    assert progress.status is RunStatus.COMPLETED
    assert progress.products_searched == progress.products_total
    assert statuses(database, run_id).keys() == {"done"}
    assert sellers_of(database, run_id) == truth(market, NODES)["sellers"]
    completed = rows(database, "SELECT 1 FROM activity_log WHERE action = 'complete'")
    assert len(completed) == 1
    assert len(asked(market)) == progress.requests


async def test_items_left_keep_a_run_from_being_completed(
    database: Database, settings: Settings, market: SandboxProcess
) -> None:
    async with serving(through(settings, market), database) as service:
        assert isinstance(service, CollectionService)
        run_id = await service.create(categories(NODES))
    with database.engine().begin() as conn, pytest.raises(items.ItemsLeft):
        items.require_exhausted(conn, run_id)


SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'collector owner'"


async def test_a_session_whose_closing_is_cancelled_is_closed_all_the_same(
    database: Database,
) -> None:
    """Left open, it would keep the run owned by nobody."""
    owner = OwnerSession(database.conninfo())
    await owner.open()
    closing = asyncio.create_task(owner.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    await until(lambda: value(database, SESSIONS + " AND datname = current_database()") == 0)
    with database.engine().connect() as conn:
        assert not is_alive(conn, owner.owner_id)


async def test_a_session_that_cannot_be_begun_says_so_and_is_closed(
    empty_database: Database,
) -> None:
    """Here because nothing is there to draw an owner id from."""
    with pytest.raises(DatabaseError, match="resume the run"):
        async with OwnerSession(empty_database.conninfo()):
            pass

    def open_sessions() -> int:
        with psycopg.connect(empty_database.conninfo()) as connection:
            query = SESSIONS + " AND datname = current_database()"
            found = connection.execute(query.encode()).fetchone()
        return int(found[0]) if found else 0

    await until(lambda: open_sessions() == 0)
