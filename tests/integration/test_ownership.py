"""Ownership: one living owner a run, seen at once when it dies, whoever takes the run over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from collecting import (
    NODES,
    asked,
    categories,
    forget,
    owner_process,
    repeated,
    rows,
    sandbox_process,
    sellers_of,
    serving,
    statuses,
    through,
    truth,
    until,
    value,
    wait_until,
)

from collector.database import Database
from collector.errors import DatabaseError, OwnershipLost, RunInProgress
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.store import moves, progress
from collector.store.ownership import LOCK_CLASS, OwnerSession, is_alive
from collector.words import RunStatus
from collector.workbench import Workbench


@pytest.fixture(scope="module")
def market() -> Iterator[SandboxProcess]:
    with sandbox_process(latency_s=0.05) as process:
        yield process


@pytest.fixture(autouse=True)
def _nothing_asked(market: SandboxProcess) -> None:
    forget(market)


def alive(database: Database, owner_id: int) -> bool:
    with database.engine().begin() as conn:
        return is_alive(conn, owner_id)


def cut_owners(database: Database) -> None:
    """End every owner's session, as a restarted server or a cut connection does."""
    found = rows(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'collector owner' AND datname = current_database()",
    )
    assert found


async def test_an_owner_lives_exactly_as_long_as_its_session(database: Database) -> None:
    async with OwnerSession(database.conninfo()) as owner:
        assert alive(database, owner.owner_id)
    assert not alive(database, owner.owner_id)
    assert not alive(database, 999_999)


async def test_every_start_draws_a_fresh_owner_id(database: Database) -> None:
    drawn = []
    for _ in range(3):
        async with OwnerSession(database.conninfo()) as owner:
            drawn.append(owner.owner_id)
    assert drawn == sorted(set(drawn))


async def test_a_session_that_was_cut_can_be_had_again_as_the_same_owner(
    database: Database,
) -> None:
    async with OwnerSession(database.conninfo()) as owner:
        cut_owners(database)
        with pytest.raises(DatabaseError, match="cut"):
            await owner.wait_for_command(UUID(int=1), timeout_s=0.2)
        assert not alive(database, owner.owner_id)
        before = owner.owner_id
        await owner.reopen()
        assert owner.owner_id == before
        assert alive(database, before)


async def test_a_session_whose_old_self_lingers_on_the_server_is_not_taken_for_lost(
    database: Database,
) -> None:
    """The network broke: the server does not know yet, and still holds the lock for us."""
    async with OwnerSession(database.conninfo()) as owner:
        with psycopg.connect(database.conninfo(), autocommit=True) as lingering:
            await owner.close()
            lingering.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, owner.owner_id))
            with pytest.raises(DatabaseError):
                await owner.reopen()
        await owner.reopen()
        assert alive(database, owner.owner_id)


async def test_an_owner_is_woken_by_a_command_for_its_run(database: Database) -> None:
    run_id, other = UUID(int=1), UUID(int=2)
    async with OwnerSession(database.conninfo()) as owner:
        waiting = asyncio.create_task(owner.wait_for_command(run_id, timeout_s=10))
        await asyncio.sleep(0.05)
        with database.engine().begin() as conn:
            moves.leave_command(conn, run_id, "pause")
        assert await asyncio.wait_for(waiting, 2)
        waiting = asyncio.create_task(owner.wait_for_command(run_id, timeout_s=10))
        await asyncio.sleep(0.05)
        with database.engine().begin() as conn:
            moves.leave_command(conn, other, "pause")
        assert not await asyncio.wait_for(waiting, 2)
        assert not await owner.wait_for_command(run_id, timeout_s=0.05)


async def test_no_database_is_said_in_words() -> None:
    owner = OwnerSession("postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2")
    with pytest.raises(DatabaseError, match="does not answer"):
        await owner.open()


