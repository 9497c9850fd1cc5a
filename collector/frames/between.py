"""Deltas between runs, read from the database and handed to the pure analysis."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pandas as pd

from collector import analysis
from collector.columns import TIME, Column, FrameSpec
from collector.database import Database
from collector.errors import UnknownRun
from collector.frames import specs
from collector.frames.reading import read

HISTORY = FrameSpec(
    "history",
    "one run beside the completed run before it that compares with it",
    "oldest first",
    (
        Column("run_id", "str", "the run"),
        Column("name", "str", "its name"),
        Column("created_at", TIME, "when it was launched"),
        Column("before_id", "str", "the run it is compared with; missing for a first one"),
        Column("now", "int64", "sellers this run stands for = new + returning + retained"),
        Column(
            "before", "int64", "sellers the run before saw = retained + not_seen + out_of_scope"
        ),
        *(Column(status, "int64", f"sellers that are {status}") for status in analysis.STATUSES),
        Column(
            "carried_over",
            "int64",
            "of now, sellers that only searches saw which cover products that were not due",
        ),
        Column("products_covered", "int64", "products that were not due"),
        Column("requests", "int64", "requests it sent"),
        Column(
            "requests_per_new_seller",
            "float64",
            "requests / sellers it added to the list; missing where none was new",
            "requests",
        ),
        Column("marks", "str", "what to know about the comparison, a blank between; see MARKS"),
    ),
)


@dataclass(frozen=True, slots=True)
class RunFrames:
    """What one run stands for: its own searches, and those that cover what was not due.

    Attributes:
        sightings: the `seen` frame of the run.
        coverage: the `coverage` frame of the run.
    """

    sightings: pd.DataFrame
    coverage: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run beside another: their rows, their frames and the delta. `before` may be None."""

    run: dict[str, Any]
    before: dict[str, Any] | None
    now: RunFrames
    then: RunFrames
    delta: pd.DataFrame

    @property
    def marks(self) -> tuple[str, ...]:
        """What to know about it: keys of `analysis.MARKS`."""
        return analysis.marks(self.run, self.before)


def compare(
    database: Database,
    run_id: UUID,
    *,
    before_id: UUID | None = None,
    runs: pd.DataFrame | None = None,
) -> Comparison:
    """A run beside the one named, or beside the completed run before that compares with it.

    Args:
        database: where to read.
        run_id: the later run.
        before_id: the earlier run; by default `analysis.previous_comparable`.
        runs: the `runs` frame, where the caller has it already.

    Raises:
        UnknownRun: one of the runs does not exist.
        DatabaseError: the database cannot be read.
    """
    known = read(database, specs.RUNS) if runs is None else runs
    run = row_of(known, run_id)
    other = before_id or _uuid(analysis.previous_comparable(known, str(run_id)))
    before = row_of(known, other) if other else None
    now = run_frames(database, run_id)
    then = run_frames(database, other) if other else _nothing()
    return Comparison(run, before, now, then, _delta(run, before, now, then))


def deltas(database: Database, run_id: UUID, *, before_id: UUID | None = None) -> pd.DataFrame:
    """One row a seller that the run or the one before saw, with its status (`analysis.DELTAS`).

    Raises:
        UnknownRun: one of the runs does not exist.
        DatabaseError: the database cannot be read.
    """
    return compare(database, run_id, before_id=before_id).delta


def history(database: Database) -> pd.DataFrame:
    """One row a run, with the counts of its delta along time (`HISTORY`).

    Raises:
        DatabaseError: the database cannot be read.
    """
    known = read(database, specs.RUNS)
    rows: list[dict[str, object]] = []
    kept: dict[str, RunFrames] = {}
    for run_id in reversed(list(known["run_id"])):
        run = row_of(known, UUID(run_id))
        before_id = analysis.previous_comparable(known, run_id)
        before = row_of(known, UUID(before_id)) if before_id else None
        # Only the run before is kept: what this holds does not grow with the number of runs.
        then = _nothing()
        if before_id:
            then = kept.get(before_id) or run_frames(database, UUID(before_id))
        now = run_frames(database, UUID(run_id))
        kept = {run_id: now} | ({before_id: then} if before_id else {})
        delta = _delta(run, before, now, then)
        rows.append(
            {
                "run_id": run_id,
                "name": run["name"],
                "created_at": run["created_at"],
                "before_id": before_id,
                "marks": " ".join(analysis.marks(run, before)),
                "carried_over": int(delta["carried_over"].sum()),
                "products_covered": run["products_covered"],
                "requests": run["requests"],
                "requests_per_new_seller": run["requests_per_new_seller"],
                **analysis.summary(delta),
            }
        )
    return HISTORY.frame(rows)


def run_frames(database: Database, run_id: UUID) -> RunFrames:
    """What one run stands for.

    Raises:
        DatabaseError: the database cannot be read.
    """
    return RunFrames(
        read(database, specs.SEEN, run_id=run_id),
        read(database, specs.COVERAGE, run_id=run_id),
    )


def row_of(runs: pd.DataFrame, run_id: UUID) -> dict[str, Any]:
    """One run's row.

    Raises:
        UnknownRun: the frame has no such run.
    """
    found = runs.loc[runs["run_id"] == str(run_id)]
    if found.empty:
        raise UnknownRun(f"There is no run {run_id}; `collector runs` lists those there are.")
    return {str(name): value for name, value in found.iloc[0].items()}


def _delta(
    run: dict[str, Any], before: dict[str, Any] | None, now: RunFrames, then: RunFrames
) -> pd.DataFrame:
    alike = before is not None and analysis.searches_alike(
        json.loads(run["options"]), json.loads(before["options"])
    )
    return analysis.deltas(
        now.sightings,
        then.sightings,
        coverage_now=now.coverage,
        coverage_before=then.coverage,
        alike=alike,
    )


def _nothing() -> RunFrames:
    return RunFrames(specs.SEEN.empty(), specs.COVERAGE.empty())


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None
