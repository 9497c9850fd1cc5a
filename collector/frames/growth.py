"""How the list and its sellers grow along all runs: by place, by cohort, spread and score."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import pandas as pd

from collector import analysis
from collector.columns import TIME, Column, FrameSpec
from collector.database import Database
from collector.frames import specs
from collector.frames.between import Comparison, compare
from collector.frames.reading import read

Level = Literal["department", "category"]

GROWTH_BY_PLACE = FrameSpec(
    "growth_by_place",
    "one run in one department or category, beside the run before that compares with it",
    "oldest run first, then most sellers first",
    (
        Column("run_id", "str", "the run"),
        Column("name", "str", "its name"),
        Column("created_at", TIME, "when it was launched"),
        *analysis.BY_CATEGORY.columns,
        Column("marks", "str", "what to know about the comparison, a blank between; see MARKS"),
    ),
)


def by_place(database: Database, comparison: Comparison, level: Level) -> pd.DataFrame:
    """The delta of a pair of runs by category or department (`analysis.BY_CATEGORY`).

    Raises:
        DatabaseError: the database cannot be read.
    """
    now = read(database, specs.PRODUCTS, run_id=UUID(comparison.run["run_id"]))
    then = now.head(0)
    if comparison.before:
        then = read(database, specs.PRODUCTS, run_id=UUID(comparison.before["run_id"]))
    return analysis.by_category(
        comparison.delta,
        now=comparison.now.sightings,
        before=comparison.then.sightings,
        products_now=now,
        products_before=then,
        level=level,
    )


def growth_by_place(database: Database, level: Level) -> pd.DataFrame:
    """Every run's delta by category or department, along time (`GROWTH_BY_PLACE`).

    Raises:
        DatabaseError: the database cannot be read.
    """
    known = read(database, specs.RUNS)
    parts = []
    for run_id in reversed(list(known["run_id"])):
        comparison = compare(database, UUID(run_id), runs=known)
        run = comparison.run
        parts.append(
            by_place(database, comparison, level).assign(
                run_id=run_id,
                name=run["name"],
                created_at=run["created_at"],
                marks=" ".join(comparison.marks),
            )
        )
    filled = [part for part in parts if len(part)]
    if not filled:
        return GROWTH_BY_PLACE.empty()
    return GROWTH_BY_PLACE.shaped(pd.concat(filled, ignore_index=True))


def cohorts(database: Database) -> pd.DataFrame:
    """Each run's new sellers, and how many of them every later run saw (`analysis.COHORTS`).

    Raises:
        DatabaseError: the database cannot be read.
    """
    return analysis.cohorts(read(database, specs.SEEN), read(database, specs.RUNS))


def spread(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """How far each seller reaches (`analysis.SPREAD`), as one run saw it or all did.

    Raises:
        DatabaseError: the database cannot be read.
    """
    return analysis.spread(
        read(database, specs.SIGHTINGS, run_id=run_id),
        read(database, specs.PRODUCTS, run_id=run_id),
    )


def scores(database: Database, *, weights: analysis.ScoreWeights | None = None) -> pd.DataFrame:
    """Who looks like a dropshipper, with all parts of the score (`analysis.SCORES`).

    Here only a run's own searches count: one that took a product over has not looked again.

    Raises:
        DatabaseError: the database cannot be read.
    """
    sightings = read(database, specs.SIGHTINGS)
    products = read(database, specs.PRODUCTS)
    return analysis.scores(
        analysis.spread(sightings, products),
        read(database, specs.SELLERS),
        sightings=sightings,
        coverage=read(database, specs.COVERAGE),
        runs=read(database, specs.RUNS),
        departments_walked=int(products["department"].nunique()),
        weights=weights,
    )
