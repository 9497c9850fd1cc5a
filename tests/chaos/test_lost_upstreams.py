"""The upstream killed, slow, half-sent and failing in every way it can while a run goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import NODES, Trial, Undisturbed, command_line, market, moments
from integration.collecting import asked, categories, serving, statuses, through, until

from collector.database import Database
from collector.settings import Settings
from collector.words import PauseReason, RunStatus

RETRIES = 12


async def test_an_upstream_that_dies_pauses_the_run_which_goes_on_once_it_is_back(
    database: Database, settings: Settings, undisturbed: Undisturbed, trial: Trial
) -> None:
    with market() as first:
        port = int(first.base_url.rpartition(":")[2])
        async with serving(through(settings, first), database) as service:
            run_id = await service.create(categories(NODES))
            execution, task = service.start(run_id)
            count = moments("upstream").randrange(5, len(undisturbed.entries) // 2)
            await until(lambda: len(asked(first)) >= count)
            entries = asked(first)
            assert first.pid is not None
            os.kill(first.pid, signal.SIGKILL)
            paused = await asyncio.wait_for(execution.rest(), 60)
            assert paused is not None
            assert (paused.status, paused.pause_reason) == (
                RunStatus.PAUSED,
                PauseReason.FAILURES,
            )
            assert "failed" not in statuses(database, run_id)
            with market(port=port) as second:
                execution.resume()
                progress = await asyncio.wait_for(task, 60)
                entries += asked(second)
    assert progress.status is RunStatus.COMPLETED
    trial.hold(
        "upstream killed and started again",
        database=database,
        run_id=run_id,
        entries=entries,
        crashes=1,
    )


@pytest.mark.parametrize(
    ("fault", "given"),
    [
        ("upstream slow: half a second an answer", {"latency_s": 0.5}),
        ("30 % of the answers half-sent", {"faults": "half=0.3"}),
        ("30 % faults of every kind", {"faults": "all=0.3", "options": {"timeout-s": 0.3}}),
    ],
    ids=["slow", "half", "all"],
)
def test_an_unwell_upstream_costs_time_and_nothing_else(
    fault: str,
    given: dict[str, Any],
    database: Database,
    tmp_path: Path,
    trial: Trial,
) -> None:
    """Items that failed too often are sent again by `collector retry`, as the run itself says."""
    with market(**{"latency_s": 0.02, **given}) as sandbox:
        cli = command_line(database, tmp_path / "home", sandbox)
        done = cli("run", *NODES, "--json", "--quiet")
        for _ in range(RETRIES):
            told = json.loads(done.stdout)
            if told["status"] == "completed" and told["failed_items"] == 0:
                break
            verb = "retry" if told["status"] == "completed" else "resume"
            assert f"collector {verb} {told['run_id'][:8]}" in done.stderr
            done = cli(verb, told["run_id"], "--json", "--quiet")
        entries = asked(sandbox)
    trial.hold(
        fault,
        database=database,
        run_id=told["run_id"],
        entries=entries,
        crashes=0,
    )


def test_a_budget_of_fifty_sends_exactly_fifty_where_forty_in_a_hundred_fail(
    database: Database, tmp_path: Path
) -> None:
    """By the sandbox's own count."""
    long_lists = {"list-length": 40}
    with market(latency_s=0.02, faults="500=0.2,612=0.1,cut=0.1", options=long_lists) as sandbox:
        cli = command_line(database, tmp_path / "home", sandbox)
        done = cli("run", *NODES, "--budget", "50", "--json", "--quiet")
        assert done.returncode == 3, done.stderr
        told = json.loads(done.stdout)
        assert told["requests"] == len(asked(sandbox)) == 50
        assert sum(entry["fault"] is not None for entry in asked(sandbox)) > 10
        assert f"collector resume {told['run_id'][:8]} --budget 100" in done.stderr


SITUATIONS: dict[str, dict[str, Any]] = {
    "a backoff": {"faults": "500=1"},
    "a rate limit": {"options": {"rate-limit": 1}},
    "a slow answer": {"latency_s": 2.0},
    # Long enough not to end before the command comes.
    "nothing": {"latency_s": 0.2, "options": {"list-length": 40}},
}


@pytest.mark.parametrize("command", ["pause", "cancel"])
@pytest.mark.parametrize("waiting_for", SITUATIONS)
async def test_no_request_begins_more_than_a_second_after_a_command(
    waiting_for: str, command: str, database: Database, settings: Settings
) -> None:
    """Given by another process than the run's, to workers that wait for something."""
    with market(**SITUATIONS[waiting_for]) as sandbox:
        async with (
            serving(through(settings, sandbox), database) as owner,
            serving(through(settings, sandbox), database) as other,
        ):
            run_id = await owner.create(categories(NODES))
            execution, task = owner.start(run_id)
            await until(lambda: len(asked(sandbox)) >= 5)
            await asyncio.sleep(0.4)
            given_at = time.time()
            await (other.pause if command == "pause" else other.cancel)(run_id)
            rested = await asyncio.wait_for(execution.rest(), 10)
            assert rested is not None
            expected = RunStatus.PAUSED if command == "pause" else RunStatus.CANCELLED
            if command == "cancel":
                rested = await task
            assert rested.status is expected
            await asyncio.sleep(1.5)
            entries = asked(sandbox)
            assert max(entry["began_at"] for entry in entries) <= given_at + 1
            assert all(entry["ended_at"] for entry in entries), "something is in flight still"
            answered = sum(entry["result_status"] == 200 for entry in entries)
            assert statuses(database, run_id).get("done", 0) == answered, "an answer was not kept"
            assert "running" not in statuses(database, run_id) or command == "pause"
            execution.cancel()
            await asyncio.wait({task})
