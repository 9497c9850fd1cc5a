"""The workbench in an operator's hands: launch, wait, attach, command, close, come back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from collecting import (
    NODES,
    asked,
    environment,
    forget,
    repeated,
    rows,
    sandbox_process,
    sellers_of,
    through,
    truth,
    until,
    value,
    wait_until,
)

from collector.database import Database
from collector.embedded import ensure_server, stop_server
from collector.errors import IllegalMove, RunInProgress, UnknownCategory, UnknownRun, UsageError
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.words import Action, PauseReason, RunStatus
from collector.workbench import Workbench

ONE = NODES[:1]


@pytest.fixture(scope="module")
def market() -> Iterator[SandboxProcess]:
    with sandbox_process(latency_s=0.03) as process:
        yield process


@pytest.fixture(autouse=True)
def _nothing_asked(market: SandboxProcess) -> None:
    forget(market)


@pytest.fixture
def reached(settings: Settings, market: SandboxProcess) -> Settings:
    return through(settings, market)


@pytest.fixture
async def bench(reached: Settings) -> AsyncIterator[Workbench]:
    """A workbench opened on a running loop, as in a notebook."""
    with Workbench.open(reached) as bench:
        yield bench


async def test_launching_returns_at_once_and_the_run_goes_on_by_itself(
    bench: Workbench, database: Database, market: SandboxProcess
) -> None:
    run = bench.launch(NODES, name="Mornings")
    assert not run.progress().status.is_final
    assert run.name == "Mornings"
    await until(lambda: run.progress().status.is_final)
    assert run.progress().status is RunStatus.COMPLETED
    assert sellers_of(database, run.id) == truth(market)["sellers"]
    assert sorted(bench.sellers()["normalized_name"]) == truth(market)["sellers"]
    assert list(bench.runs()["run_id"]) == [str(run.id)]
    assert "completed" in repr(run)


async def test_awaiting_a_run_gives_how_it_ended(bench: Workbench, market: SandboxProcess) -> None:
    run = bench.launch(ONE)
    progress = await run
    assert progress.status is RunStatus.COMPLETED
    assert progress.sellers_found == len(truth(market, ONE)["sellers"])
    assert await run == progress == run.progress()


async def test_interrupting_whoever_awaits_a_run_does_not_end_the_run(bench: Workbench) -> None:
    run = bench.launch(ONE)
    waiting = asyncio.ensure_future(run.rest())
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await run).status is RunStatus.COMPLETED


async def test_a_background_run_goes_on_while_the_callers_loop_is_blocked(
    bench: Workbench, market: SandboxProcess
) -> None:
    run = bench.launch(NODES, background=True)
    wait_until(lambda: len(asked(market)) > 3)
    # The kernel's loop has not turned once since the launch.
    begun = len(asked(market))
    time.sleep(0.5)  # noqa: ASYNC251 - a cell that blocks
    assert len(asked(market)) > begun + 5
    assert (await run).status is RunStatus.COMPLETED


def test_synchronous_code_may_wait(reached: Settings, market: SandboxProcess) -> None:
    with Workbench.open(reached) as bench:
        run = bench.launch(ONE)
        with pytest.raises(TimeoutError):
            run.wait(timeout_s=0.05)
        assert run.wait(timeout_s=20).status is RunStatus.COMPLETED
        assert run.wait().status is RunStatus.COMPLETED


CELL = """
import asyncio, sys
from collector.workbench import Workbench

async def cell():
    with Workbench.open() as bench:
        for background in (False, True):
            run = bench.launch(sys.argv[1:], background=background)
            try:
                run.wait(timeout_s=0.05)
            except TimeoutError:
                print("late")
            print(run.wait().status.value)
        await asyncio.sleep(0.01)