async def test_of_many_who_resume_at_once_exactly_one_gets_the_run(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    async with serving(through(settings, market), database) as service:
        run_id = await service.create(categories(NODES[:1]))
        tasks = [service.start(run_id)[1] for _ in range(4)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(type(r).__name__ for r in results) == ["RunInProgress"] * 3 + ["RunProgress"]
    assert sellers_of(database, run_id) == truth(market, NODES[:1])["sellers"]
    assert repeated(asked(market)) == 0
    assert all(isinstance(r, RunInProgress) for r in results if isinstance(r, Exception))


async def test_a_run_whose_owners_session_was_cut_goes_on_by_itself(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    async with serving(through(settings, market), database) as service:
        run_id = await service.create(categories(NODES[:2]))
        execution, task = service.start(run_id)
        for count in (5, 12):
            await until(lambda count=count: len(asked(market)) > count)  # type: ignore[misc]
            cut_owners(database)
            owner_id = value(database, "SELECT owner_id FROM collection_runs")
            await until(lambda owner_id=owner_id: alive(database, owner_id))  # type: ignore[misc]
        # It still listens to commands.
        await service.pause(run_id)
        paused = await asyncio.wait_for(execution.rest(), 5)
        assert paused is not None
        assert paused.status is RunStatus.PAUSED
        await service.resume(run_id)
        assert (await task).status is RunStatus.COMPLETED
    assert sellers_of(database, run_id) == truth(market, NODES[:2])["sellers"]
    assert repeated(asked(market)) == 0


async def test_connections_cut_in_the_middle_lose_nothing_and_repeat_nothing(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    """Every connection of the run, its workers' too, over and over."""
    async with serving(through(settings, market), database) as service:
        run_id = await service.create(categories(NODES[:2]))
        _, task = service.start(run_id)
        cuts = 0
        while not task.done():
            await asyncio.sleep(0.15)
            cuts += len(
                rows(
                    database,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
            )
        assert (await task).status is RunStatus.COMPLETED
    assert cuts > 10
    assert sellers_of(database, run_id) == truth(market, NODES[:2])["sellers"]
    run = rows(database, "SELECT * FROM collection_runs")[0]
    assert set(statuses(database, run_id)) == {"done"}
    assert repeated(asked(market)) == 0
    assert run.requests >= len(asked(market))
    assert run.products_searched == run.products_total
    assert value(database, "SELECT count(*) FROM run_sellers") == run.sellers_found
    assert run.seller_count_snapshot == value(database, "SELECT count(*) FROM sellers")


async def test_an_owner_that_lost_its_run_to_another_leaves_it_alone(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    async with serving(through(settings, market), database) as service:
        run_id = await service.create(categories(NODES[:2]))
        _, lost = service.start(run_id)
        await until(lambda: len(asked(market)) > 5)
        # Somebody takes the run over at the very moment in which the owner's session is cut.
        async with OwnerSession(database.conninfo()) as thief:
            # In a thread: the row may be locked by a transaction that goes on on this loop.
            await asyncio.to_thread(
                rows,
                database,
                "UPDATE collection_runs SET owner_id = :owner RETURNING 1",
                owner=thief.owner_id,
            )
            with pytest.raises(OwnershipLost):
                await lost
            begun = len(asked(market))
            await asyncio.sleep(0.2)
            assert len(asked(market)) == begun
            assert value(database, "SELECT status FROM collection_runs") == "running"
        with database.engine().begin() as conn:
            assert progress.read(conn, run_id).interrupted
        assert (await service.start(run_id)[1]).status is RunStatus.COMPLETED
    assert sellers_of(database, run_id) == truth(market, NODES[:2])["sellers"]
    assert repeated(asked(market)) <= 5


def test_a_killed_owners_run_is_interrupted_at_once_and_resumed_without_loss(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    reached = through(settings, market)
    with owner_process(reached) as (process, run_id):
        wait_until(lambda: len(asked(market)) > 10)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Workbench.open(reached) as bench:
            run = bench.attach(str(run_id)[:8])
            wait_until(lambda: run.progress().interrupted, within_s=1)
            assert run.progress().status is RunStatus.RUNNING
            interrupted = run.wait(timeout_s=5)
            assert interrupted.interrupted
            run.resume()
            assert run.wait(timeout_s=30).status is RunStatus.COMPLETED
    assert sellers_of(database, run_id) == truth(market)["sellers"]
    assert repeated(asked(market)) <= 5


def test_commands_of_another_process_reach_the_owner_within_a_second(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    reached = through(settings, market)
    with owner_process(reached) as (process, run_id), Workbench.open(reached) as bench:
        viewer = bench.attach(run_id)
        told = viewer.subscribe()
        wait_until(lambda: len(asked(market)) > 5)
        viewer.pause()
        wait_until(
            lambda: value(database, "SELECT status FROM collection_runs") == "paused", within_s=1
        )
        assert viewer.wait(timeout_s=5).status is RunStatus.PAUSED
        begun = len(asked(market))
        viewer.resume()
        wait_until(
            lambda: value(database, "SELECT status FROM collection_runs") == "running", within_s=1
        )
        wait_until(lambda: len(asked(market)) > begun)
        viewer.cancel()
        ended = viewer.wait(timeout_s=5)
        assert ended.status is RunStatus.CANCELLED
        assert ended.sellers_found == len(sellers_of(database, run_id))
        entries = told.take(1000)
        assert {"fetching", "paused", "resumed"} <= {entry.action.value for entry in entries}
        assert process.wait(timeout=10) is not None


def test_a_viewer_that_resumes_and_waits_sees_the_run_to_its_end(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    reached = through(settings, market)
    with owner_process(reached) as (_, run_id), Workbench.open(reached) as bench:
        viewer = bench.attach(run_id)
        wait_until(lambda: len(asked(market)) > 5)
        viewer.pause()
        assert viewer.wait(timeout_s=5).status is RunStatus.PAUSED
        viewer.resume()
        assert viewer.wait(timeout_s=30).status is not RunStatus.PAUSED
    assert sellers_of(database, run_id) == truth(market)["sellers"]
