"""Tables as dataframes. One function a frame; each frame's columns are documented in `specs`.

Times are aware UTC; whole numbers that may be missing are `Int64`; text is pandas' `str`. An
empty table gives an empty frame with the same dtypes. A million sellers take about a second.
All functions raise `DatabaseError` where the database cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import pandas as pd

from collector.database import Database
from collector.frames import specs
from collector.frames.as_of import ListDiff, list_diff, sellers_as_of
from collector.frames.between import deltas, history
from collector.frames.growth import cohorts, growth_by_place, scores, spread
from collector.frames.quality import Quality, quality
from collector.frames.reading import read
from collector.frames.specs import FRAMES
from collector.models import Category

__all__ = [
    "FRAMES",
    "ListDiff",
    "Quality",
    "activity",
    "audit_log",
    "categories",
    "category_yield",
    "cohorts",
    "coverage",
    "deltas",
    "growth_by_place",
    "history",
    "items",
    "list_diff",
    "products",
    "quality",
    "requests",
    "runs",
    "scores",
    "sellers",
    "sellers_as_of",
    "sightings",
    "snapshots",
    "spread",
]


def categories(chosen: Iterable[Category]) -> pd.DataFrame:
    """One row a category of the catalogue.

    Columns: `department`, `name` (empty for a department's own list) and `node_id`, all `str`,
    and `confirmed`, a bool: whether two or more public sources name it.
    """
    columns = ["department", "name", "node_id"]
    rows = [(c.department, c.name, c.node_id, c.confirmed) for c in chosen]
    frame = pd.DataFrame(rows, columns=[*columns, "confirmed"])
    return frame.astype({**dict.fromkeys(columns, "str"), "confirmed": "bool"})


def runs(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row a run, newest first (`specs.RUNS`)."""
    return read(database, specs.RUNS, run_id=run_id)


def items(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row an item (`specs.ITEMS`), of one run or of all."""
    return read(database, specs.ITEMS, run_id=run_id)


def products(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row an entry of a best-seller list (`specs.PRODUCTS`), of one run or of all."""
    return read(database, specs.PRODUCTS, run_id=run_id)


def sellers(
    database: Database, *, run_id: UUID | None = None, include_removed: bool = False
) -> pd.DataFrame:
    """One row a seller (`specs.SELLERS`), those that one run saw or all.

    Sellers that an analyst took off the list come only with `include_removed`.
    """
    return read(database, specs.SELLERS, run_id=run_id, everything=include_removed)


def sightings(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row a sighting (`specs.SIGHTINGS`), of one run or of all; removed sellers are marked."""
    return read(database, specs.SIGHTINGS, run_id=run_id)


def coverage(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row a product searched by a run (`specs.COVERAGE`): how far the search got."""
    return read(database, specs.COVERAGE, run_id=run_id)


def snapshots(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row an audit entry or end of a run (`specs.SNAPSHOTS`): the count right after."""
    return read(database, specs.SNAPSHOTS, run_id=run_id)


def audit_log(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row an audit entry (`specs.AUDIT_LOG`), those of one run or all."""
    return read(database, specs.AUDIT_LOG, run_id=run_id)


def activity(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row an activity entry (`specs.ACTIVITY`), of one run or of all."""
    return read(database, specs.ACTIVITY, run_id=run_id)


def requests(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row a request (`specs.REQUESTS`), of one run or of all."""
    return read(database, specs.REQUESTS, run_id=run_id)


def category_yield(database: Database, *, run_id: UUID | None = None) -> pd.DataFrame:
    """One row a category over all ended runs (`specs.CATEGORY_YIELD`), of one run's lists or all.

    The figures are those of all runs also where only one run's lists are asked for.
    """
    return read(database, specs.CATEGORY_YIELD, run_id=run_id)
