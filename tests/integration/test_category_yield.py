"""What each category brought, which are unfruitful, and where that is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command_line import CommandLine
from frames_rows import DOGS, KITCHEN, Rows
from sqlalchemy import update

from collector import schema
from collector.database import Database
from collector.exports import export
from collector.reports.content import run_report
from collector.reports.tables import yield_table
from collector.settings import Settings
from collector.workbench import Workbench


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


@pytest.fixture
def bench(settings: Settings, database: Database) -> Iterator[Workbench]:
    with Workbench.open(settings) as bench:
        yield bench


def attempts(database: Database, sent: int, *, node_id: str) -> None:
    """What every item of a category took, and that it found whom its product's search saw new."""
    items = schema.collection_items
    with database.engine().begin() as conn:
        conn.execute(update(items).where(items.c.node_id == node_id).values(attempts=sent))


def found_new(database: Database, **new: int) -> None:
    """How many sellers the search of each product added, in every run alike."""
    items = schema.collection_items
    with database.engine().begin() as conn:
        for asin, number in new.items():
            conn.execute(update(items).where(items.c.asin == asin).values(sellers_new=number))


def three_runs(rows: Rows, database: Database, *, dogs: int, sent: int) -> None:
    """Kitchens bring four new sellers a run for two requests; dogs as many for as many as told."""
    for day in range(1, 4):
        rows.run(day, {"K1": ["ann", f"k{day}"], "D1": ["dora"]}, categories=(KITCHEN, DOGS))
    attempts(database, 2, node_id=KITCHEN[0])
    attempts(database, sent, node_id=DOGS[0])
    found_new(database, K1=4, D1=dogs)


def test_a_row_a_category_adds_up_over_the_ended_runs(
    bench: Workbench, rows: Rows, database: Database
) -> None:
    three_runs(rows, database, dogs=1, sent=5)
    rows.run(9, {"K1": ["zoe"]}, status="running")

    frame = bench.category_yield().set_index("node_id")

    kitchen, dogs = frame.loc[KITCHEN[0]], frame.loc[DOGS[0]]
    counts = ["runs", "requests", "sellers_found", "sellers_new", "new_in_latest_run"]
    assert kitchen[counts].tolist() == [3, 6, 4, 12, 4]
    assert dogs[counts].tolist() == [3, 15, 1, 3, 1]
    assert frame["requests_per_new_seller"].tolist() == [0.5, 5.0]
    assert (kitchen["department"], dogs["category"]) == ("Home & Kitchen", "Dogs")


@pytest.mark.parametrize(
    ("dogs", "sent", "unfruitful"),
    [
        # Beside 12 new sellers for 6 requests: (6 + sent) / (12 + new) requests each on the whole.
        (4, 2, False),
        (1, 1, False),
        (1, 5, True),
        (0, 4, True),
        (9, 20, False),
        (9, 5, False),
    ],
)
def test_a_category_is_unfruitful_by_what_a_new_seller_costs_there(
    bench: Workbench, rows: Rows, database: Database, dogs: int, sent: int, unfruitful: bool
) -> None:
    three_runs(rows, database, dogs=dogs, sent=sent)
    frame = bench.category_yield().set_index("node_id")
    assert frame["unfruitful"].to_dict() == {KITCHEN[0]: False, DOGS[0]: unfruitful}
    assert bench.unfruitful_categories() == ({DOGS[0]} if unfruitful else set())


def test_runs_that_hardly_sent_anything_condemn_no_category(
    bench: Workbench, rows: Rows, database: Database
) -> None:
    """As where next to nothing was due: it takes requests in vain, not runs in vain."""
    three_runs(rows, database, dogs=0, sent=1)
    found_new(database, K1=2)
    assert bench.unfruitful_categories() == set()
    attempts(database, 9, node_id=DOGS[0])
    assert bench.unfruitful_categories() == {DOGS[0]}


def test_two_runs_condemn_no_category(bench: Workbench, rows: Rows, database: Database) -> None:
    for day in (1, 2):
        rows.run(day, {"K1": ["ann"], "D1": []}, categories=(KITCHEN, DOGS))
    attempts(database, 900, node_id=DOGS[0])
    assert bench.unfruitful_categories() == set()


def test_where_nobody_is_new_anywhere_none_is_marked(
    bench: Workbench, rows: Rows, database: Database
) -> None:
    three_runs(rows, database, dogs=0, sent=5)
    found_new(database, K1=0)
    assert bench.unfruitful_categories() == set()
    assert bench.category_yield()["requests_per_new_seller"].isna().all()


def test_a_run_shows_its_own_categories_with_the_figures_of_all(
    bench: Workbench, rows: Rows, database: Database, tmp_path: Path
) -> None:
    three_runs(rows, database, dogs=0, sent=9)
    last = rows.run(4, {"D1": []}, categories=(DOGS,))
    frame = bench.category_yield(last)
    assert frame["node_id"].tolist() == [DOGS[0]]
    assert frame["runs"].tolist() == [4]
    table = yield_table(run_report(database, last, parameters={}))
    assert [row[1] for row in table.rows] == ["Dogs"]
    assert table.rows[0][-1] == "few new sellers"
    path = export(database, "category_yield", tmp_path / "yield.csv", actor="ana")
    assert pd.read_csv(path)["node_id"].astype(str).tolist() == [KITCHEN[0], DOGS[0]]


def test_the_terminal_and_the_launcher_mark_what_is_unfruitful(
    bench: Workbench, rows: Rows, database: Database, tmp_path: Path
) -> None:
    three_runs(rows, database, dogs=0, sent=9)
    cli = CommandLine.over(database, tmp_path / "home")
    assert "few new sellers for its requests" in cli("categories", DOGS[0]).stdout
    told = json.loads(cli("categories", DOGS[0], "--json").stdout)
    assert told[0]["unfruitful"] is True
    tree = bench.launcher().form.catalogue
    marked = {row[0] for _, listed in tree for row in listed if row[3]}
    assert marked == {DOGS[0]}
