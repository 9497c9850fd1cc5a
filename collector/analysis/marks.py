"""Which run another one compares with, and what a reader must know about a run and a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

# Fewer earlier runs than this say nothing about what is usual.
BASELINE_RUNS = 3
COVERING_TOLD = 3
UNRELIABLE_PAGES = ("blocked", "page_not_understood", "target_failed", "malformed_answer")
FINAL = ("completed", "failed", "cancelled")

MARKS: dict[str, str] = {
    "first_run": "No earlier completed run shares a category with this one: nothing to compare.",
    "in_progress": "The run has not ended: its figures still grow.",
    "capped": "The budget ended the run before everything was searched.",
    "cancelled": "The run was cancelled before everything was searched.",
    "failed": "The run failed before everything was searched.",
    "failed_items": "Some requests failed for good; what they would have shown is unknown.",
    "before_failed_items": "The run before has failed items: it may have missed sellers.",
    "changed_scope": "The two runs walked different categories.",
    "changed_search": "The two runs searched with different options.",
    "not_due": "Products that were not due count as an earlier search found them.",
}


@dataclass(frozen=True, slots=True)
class QualityNote:
    """One thing to know before trusting a run's figures.

    Attributes:
        mark: a short stable word.
        text: one sentence with the figures.
        weight: `info` explains, `warning` makes figures incomplete, `severe` makes them doubtful.
    """

    mark: str
    text: str
    weight: Literal["info", "warning", "severe"]


def _node_ids(run: Mapping[str, Any]) -> set[str]:
    return set(str(run["node_ids"]).split())


def previous_comparable(runs: pd.DataFrame, run_id: str) -> str | None:
    """The run that this one compares with, or None.

    It is the latest one launched before that is completed, has the same source and shares a
    category. A run that was capped, cancelled or failed is passed over: who was not seen by a
    run that stopped halfway did not leave, and would otherwise seem to return.

    Args:
        runs: the `runs` frame.
        run_id: a run in it.
    """
    run = runs.loc[runs["run_id"] == run_id].iloc[0]
    earlier = runs[
        (runs["created_at"] < run["created_at"])
        & (runs["status"] == "completed")
        & (runs["source"] == run["source"])
    ].sort_values("created_at", ascending=False)
    wanted = set(str(run["node_ids"]).split())
    for other_id, nodes in zip(earlier["run_id"], earlier["node_ids"], strict=True):
        if wanted & set(str(nodes).split()):
            return str(other_id)
    return None


def searches_alike(now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether the later run's searches take in whatever the earlier one's did.

    Args:
        now: the later run's options.
        before: the earlier run's options.
    """
    return bool(
        now.get("price_from_factor", 0) <= before.get("price_from_factor", 0)
        and now.get("price_to_factor", 0) >= before.get("price_to_factor", 0)
        and now.get("results_per_page", 0) >= before.get("results_per_page", 0)
        and now.get("geo_location") == before.get("geo_location")
    )


