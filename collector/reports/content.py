"""What a report says: the figures of one run, taken from the frames, without any form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pandas as pd

from collector import analysis, frames
from collector.database import Database
from collector.frames.between import Comparison, compare
from collector.frames.growth import by_place
from collector.frames.quality import quality
from collector.models import utc_now

NEW_SELLERS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything that a report of one run shows.

    Attributes:
        run: the run's row of the `runs` frame.
        before: the row of the run it is compared with, or None.
        summary: the delta's counts, see `analysis.summary`.
        marks: what to know about the comparison, see `analysis.MARKS`.
        notes: what limits the figures, the heaviest first.
        badge: `complete`, `incomplete` or `doubtful`.
        new_sellers: rows of the `sellers` frame, those this run added, at most `NEW_SELLERS_SHOWN`
            and none that was removed since.
        new_sellers_total: how many those are in all.
        delta: what `frames.deltas` gives.
        by_category: what `analysis.by_category` gives.
        by_department: the same, a row a department.
        category_yield: what `frames.category_yield` gives for the run's categories.
        errors: `outcome`, `requests` and `items` (that stand failed with it), a row a kind.
        requests: the run's `requests` frame.
        snapshots: the `snapshots` frame up to the run's end (all of it while it goes on).
        ended_runs: the `runs` frame's ended runs up to this one, oldest first.
        parameters: what led to the report, and the run's options.
        generated_at: when it was written.
    """

    run: dict[str, Any]
    before: dict[str, Any] | None
    summary: dict[str, int]
    marks: tuple[str, ...]
    notes: list[analysis.QualityNote]
    badge: str
    new_sellers: pd.DataFrame
    new_sellers_total: int
    delta: pd.DataFrame
    by_category: pd.DataFrame
    by_department: pd.DataFrame
    category_yield: pd.DataFrame
    errors: pd.DataFrame
    requests: pd.DataFrame
    snapshots: pd.DataFrame
    ended_runs: pd.DataFrame
    parameters: dict[str, str]
    generated_at: datetime

    @property
    def is_sandbox(self) -> bool:
        """Whether the market is invented."""
        return bool(self.run["source"] == "sandbox")

    @property
    def in_progress(self) -> bool:
        """Whether the run has not ended."""
        return "in_progress" in self.marks

    @property
    def new_sellers_left_out(self) -> int:
        """New sellers that are not in `new_sellers`."""
        return self.new_sellers_total - len(self.new_sellers)


def run_report(database: Database, run_id: UUID, *, parameters: Mapping[str, Any]) -> RunReport:
    """Gather a run's figures.

    Raises:
        UnknownRun: there is no such run.
        DatabaseError: the database cannot be read.
    """
    runs = frames.runs(database)
    comparison = compare(database, run_id, runs=runs)
    run = comparison.run
    requests = frames.requests(database, run_id=run_id)
    errors = _errors(requests, frames.items(database, run_id=run_id))
    outcomes = {str(k): int(n) for k, n in errors.set_index("outcome")["requests"].items()}
    trust = quality(comparison, runs, outcomes)
    sellers = frames.sellers(database, run_id=run_id)
    new = sellers[sellers["seller_id"].isin(_status(comparison, "new"))]
    ended = runs[runs["finished_at"].notna() & (runs["created_at"] <= run["created_at"])]
    snapshots = frames.snapshots(database)
    if pd.notna(run["finished_at"]):
        snapshots = snapshots[snapshots["taken_at"] <= run["finished_at"]]
    return RunReport(
        run=run,
        before=comparison.before,
        summary=analysis.summary(comparison.delta),
        marks=comparison.marks,
        notes=list(trust.notes),
        badge=trust.badge,
        new_sellers=new.head(NEW_SELLERS_SHOWN),
        new_sellers_total=len(new),
        delta=comparison.delta,
        by_category=by_place(database, comparison, "category"),
        by_department=by_place(database, comparison, "department"),
        category_yield=frames.category_yield(database, run_id=run_id),
        errors=errors,
        requests=requests,
        snapshots=snapshots,
        ended_runs=ended.iloc[::-1],
        parameters=_recorded(run, parameters),
        generated_at=utc_now(),
    )


def _status(comparison: Comparison, status: str) -> pd.Series[int]:
    delta = comparison.delta
    return delta.loc[delta["status"] == status, "seller_id"]


def _errors(requests: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    sent = requests["outcome"].fillna("unknown").value_counts()
    failed = items.loc[items["status"] == "failed", "error_type"].value_counts()
    table = pd.DataFrame({"requests": sent, "items": failed}).fillna(0).astype("int64")
    table.index.name = "outcome"
    return table.sort_values(["requests", "items"], ascending=False).reset_index()


def _recorded(run: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, str]:
    recorded = {"categories": str(run["category_names"])}
    recorded |= {str(name): str(value) for name, value in json.loads(run["options"]).items()}
    if pd.notna(run["budget"]):
        recorded["budget"] = str(run["budget"])
    return recorded | {str(name): str(value) for name, value in parameters.items()}
