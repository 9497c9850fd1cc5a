"""Frugal runs over several days of a real sandbox: what is asked, what is told, what is missed."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from collecting import NODES, asked, forget, repeated, sandbox_process, through
from command_line import SMALL, CommandLine

from collector.database import Database
from collector.models import RunOptions
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.words import Action, PauseReason
from collector.workbench import Workbench

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def market() -> Iterator[SandboxProcess]:
    """A market whose days go by as runs end."""
    with sandbox_process(day=None) as process:
        yield process


async def test_the_next_days_run_asks_only_for_what_is_due(
    settings: Settings, market: SandboxProcess
) -> None:
    frugal = RunOptions(search_again_days=2)
    with Workbench.open(through(settings, market)) as bench:
        whole = await bench.launch(NODES)
        forget(market)
        run = bench.launch(NODES, options=frugal)
        done = await run
        listed, searched = bench.products(run), bench.items(run).query("kind == 'seller_search'")
        covered = set(listed.loc[listed["covered_by_run_id"].notna(), "asin"])
        due = set(listed.loc[listed["skip_reason"].isna(), "asin"]) - covered
        told = bench.activity(run)
        third = await bench.launch_again(run)
        day_2 = bench.runs().set_index("run_id").loc[str(third.run_id)]
    assert done.requests == len(asked(market)) - third.requests < whole.requests / 3
    assert set(searched["asin"]) == due
    assert (done.products_total, done.products_covered) == (len(due), len(covered))
    pages = told[told["phase"].eq("best_sellers") & told["action"].eq(Action.FOUND)]
    not_due = [json.loads(params)["not_due"] for params in pages["params"]]
    assert sum(not_due) == listed["covered_by_run_id"].notna().sum()
    # Launched again with the same options, two days after the first: all of that is due.
    assert json.loads(day_2["options"])["search_again_days"] == 2
    assert third.products_covered <= len(due)


async def test_a_frugal_run_stopped_by_its_budget_goes_on_and_counts_each_product_once(
    settings: Settings, market: SandboxProcess
) -> None:
    frugal = RunOptions(search_again_days=3)
    with Workbench.open(through(settings, market)) as bench:
        await bench.launch(NODES)
        forget(market)
        run = bench.launch(NODES, options=frugal, budget=3)
        paused = await run
        assert paused.pause_reason is PauseReason.BUDGET
        run.resume(budget=500)
        done = await run
        while not done.status.is_final:
            done = await run
        listed = bench.products(run)
        requests = bench.requests(run)
    known = listed[listed["skip_reason"].isna()]
    assert done.products_total + done.products_covered == known["asin"].nunique()
    assert done.products_searched == done.products_total
    assert repeated(asked(market)) == 0
    assert done.requests == len(requests)


def test_rules_save_requests_and_call_nobody_gone_who_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    frugal = importlib.import_module("frugal")
    everything = frugal.walk({}, 2)
    rule = frugal.walk({"search_again_days": 2, "page_on": "while_new"}, 2)
    assert everything.never_found == 0
    assert not any(everything.delays)
    assert sum(rule.requests[1:]) < 0.8 * sum(everything.requests[1:])
    assert rule.wrong_not_seen == everything.wrong_not_seen == 0


def test_a_terminal_run_is_told_what_is_not_due_and_what_a_new_seller_cost(
    database: Database, tmp_path: Path, market: SandboxProcess
) -> None:
    cli = CommandLine.over(database, tmp_path / "home")
    first = cli("run", *SMALL, "--json", "--page-on", "while_new", OXYLABS_URL=market.url)
    told = json.loads(first.stdout)
    assert told["requests_per_new_seller"] == round(told["requests"] / told["sellers_new"], 2)
    assert "requests per new seller" in first.stderr
    # The setting is for runs that are not told; another rule for pages is another search, but one
    # page was all that was asked for.
    second = cli("run", *SMALL, "--json", OXYLABS_URL=market.url, COLLECTOR_SEARCH_AGAIN_DAYS="30")
    again = json.loads(second.stdout)
    assert again["products_covered"] > again["products_total"]
    if not again["sellers_new"]:
        assert again["requests_per_new_seller"] is None
    assert "not due: left out of it" in second.stderr
    assert "covered by earlier searches" in second.stderr
    third = cli(
        *("run", *SMALL, "--json", "--search-again-days", "0"),
        OXYLABS_URL=market.url,
        COLLECTOR_SEARCH_AGAIN_DAYS="30",
    )
    assert json.loads(third.stdout)["products_covered"] == 0
    wrong = cli("run", *SMALL, "--page-on", "sometimes", OXYLABS_URL=market.url)
    assert wrong.returncode == 2
