"""Runs whose items the workers of a real Dask cluster work on, steered as any other run is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from collecting import (
    NODES,
    asked,
    environment,
    forget,
    repeated,
    sandbox_process,
    sellers_of,
    statuses,
    through,
    truth,
    until,
    value,
    wait_until,
)
from distributed import Client, LocalCluster

from collector import Workbench
from collector.dask_engine import NOBODY, DaskEngine, take_part
from collector.database import Database, upgrade
from collector.errors import EngineLost, UsageError
from collector.models import RunOptions
from collector.participant import Invitation
from collector.progress import RunProgress
from collector.run import Run
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.words import Action, PauseReason, RunStatus, Source

SIX_LISTS = (*NODES, "172541", "166269011", "3741261")
LIVING = "SELECT count(*) FROM run_participants"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers in this process: what matters here is not that they are others."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def market() -> Iterator[SandboxProcess]:
    with sandbox_process(latency_s=0.1) as process:
        yield process


@pytest.fixture
def desk(
    settings: Settings, market: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workbench]:
    """A workbench over the market; participants find the same in their environment."""
    forget(market)
    with opened(through(settings, market), monkeypatch) as bench:
        yield bench


@contextmanager
def opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    """A workbench; whoever reads the environment meanwhile finds the same database."""
    for name in ("DATABASE_URL", "COLLECTOR_HOME", "OXYLABS_URL"):
        monkeypatch.setenv(name, environment(settings)[name])
    with Workbench.open(settings) as bench:
        yield bench


def ended(run: Run, *, within_s: float = 60) -> RunProgress:
    wait_until(lambda: run.progress().status.is_final, within_s=within_s)
    return run.progress()


def check_whole(run: Run, database: Database, market: SandboxProcess) -> None:
    """The run found what there is to find, and asked for everything once."""
    assert sellers_of(database, run.id) == truth(market)["sellers"]
    assert statuses(database, run.id).keys() == {"done"}
    assert value(database, LIVING) == 0
    assert value(database, "SELECT count(*) FROM participant_reports") == 0


def test_the_workers_of_a_cluster_find_what_one_process_would(
    desk: Workbench, client: Client, database: Database, market: SandboxProcess
) -> None:
    run = desk.launch(NODES, engine=DaskEngine(client))
    progress = ended(run)

    assert progress.status is RunStatus.COMPLETED, progress
    check_whole(run, database, market)
    assert repeated(asked(market)) == 0
    assert len(asked(market)) == progress.requests
    # Five workers each, told apart in one activity, numbered by the one owner.
    log = desk.activity(run)
    assert list(log["entry_id"]) == list(range(1, len(log) + 1))
    assert set(log["worker_id"]) <= set(range(11))
    counted = Counter(log["action"])
    assert counted["fetching"] == progress.requests
    assert counted["complete"] == 1
    assert {w.worker_id for w in progress.workers} >= set(log["worker_id"]) - {0}


def test_a_pause_reaches_every_participant_within_a_second(
    desk: Workbench, client: Client, database: Database, market: SandboxProcess
) -> None:
    run = desk.launch(NODES, engine=DaskEngine(client))
    wait_until(lambda: value(database, LIVING) == 2 and len(asked(market)) > 10)
    run.pause()
    paused_at = time.time()
    assert run.wait(30).status is RunStatus.PAUSED
    # It rests: nothing is in flight any more, whoever had it.
    assert all(entry["ended_at"] for entry in asked(market))
    begun = len(asked(market))
    time.sleep(1.5)
    assert len(asked(market)) == begun
    assert max(entry["began_at"] for entry in asked(market)) < paused_at + 1
    run.resume()
    assert ended(run).status is RunStatus.COMPLETED
    check_whole(run, database, market)
    assert repeated(asked(market)) == 0


def test_a_cancel_ends_every_participant_and_keeps_what_was_in_flight(
    desk: Workbench, client: Client, database: Database, market: SandboxProcess
) -> None:
    run = desk.launch(NODES, engine=DaskEngine(client))
    wait_until(lambda: value(database, LIVING) == 2 and len(asked(market)) > 10)
    run.cancel()
    cancelled_at = time.time()
    assert ended(run).status is RunStatus.CANCELLED
    assert value(database, LIVING) == 0
    assert max(entry["began_at"] for entry in asked(market)) < cancelled_at + 1
    found = statuses(database, run.id)
    assert found.keys() <= {"done", "pending"}
    assert found["done"] == len(asked(market))


def test_one_budget_is_shared_by_all_and_spent_to_the_last(
    settings: Settings, client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the last ones wait for their slot while somebody finds that there is no more."""
    with (
        sandbox_process(latency_s=0.1, options={"rate-limit": 20}) as market,
        opened(through(settings, market), monkeypatch) as bench,
    ):
        run = bench.launch(NODES, budget=23, engine=DaskEngine(client))
        progress = run.wait(60)
        assert (progress.status, progress.pause_reason) == (RunStatus.PAUSED, PauseReason.BUDGET)
        assert len(asked(market)) == progress.requests == 23
        told = bench.activity(run).query("action == 'paused'")
        assert list(told["error_message"]) == [
            "Paused: The budget of 23 requests is spent. Resume the run with a larger one."
        ]
        run.resume(budget=1000)
        assert ended(run).status is RunStatus.COMPLETED
        check_whole(run, database, market)