asyncio.run(cell())
"""


def test_a_cell_on_a_running_loop_may_wait_too(reached: Settings) -> None:
    """In a process of its own: waiting there patches asyncio for good."""
    done = subprocess.run(
        [sys.executable, "-c", CELL, *ONE],
        env=environment(reached),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["late", "completed"] * 2, done.stderr
    assert done.stderr == ""


async def test_a_pause_right_after_the_launch_is_not_lost(
    bench: Workbench, market: SandboxProcess
) -> None:
    run = bench.launch(NODES)
    run.pause()
    progress = await asyncio.wait_for(run.rest(), 5)
    assert (progress.status, progress.pause_reason) == (RunStatus.PAUSED, PauseReason.OPERATOR)
    await asyncio.sleep(0.2)
    assert asked(market) == []


async def test_after_a_resume_waiting_means_waiting_for_what_comes(
    bench: Workbench, database: Database, market: SandboxProcess
) -> None:
    run = bench.launch(NODES)
    for count in (5, 12):
        await until(lambda count=count: len(asked(market)) > count)  # type: ignore[misc]
        run.pause()
        assert (await run).status is RunStatus.PAUSED
        run.resume()
    assert (await run).status is RunStatus.COMPLETED
    assert sellers_of(database, run.id) == truth(market)["sellers"]
    assert repeated(asked(market)) == 0


async def test_cancelling_a_paused_run_ends_it(bench: Workbench, market: SandboxProcess) -> None:
    run = bench.launch(NODES)
    await until(lambda: len(asked(market)) > 5)
    run.pause()
    await run
    run.cancel()
    assert (await run).status is RunStatus.CANCELLED
    for command in (run.pause, run.resume, run.cancel, run.retry):
        with pytest.raises(IllegalMove):
            command()


async def test_a_stale_resume_does_not_undo_a_later_pause(
    bench: Workbench, market: SandboxProcess
) -> None:
    run = bench.launch(NODES)
    await until(lambda: len(asked(market)) > 3)
    run.pause()
    await run
    run.resume()
    run.pause()
    assert (await run).status is RunStatus.PAUSED
    begun = len(asked(market))
    await asyncio.sleep(1.3)
    assert run.progress().status is RunStatus.PAUSED
    assert len(asked(market)) == begun


async def test_a_run_that_is_left_can_be_resumed(
    bench: Workbench, database: Database, market: SandboxProcess
) -> None:
    run = bench.launch(NODES)
    await until(lambda: len(asked(market)) > 5)
    left = await run.leave()
    assert left.status is RunStatus.PAUSED
    begun = len(asked(market))
    await asyncio.sleep(0.2)
    assert len(asked(market)) == begun
    run.resume()
    assert (await run).status is RunStatus.COMPLETED
    assert sellers_of(database, run.id) == truth(market)["sellers"]
    assert repeated(asked(market)) == 0


def test_closing_the_workbench_leaves_a_resumable_run(
    reached: Settings, database: Database, market: SandboxProcess
) -> None:
    with Workbench.open(reached) as bench:
        run = bench.launch(NODES)
        wait_until(lambda: len(asked(market)) > 5)
    begun = len(asked(market))
    assert value(database, "SELECT status FROM collection_runs") == "paused"
    with Workbench.open(reached) as again:
        back = again.attach(run.id)
        assert back.progress().status is RunStatus.PAUSED
        back.resume()
        assert back.wait(timeout_s=20).status is RunStatus.COMPLETED
    assert len(asked(market)) > begun
    assert sellers_of(database, run.id) == truth(market)["sellers"]
    assert repeated(asked(market)) <= 5


async def test_closing_it_on_the_loop_that_carries_the_run_leaves_the_run_too(
    reached: Settings, database: Database, market: SandboxProcess
) -> None:
    with Workbench.open(reached) as bench:
        run = bench.launch(NODES)
        await until(lambda: len(asked(market)) > 5)
    await until(lambda: value(database, "SELECT status FROM collection_runs") == "paused")
    begun = len(asked(market))
    await asyncio.sleep(0.3)
    assert len(asked(market)) == begun
    with Workbench.open(reached) as again:
        back = again.attach(run.id)
        back.resume()
        assert (await back).status is RunStatus.COMPLETED
    assert sellers_of(database, run.id) == truth(market)["sellers"]


async def test_a_run_can_be_had_again_by_the_beginning_of_its_id(bench: Workbench) -> None:
    run = bench.launch(ONE)
    assert bench.attach(run.short_id) is bench.attach(run.id) is bench.attach("latest") is run
    with pytest.raises(UnknownRun):
        bench.attach(uuid4())
    with pytest.raises(UsageError):
        bench.attach("what?")
    await run


async def test_a_viewer_gets_the_entries_of_a_run_that_ended_long_ago(
    reached: Settings, bench: Workbench
) -> None:
    run = bench.launch(ONE)
    await run
    seen = [entry async for entry in run.activity()]
    assert seen[-1].action is Action.COMPLETE
    assert [entry async for entry in run.activity(after=seen[-2].id)] == seen[-1:]


@pytest.mark.parametrize("budget", [0, -1])
async def test_a_budget_of_nothing_is_refused_and_not_taken_for_none(
    bench: Workbench, budget: int
) -> None:
    with pytest.raises(UsageError, match="at least one request"):
        bench.launch(ONE, budget=budget)


async def test_the_settings_budget_is_that_of_runs_that_are_given_none(
    reached: Settings, market: SandboxProcess
) -> None:
    with Workbench.open(reached.model_copy(update={"collector_budget": 4})) as bench:
        run = bench.launch(ONE)
        progress = await run
        assert (progress.pause_reason, progress.budget) == (PauseReason.BUDGET, 4)
        assert len(asked(market)) == 4
        with pytest.raises(UsageError, match="larger"):
            run.resume()
        with pytest.raises(UsageError, match="sent 4 requests"):
            run.resume(budget=3)
        run.resume(budget=500)
        assert (await run).status is RunStatus.COMPLETED


async def test_an_unknown_category_is_refused_before_anything_is_made(
    bench: Workbench, database: Database
) -> None:
    with pytest.raises(UnknownCategory):
        bench.launch(["no such category"])
    assert value(database, "SELECT count(*) FROM collection_runs") == 0


async def test_two_workbenches_that_race_to_resume_do_the_run_once(
    reached: Settings, database: Database, market: SandboxProcess
) -> None:
    with Workbench.open(reached) as bench:
        run = bench.launch(NODES)
        await until(lambda: len(asked(market)) > 3)
        await run.leave()

    def resume_and_wait() -> str:
        with Workbench.open(reached) as own:
            mine = own.attach(run.id)
            try:
                mine.resume()
                return mine.wait(timeout_s=20).status.value
            except RunInProgress:
                wait_until(lambda: mine.progress().status is RunStatus.COMPLETED)
                return "watched"

    with ThreadPoolExecutor(2) as pool:
        ends = [done.result() for done in [pool.submit(resume_and_wait) for _ in range(2)]]
    assert set(ends) <= {"completed", "watched"}
    assert "completed" in ends
    assert sellers_of(database, run.id) == truth(market)["sellers"]
    assert repeated(asked(market)) == 0


async def test_failed_items_are_sent_again_by_one_call(
    settings: Settings, database: Database
) -> None:
    options = {"list-length": 6}
    walls = sandbox_process(faults="wall=0.6", seed=3, options=options)
    walls.start()
    port = int(walls.base_url.rpartition(":")[2])
    with Workbench.open(through(settings, walls)) as bench:
        run = bench.launch(ONE)
        assert (await run).failed_items > 0
        walls.stop()
        with sandbox_process(port=port, seed=3, options=options) as market:
            run.retry()
            done = await run
            assert (done.status, done.failed_items) == (RunStatus.COMPLETED, 0)
            assert sellers_of(database, run.id) == truth(market, ONE)["sellers"]
        with pytest.raises(UsageError, match="nothing to send again"):
            run.retry()


async def test_a_run_outlives_a_restart_of_postgresql(
    settings: Settings, market: SandboxProcess, short_directory: Path
) -> None:
    home = short_directory / "restarted"
    changed = through(settings, market, database_url=None, collector_home=home)
    try:
        with Workbench.open(changed) as bench:
            run = bench.launch(NODES, background=True)
            await until(lambda: len(asked(market)) > 8)
            assert await asyncio.to_thread(stop_server, home)
            begun = len(asked(market))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(ensure_server, home)
            progress = await asyncio.wait_for(run.rest(), 60)
            assert progress.status is RunStatus.COMPLETED
            assert len(asked(market)) > begun
            assert sellers_of(bench.database, run.id) == truth(market)["sellers"]
            assert rows(bench.database, "SELECT DISTINCT status FROM collection_items") == [
                ("done",)
            ]
            assert repeated(asked(market)) == 0
    finally:
        stop_server(home)
