"""Twelve days of one market through real runs: each delta beside what the sandbox did that day.

The sandbox is asked what a run over these lists must find (`/_sandbox/truth`). From that alone the
deltas are worked out with plain sets; the runs know nothing of it. One run is capped by its
budget, one walks other lists. `--quick` walks four days.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from measured import desk_of_its_own, is_quick, keep, password, print_table

from collector import Workbench
from collector.analysis import STATUSES, summary
from collector.run import Run
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings

LISTS = ("289754", "3610841", "2975312011")
OTHER_LISTS = ("289754", "172541")
LIST_LENGTH = 6


@dataclass(frozen=True)
class Plan:
    """One run: over which lists, and with what budget."""

    lists: Sequence[str] = LISTS
    budget: int | None = None

    @property
    def kind(self) -> str:
        if self.budget:
            return "capped"
        return "whole" if self.lists == LISTS else "other lists"


@dataclass
class Market:
    """What the sandbox knows, and what follows from it for a list that began empty."""

    url: str
    known: set[str] = field(default_factory=set)
    before: dict[str, set[str]] | None = None

    def truth(self, plan: Plan, day: int, *, pages: int = 3) -> dict[str, set[str]]:
        """By product that can be searched: the sellers on so many pages of it, case-folded."""
        asked = f"day={day}&nodes={','.join(plan.lists)}&pages={pages}"
        address = f"{self.url}/_sandbox/truth?{asked}"
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own server
            told = json.load(answer)
        return {
            product["asin"]: {name.casefold() for name in product["sellers"]}
            for product in told["products"]
            if product["price_cents"] is not None
        }

    def expected(self, now: dict[str, set[str]], searched: set[str] | None) -> dict[str, int]:
        """The delta of a run that saw this.

        `searched` are the products that a capped run searched to the end. None stands for a whole
        run: it searched all, and is what the next one is compared with.
        """
        here = set().union(*now.values())
        before = self.before or {}
        there = set().union(*before.values())
        again = set(now) if searched is None else searched
        counts = dict.fromkeys(STATUSES, 0)
        counts["new"] = len(here - self.known)
        counts["returning"] = len((here & self.known) - there)
        counts["retained"] = len(here & there)
        for seller in there - here:
            under = {asin for asin, sellers in before.items() if seller in sellers}
            counts["not_seen" if under <= again else "out_of_scope"] += 1
        self.known |= here
        if searched is None:
            self.before = now
        return counts


def walk(settings: Settings, plans: Sequence[Plan], *, seed: int = 7) -> list[dict[str, Any]]:
    """Run the plans one after the other, each on the market's next day; one row a run."""
    rows = []
    options: dict[str, object] = {"list-length": LIST_LENGTH}
    with SandboxProcess(seed=seed, latency_s=0, options=options) as sandbox:
        there = {
            "oxylabs_url": sandbox.url,
            "oxylabs_username": "sandbox",
            "oxylabs_password": password("sandbox"),
        }
        market = Market(sandbox.base_url)
        with Workbench.open(settings.model_copy(update=there)) as bench:
            for plan in plans:
                rows.append(_one_run(bench, market, plan))
    return rows


def _one_run(bench: Workbench, market: Market, plan: Plan) -> dict[str, Any]:
    run = bench.launch(list(plan.lists), budget=plan.budget)
    run.wait(300)
    if plan.budget:
        run.cancel()
        _until_ended(run)
    row = bench.runs().set_index("run_id").loc[str(run.id)]
    day = int(row["sandbox_day"])
    now, searched = market.truth(plan, day), None
    if plan.budget:
        # How far a capped run came is for the run to tell; what stood there, for the sandbox.
        items = bench.items(run).query("kind == 'seller_search'")
        done = items[items["status"] == "done"].groupby("asin")["page"].max()
        searched = set(items["asin"]) - set(items.loc[items["status"] != "done", "asin"])
        now = {
            asin: market.truth(plan, day, pages=int(pages))[asin] for asin, pages in done.items()
        }
    expected = market.expected(now, searched)
    found = summary(bench.deltas(run))
    return {
        "day": day,
        "run": plan.kind,
        "status": row["status"],
        "requests": int(row["requests"]),
        "found": found["now"],
        **{status: found[status] for status in STATUSES},
        "list": int(row["seller_count_snapshot"]),
        "as the sandbox": {status: found[status] for status in STATUSES} == expected
        and int(row["seller_count_snapshot"]) == len(market.known),
        "expected": expected,
    }


def _until_ended(run: Run) -> None:
    deadline = time.monotonic() + 30
    while not run.progress().status.is_final:
        if time.monotonic() > deadline:
            raise TimeoutError("the capped run did not end")
        time.sleep(0.05)


def plans_for(days: int) -> list[Plan]:
    """A run a day; after the third one that is capped, and the next but one over other lists."""
    plans = [Plan() for _ in range(days)]
    plans.insert(3, Plan(budget=12))
    plans[5 if days > 4 else 4] = Plan(lists=OTHER_LISTS)
    return plans


def main() -> int:
    with desk_of_its_own() as (settings, database):
        database.dispose()
        rows = walk(settings, plans_for(4 if is_quick() else 12))
    heads = [head for head in rows[0] if head != "expected"]
    print_table(
        heads,
        [
            [
                "yes" if v is True else "NO" if v is False else v
                for h, v in row.items()
                if h in heads
            ]
            for row in rows
        ],
    )
    keep("days", rows)
    return 0 if all(row["as the sandbox"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