def test_one_rate_is_kept_by_all(
    settings: Settings, client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten workers could ask for a hundred pages a second; the plan allows twenty."""
    with sandbox_process(latency_s=0.1, options={"rate-limit": 20}) as market:
        with opened(through(settings, market), monkeypatch) as bench:
            run = bench.launch(NODES, engine=DaskEngine(client))
            assert ended(run).status is RunStatus.COMPLETED
            check_whole(run, database, market)
        assert {entry["status"] for entry in asked(market)} == {200}
        began = sorted(entry["began_at"] for entry in asked(market))
        # In no second more than the plan allows, whoever sent them.
        assert all(later - first > 1 for first, later in zip(began, began[20:], strict=False))


def test_five_failures_in_a_row_pause_whoever_met_them(
    settings: Settings, client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox_process(faults="wall=1") as blocked:
        port = int(blocked.base_url.rpartition(":")[2])
        with opened(through(settings, blocked), monkeypatch) as bench:
            run = bench.launch(SIX_LISTS, engine=DaskEngine(client))
            progress = run.wait(90)
            assert progress.status is RunStatus.PAUSED
            assert progress.pause_reason is PauseReason.FAILURES
            # One outage must not fail items for good.
            wait_until(lambda: statuses(database, run.id).keys() <= {"pending", "running"})
            blocked.stop()
            with sandbox_process(port=port) as market:
                run.resume()
                assert ended(run).status is RunStatus.COMPLETED
                assert statuses(database, run.id).keys() == {"done"}
                assert len(asked(market)) > 10


def test_failures_between_successes_pause_nobody(
    settings: Settings, client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count is one for all, and every entry passes it in the order of the reports."""
    with (
        sandbox_process(faults="500=0.2") as market,
        opened(through(settings, market), monkeypatch) as bench,
    ):
        run = bench.launch(NODES, engine=DaskEngine(client))
        assert ended(run, within_s=120).status is RunStatus.COMPLETED
        assert "paused" not in set(bench.activity(run)["action"])
        check_whole(run, database, market)


def test_a_worker_that_comes_later_joins_and_one_that_goes_is_not_missed(
    desk: Workbench, database: Database, market: SandboxProcess
) -> None:
    with (
        LocalCluster(
            n_workers=0, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        run = desk.launch(NODES, engine=DaskEngine(client))
        wait_until(lambda: [e.last_message for e in run.progress().errors] == [NOBODY])
        assert asked(market) == []
        cluster.scale(1)
        wait_until(lambda: len(asked(market)) > 3)
        cluster.scale(3)
        wait_until(lambda: value(database, LIVING) == 3)
        assert ended(run).status is RunStatus.COMPLETED
    check_whole(run, database, market)


async def test_a_client_that_is_closed_leaves_the_run_for_whoever_resumes_it(
    settings: Settings,
    cluster: LocalCluster,
    database: Database,
    market: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget(market)
    with opened(through(settings, market), monkeypatch) as bench:
        client = Client(cluster, set_as_default=False)
        run = bench.launch(NODES, engine=DaskEngine(client), background=True)
        await until(lambda: len(asked(market)) > 5)
        client.close()
        with pytest.raises(EngineLost, match="resume the run"):
            await run
        await until(lambda: run.progress().status is RunStatus.PAUSED)
        assert "Dask cluster does not answer" in run.progress().message
        await until(lambda: value(database, LIVING) == 0)
        # On workers of this process, now.
        again = bench.attach(run.id)
        again.engine = None
        again.resume()
        await until(lambda: again.progress().status.is_final, within_s=60)
        assert again.progress().status is RunStatus.COMPLETED
        check_whole(again, database, market)
        assert repeated(asked(market)) == 0


@pytest.fixture
def elsewhere(server: Database) -> Iterator[Database]:
    """Another migrated database of the same server."""
    database = server.named(f"elsewhere_{uuid4().hex[:8]}_sandbox")
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{database.name}"'.encode())
    upgrade(database)
    yield database
    database.dispose()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{database.name}" WITH (FORCE)'.encode())


def test_a_worker_that_reaches_another_database_says_so(
    desk: Workbench, client: Client, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = elsewhere.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", address)
    run = desk.launch(NODES, engine=DaskEngine(client))

    def told() -> list[str]:
        return [e.last_message for e in run.progress().errors]

    wait_until(lambda: any("does not hold the run" in each for each in told()))
    assert any("set DATABASE_URL" in each for each in told())
    run.cancel()
    assert ended(run).status is RunStatus.CANCELLED


def test_a_worker_of_another_version_says_so() -> None:
    told = take_part(Invitation(uuid4(), 1, Source.SANDBOX, "http://127.0.0.1:9", "0.0.1"))
    assert told is not None
    assert "install the same version" in told


async def test_an_asynchronous_client_is_refused(cluster: LocalCluster) -> None:
    async with Client(cluster.scheduler_address, asynchronous=True) as client:
        with pytest.raises(UsageError, match="synchronous client"):
            DaskEngine(client)


def test_the_options_of_a_run_are_those_of_each_participant(
    desk: Workbench, client: Client, database: Database, market: SandboxProcess
) -> None:
    run = desk.launch(NODES, engine=DaskEngine(client), options=RunOptions(workers=2))
    assert ended(run).status is RunStatus.COMPLETED
    assert set(desk.activity(run)["worker_id"]) <= set(range(5))
    assert Action.COMPLETE in set(desk.activity(run)["action"])
