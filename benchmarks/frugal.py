"""What frugal rules save and what they miss: the same days of one market under each rule.

A whole run on day 0 begins every list; from day 1 on a run a day goes by the rule. The sandbox is
asked what stood there each day (`/_sandbox/truth`), of which the runs know nothing: who of it was
never found, how many days later the others were found than they could have been, and whether
anybody was called not seen who stood there. `--quick` walks four days.
"""

from __future__ import annotations

import json
import statistics
import sys
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from measured import desk_of_its_own, is_quick, keep, password, print_table

from collector import Workbench
from collector.models import RunOptions
from collector.run import Run
from collector.sandbox.process import SandboxProcess

LISTS = ("289754", "3610841", "2975312011", "172541", "166269011")
LIST_LENGTH = 12
# Three pages hold the longest search of this market: a rule that ends one early can miss somebody.
PAGE_CAP = 20
SEED = 11
EVERYTHING = "search everything"
RULES: dict[str, dict[str, Any]] = {
    EVERYTHING: {},
    "again after 2 days": {"search_again_days": 2},
    "again after 4 days": {"search_again_days": 4},
    "again after 7 days": {"search_again_days": 7},
    "page while new to the run": {"page_on": "while_new_to_run"},
    "page while new to the list": {"page_on": "while_new"},
    "2 days, page while new to the run": {"search_again_days": 2, "page_on": "while_new_to_run"},
    "4 days, page while new to the run": {"search_again_days": 4, "page_on": "while_new_to_run"},
    "4 days, page while new to the list": {"search_again_days": 4, "page_on": "while_new"},
}


@dataclass
class Walked:
    """What a rule came to over the days."""

    requests: list[int] = field(default_factory=list)
    sellers_new: list[int] = field(default_factory=list)
    there: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    wrong_not_seen: int = 0

    def note(self, day: int, *, there: set[str], found: set[str], not_seen: set[str]) -> None:
        """Note a day: who stood there, who was found until then, who was called not seen."""
        for name in there:
            self.there.setdefault(name, day)
        for name in found:
            self.found.setdefault(name, day)
        self.wrong_not_seen += len(not_seen & there)

    @property
    def never_found(self) -> int:
        return len(self.there.keys() - self.found.keys())

    @property
    def delays(self) -> list[int]:
        """Days from when each seller that came after the first day stood there until found."""
        came = {name: day for name, day in self.there.items() if day > 0}
        return [self.found[name] - day for name, day in came.items() if name in self.found]


def truth(url: str, day: int) -> set[str]:
    """Every seller on the pages that a whole run over the lists may read, case-folded."""
    address = f"{url}/_sandbox/truth?day={day}&nodes={','.join(LISTS)}&pages=3"
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own server
        told = json.load(answer)
    return {
        name.casefold()
        for product in told["products"]
        if product["price_cents"] is not None
        for name in product["sellers"]
    }


def walk(rule: dict[str, Any], days: int) -> Walked:
    """One whole run, then as many days by the rule, on a database and a market of their own."""
    walked = Walked()
    with (
        SandboxProcess(
            seed=SEED, latency_s=0, options={"list-length": LIST_LENGTH, "page-cap": PAGE_CAP}
        ) as sandbox,
        desk_of_its_own(
            oxylabs_url=sandbox.url,
            oxylabs_username="sandbox",
            oxylabs_password=password("sandbox"),
        ) as (settings, database),
    ):
        database.dispose()
        with Workbench.open(settings) as bench:
            for day in range(days + 1):
                run = bench.launch(list(LISTS), options=RunOptions(**(rule if day else {})))
                done = run.wait(600)
                if done.status != "completed" or done.failed_items:
                    told = f"{done.status}, {done.failed_items} failed items: {done.message}"
                    raise RuntimeError(f"the run of day {day} did not end whole ({told})")
                walked.requests.append(done.requests)
                walked.sellers_new.append(done.sellers_new)
                walked.note(
                    day,
                    there=truth(sandbox.base_url, day),
                    found={str(name) for name in bench.sellers()["normalized_name"]},
                    not_seen=_not_seen(bench, run),
                )
    return walked


def _not_seen(bench: Workbench, run: Run) -> set[str]:
    delta = bench.deltas(run)
    return {
        str(name).casefold() for name in delta.loc[delta["status"] == "not_seen", "display_name"]
    }


def figures(rule: str, walked: Walked, *, everything: Walked) -> dict[str, Any]:
    """A rule's row. Requests count from day 1 on: the first run is the same for all."""
    sent, most = sum(walked.requests[1:]), sum(everything.requests[1:])
    new = sum(walked.sellers_new[1:])
    return {
        "rule": rule,
        "requests": sent,
        "saved": f"{1 - sent / most:.0%}",
        "new sellers": new,
        "requests per new seller": round(sent / new, 2) if new else None,
        "never found": walked.never_found,
        "of": len(walked.there),
        "mean delay, days": round(statistics.fmean(walked.delays), 2) if walked.delays else None,
        "found late": sum(delay > 0 for delay in walked.delays),
        "wrong not seen": walked.wrong_not_seen,
    }


def main() -> int:
    days = 4 if is_quick() else 12
    walks = {rule: walk(options, days) for rule, options in RULES.items()}
    rows = [figures(rule, w, everything=walks[EVERYTHING]) for rule, w in walks.items()]
    print(f"{len(LISTS)} lists of {LIST_LENGTH} places, days 1 to {days} after a whole first run")
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    keep("frugal", {"days": days, "rules": rows})
    return 1 if any(row["wrong not seen"] for row in rows) or rows[0]["never found"] else 0


if __name__ == "__main__":
    sys.exit(main())