def marks(run: Mapping[str, Any], before: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What to know about a run and its comparison: keys of `MARKS`, in their order.

    Args:
        run: a row of the `runs` frame.
        before: the row of the run it is compared with, or None.
    """
    found: set[str] = set()
    if run["status"] in {"cancelled", "failed"}:
        found.add(str(run["status"]))
    if run["status"] not in FINAL:
        found.add("in_progress")
    if _is_capped(run):
        found.add("capped")
    if run["failed_items"]:
        found.add("failed_items")
    if before is None:
        found.add("first_run")
    else:
        if before["failed_items"]:
            found.add("before_failed_items")
        if _node_ids(run) != _node_ids(before):
            found.add("changed_scope")
        if _search(run) != _search(before):
            found.add("changed_search")
    if run["products_covered"]:
        found.add("not_due")
    return tuple(mark for mark in MARKS if mark in found)


def _is_capped(run: Mapping[str, Any]) -> bool:
    if run["pause_reason"] == "budget":
        return True
    spent = pd.notna(run["budget"]) and run["requests"] >= run["budget"]
    return bool(spent and (run["unfinished"] or run["status"] == "cancelled"))


def _search(run: Mapping[str, Any]) -> dict[str, Any]:
    # Runs that were launched before there was a choice went through all pages.
    options: dict[str, Any] = {"page_on": "always", **json.loads(run["options"])}
    # How many work at it changes nothing of what is asked, and what is not due is told apart.
    for beside in ("workers", "search_again_days"):
        options.pop(beside, None)
    return options


def quality_notes(
    run: Mapping[str, Any],
    *,
    found: Sequence[str],
    outcomes: Mapping[str, int],
    earlier_sellers_found: Sequence[int] = (),
    sellers_seen: int | None = None,
    covering: Mapping[str, int] | None = None,
) -> list[QualityNote]:
    """Everything that limits what a run's figures say, the heaviest first.

    Args:
        run: a row of the `runs` frame.
        found: what `marks` gave.
        outcomes: how many of the run's requests ended in each outcome (`ok`, kinds of error,
            and `unknown` for those whose outcome nobody learnt).
        earlier_sellers_found: `sellers_found` of earlier comparable runs.
        sellers_seen: sellers the run stands for, where that is more than it saw itself.
        covering: by the id of each run whose searches cover products that were not due, how many.
    """
    figures = {
        "capped": f" {run['requests']:,} of {run['budget']} requests were spent.",
        "failed_items": f" Failed items: {run['failed_items']:,}.",
        "not_due": _not_due(run["products_covered"], covering or {}),
    }
    severe = {"capped", "cancelled", "failed"}
    plain = {"first_run", "changed_search", "before_failed_items", "changed_scope", "not_due"}
    notes = [
        QualityNote(
            mark,
            MARKS[mark] + figures.get(mark, ""),
            "severe" if mark in severe else "info" if mark in plain else "warning",
        )
        for mark in found
    ]
    unreliable = {kind: outcomes[kind] for kind in UNRELIABLE_PAGES if outcomes.get(kind)}
    if unreliable:
        listed = ", ".join(f"{count:,} × {kind}" for kind, count in unreliable.items())
        text = f"Pages came that could not be relied on: {listed}."
        notes.append(QualityNote("unreliable_pages", text, "info"))
    if outcomes.get("unknown") and "in_progress" not in found:
        text = f"The outcome of {outcomes['unknown']:,} requests is unknown (a process ended)."
        notes.append(QualityNote("unknown_outcomes", text, "info"))
    if run["lists_failed"]:
        text = f"{run['lists_failed']:,} best-seller lists failed: their products are missing."
        notes.append(QualityNote("lists_failed", text, "warning"))
    if run["products_skipped"]:
        text = f"{run['products_skipped']:,} products were not searched (no price in dollars)."
        notes.append(QualityNote("products_skipped", text, "info"))
    if len(earlier_sellers_found) >= BASELINE_RUNS:
        usual = float(pd.Series(earlier_sellers_found).median())
        found_now = run["sellers_found"] if sellers_seen is None else sellers_seen
        if found_now < usual / 2:
            text = f"{found_now:,} sellers found; {usual:,.0f} is usual: less than half."
            notes.append(QualityNote("few_sellers", text, "severe"))
    order = ("severe", "warning", "info")
    return sorted(notes, key=lambda note: order.index(note.weight))


def _not_due(products: int, covering: Mapping[str, int]) -> str:
    """How many products an earlier search covers, and whose search."""
    told = sorted(covering.items(), key=lambda pair: (-pair[1], pair[0]))
    from_ = [f"{count:,} from run {run_id[:8]}" for run_id, count in told[:COVERING_TOLD]]
    if len(told) > COVERING_TOLD:
        from_.append(f"{sum(n for _, n in told[COVERING_TOLD:]):,} from earlier ones")
    return f" Not due: {products:,} ({', '.join(from_)})." if from_ else f" Not due: {products:,}."


def badge(notes: Sequence[QualityNote]) -> Literal["complete", "incomplete", "doubtful"]:
    """One word for a run's figures: the heaviest note decides."""
    weights = {note.weight for note in notes}
    if "severe" in weights:
        return "doubtful"
    return "incomplete" if "warning" in weights else "complete"
