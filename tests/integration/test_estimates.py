"""Estimates by what earlier runs came to, and where they are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from collecting import asked, sandbox_process, through
from command_line import CommandLine

from collector.database import Database
from collector.models import RunOptions
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.workbench import Workbench

TWO = ["289754", "3610841"]


@pytest.fixture(scope="module")
def market() -> Iterator[SandboxProcess]:
    with sandbox_process() as process:
        yield process


async def test_an_estimate_rests_on_the_runs_before(
    settings: Settings, market: SandboxProcess
) -> None:
    with Workbench.open(through(settings, market)) as bench:
        first = bench.estimate(TWO)
        assert first.runs == 0
        assert first.requests == (4 + 140, 4 + 600)
        run = await bench.launch(TWO)
        again = bench.estimate(TWO)
        assert again.runs == 1
        assert again.requests == (run.requests, run.requests)
        assert 0 < again.duration_s[0] < first.duration_s[0]
        # One list of the two: half of it.
        (half, _) = bench.estimate(TWO[:1]).requests
        assert half == pytest.approx(run.requests / 2, abs=1)
        assert bench.estimate(TWO, budget=10).requests == (10, 10)
        # Nothing is known of shorter searches.
        assert bench.estimate(TWO, options=RunOptions(pages_per_search=1)).runs == 0


async def test_what_is_not_due_is_taken_out_of_the_estimate(
    settings: Settings, market: SandboxProcess
) -> None:
    frugal = RunOptions(search_again_days=4)
    with Workbench.open(through(settings, market)) as bench:
        # Nothing was searched yet: everything is due.
        assert bench.estimate(TWO, options=frugal) == bench.estimate(TWO)
        whole = await bench.launch(TWO)
        found = bench.estimate(TWO, options=frugal)
        assert found.not_due == whole.products_total
        # The market of this test stands still, and lists have four pages in all.
        assert found.requests == (4, 4)
        run = await bench.launch(TWO, options=frugal)
        assert (run.requests, run.products_covered) == (4, whole.products_total)
        # A run to which little was due tells what it would have cost otherwise, or nothing.
        assert bench.estimate(TWO).requests == (whole.requests, whole.requests)
        # Other prices are another search.
        wider = RunOptions(search_again_days=4, price_to_factor=2.5)
        assert bench.estimate(TWO, options=wider).not_due == 0


async def test_a_run_that_ended_early_tells_nothing(
    settings: Settings, market: SandboxProcess
) -> None:
    with Workbench.open(through(settings, market)) as bench:
        run = bench.launch(TWO, budget=5)
        await run
        run.cancel()
        await run
        assert bench.estimate(TWO).runs == 0


def test_a_terminal_tells_the_estimate_before_the_first_request(
    database: Database, tmp_path: Path, market: SandboxProcess
) -> None:
    cli = CommandLine.over(database, tmp_path / "home")
    begun = len(asked(market))
    done = cli("run", *TWO, "--budget", "7", "--json", OXYLABS_URL=market.url)
    assert done.returncode == 3, done.stderr
    assert len(asked(market)) == begun + 7
    told = "About 7 requests, under a minute with 5 workers. The budget of 7 ends it."
    assert done.stderr.splitlines()[0] == told
    quiet = cli("run", *TWO, "--budget", "7", "--json", "--quiet", OXYLABS_URL=market.url)
    assert "About" not in quiet.stderr
