"""Frames of a real database: what they hold, their dtypes, and how they are read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pandas as pd
import pyarrow as pa
import pytest
from frames_rows import DOGS, FIRST_DAY, KITCHEN, Rows
from sqlalchemy import insert, update

from collector import frames, schema
from collector.database import Database
from collector.errors import DatabaseError, UnknownRun
from collector.frames.between import HISTORY, compare
from collector.frames.reading import adbc_batches, psycopg_batches
from collector.frames.specs import FRAMES
from collector.models import RunOptions
from collector.store.frame_queries import QUERIES


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


def _dtypes(name: str) -> dict[str, str]:
    return {column.name: column.dtype for column in FRAMES[name].columns}


@pytest.mark.parametrize("name", FRAMES)
def test_an_empty_table_gives_an_empty_frame_with_the_documented_dtypes(
    database: Database, name: str
) -> None:
    frame = getattr(frames, name)(database)

    assert len(frame) == 0
    assert frame.dtypes.astype(str).to_dict() == _dtypes(name)


@pytest.mark.parametrize("name", FRAMES)
def test_a_filled_frame_has_the_documented_columns_and_dtypes(
    database: Database, rows: Rows, name: str
) -> None:
    """Every nullable column is met with and without a value in some frame or other."""
    _everything(database, rows)

    frame = getattr(frames, name)(database)

    assert len(frame) > 0
    assert frame.dtypes.astype(str).to_dict() == _dtypes(name)
    assert list(frame.columns) == FRAMES[name].names


@pytest.mark.parametrize("name", FRAMES)
def test_both_drivers_read_the_same(database: Database, rows: Rows, name: str) -> None:
    run_id = _everything(database, rows)
    schema_of, spec = FRAMES[name].schema, FRAMES[name]

    for one_run in (False, True):
        sql = QUERIES[name].text(one_run=one_run)
        chosen = run_id if one_run else None
        through = [
            pa.Table.from_batches(
                read(database, sql, schema=schema_of, run_id=chosen), schema=schema_of
            )
            for read in (adbc_batches, psycopg_batches)
        ]
        pd.testing.assert_frame_equal(*(spec.from_arrow(table) for table in through))
        assert through[0].num_rows > 0


def test_frames_are_read_where_adbc_cannot_be_loaded(database: Database, rows: Rows) -> None:
    rows.run(1, {"A1": ["anna", "bob"]})
    script = (
        "import json, sys\n"
        "sys.modules['adbc_driver_postgresql'] = None\n"
        "import sqlalchemy\n"
        "from collector import frames\n"
        "from collector.database import Database\n"
        "database = Database(url=sqlalchemy.make_url(sys.stdin.read()), is_embedded=False)\n"
        "print(json.dumps(list(frames.sellers(database)['display_name'])))\n"
    )

    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        input=database.url.render_as_string(hide_password=False),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert json.loads(answer.stdout) == ["anna", "bob"]


def test_reading_leaves_no_open_transaction_and_cannot_write(
    database: Database, rows: Rows
) -> None:
    rows.run(1, {"A1": ["anna"]})
    watch = pa.schema([("state", pa.string())])
    sql = (
        "SELECT state FROM pg_stat_activity WHERE datname = current_database() "
        "AND state LIKE 'idle in transaction%'"
    )

    frames.sellers(database)

    assert [b.num_rows for b in adbc_batches(database, sql, schema=watch) if b.num_rows] == []
    with pytest.raises(DatabaseError, match=r"read-only|only reads"):
        list(psycopg_batches(database, "DELETE FROM sellers RETURNING note", schema=watch))
    assert len(frames.sellers(database)) == 1


@pytest.mark.parametrize("read", [frames.sellers, frames.runs])
def test_an_unreachable_database_is_one_clear_line(
    server: Database, read: Callable[[Database], pd.DataFrame]
) -> None:
    with pytest.raises(DatabaseError) as caught:
        read(server.named("nowhere_to_be_found"))

    assert "nowhere_to_be_found" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_without_tables_is_one_clear_line(empty_database: Database) -> None:
    with pytest.raises(DatabaseError) as caught:
        frames.sellers(empty_database)

    assert "sellers" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_runs_come_newest_first_with_their_figures(database: Database, rows: Rows) -> None:
    first = rows.run(1, {"A1": ["anna", "bob"]}, categories=(KITCHEN, DOGS))
    second = rows.run(2, {"A1": ["anna"], "A2": ["carl"]}, failed=["A2"], budget=7)

    frame = frames.runs(database).set_index("run_id")

    assert list(frame.index) == [str(second), str(first)]
    assert frame.loc[str(first), "category_names"] == "Home & Kitchen; Pet Supplies › Dogs"
    assert frame.loc[str(first), "node_ids"] == "284507 2975312011"
    assert frame.loc[str(first), "seconds"] == 60.0
    assert frame.loc[str(first), "requests_per_new_seller"] == 0.5
    assert frame.loc[str(second), "failed_items"] == 1
    assert frame.loc[str(second), "budget"] == 7
    assert frame["budget"].isna().tolist() == [False, True]
    assert frame["created_at"].dt.tz is not None


def test_a_run_with_waiting_items_is_unfinished(database: Database, rows: Rows) -> None:
    run_id = rows.run(1, {"A1": []}, status="running")
    with database.engine().begin() as connection:
        connection.execute(update(schema.collection_items).values(status="pending"))

    assert frames.runs(database, run_id=run_id)["unfinished"].tolist() == [True]


def test_removed_sellers_come_only_when_asked_for(database: Database, rows: Rows) -> None:
    run_id = rows.run(1, {"A1": ["anna", "bob"]})
    rows.remove("bob", day=2)

    assert frames.sellers(database)["display_name"].tolist() == ["anna"]
    everyone = frames.sellers(database, include_removed=True)
    assert everyone["display_name"].tolist() == ["anna", "bob"]
    assert everyone["removed_at"].isna().tolist() == [True, False]
    assert frames.sightings(database, run_id=run_id)["removed"].tolist() == [False, True]


def test_a_frame_of_one_run_holds_only_that_run(database: Database, rows: Rows) -> None:
    first = rows.run(1, {"A1": ["anna"]})
    second = rows.run(2, {"A1": ["anna"], "A2": ["bob"]})

    assert frames.sellers(database, run_id=first)["display_name"].tolist() == ["anna"]
    assert set(frames.sightings(database, run_id=second)["run_id"]) == {str(second)}
    assert frames.items(database, run_id=first)["asin"].tolist() == ["A1"]
    assert len(frames.requests(database, run_id=second)) == 2
    assert frames.products(database, run_id=second)["sellers"].tolist() == [1, 1]
    assert frames.sellers(database, run_id=uuid4()).empty


def test_snapshots_tell_each_count_and_its_change_in_order(database: Database, rows: Rows) -> None:
    run_id = rows.run(1, {"A1": ["anna", "bob"]})
    rows.remove("bob", day=2)
    rows.run(3, {"A1": ["carl"]})

    frame = frames.snapshots(database)

    assert frame["what"].tolist() == ["add", "add", "run", "remove", "add", "run"]
    assert frame["count"].tolist() == [1, 2, 2, 1, 2, 2]
    assert frame["change"].tolist() == [1, 1, 2, -1, 1, 1]
    assert frames.snapshots(database, run_id=run_id)["change"].tolist() == [1, 1, 2]


def test_coverage_says_how_far_each_search_got(database: Database, rows: Rows) -> None:
    run_id = rows.run(1, {"A1": [], "A2": [], "A3": []}, failed=["A2"])
    with database.engine().begin() as connection:
        _second_page(connection, run_id, "A3", status="pending")

    frame = frames.coverage(database).set_index("asin")

    assert frame["complete"].to_dict() == {"A1": True, "A2": False, "A3": False}
    assert frame["pages"].to_dict() == {"A1": 1, "A2": 1, "A3": 2}
    assert frame["pages_done"].to_dict() == {"A1": 1, "A2": 0, "A3": 1}


def test_a_second_run_shows_who_is_new_returning_retained_and_not_seen(
    database: Database, rows: Rows
) -> None:
    rows.run(1, {"A1": ["anna", "bob", "rita"]})
    rows.run(2, {"A1": ["anna", "bob"], "A2": ["zoe", "yan"]})
    third = rows.run(3, {"A1": ["anna", "rita", "carl"], "A2": ["yan"]})
    fourth = rows.run(4, {"A1": ["anna"]})

    assert _by_status(frames.deltas(database, third)) == {
        "new": ["carl"],
        "returning": ["rita"],
        "retained": ["anna", "yan"],
        "not_seen": ["bob", "zoe"],
    }
    assert _by_status(frames.deltas(database, fourth)) == {
        "retained": ["anna"],
        "not_seen": ["carl", "rita"],
        "out_of_scope": ["yan"],
    }


def test_a_failed_search_loses_nobody(database: Database, rows: Rows) -> None:
    rows.run(1, {"A1": ["anna"], "A2": ["anna", "bob"]})
    second = rows.run(2, {"A1": [], "A2": []}, failed=["A2"])

    comparison = compare(database, second)

    assert _by_status(comparison.delta) == {"out_of_scope": ["anna", "bob"]}
    assert comparison.marks == ("failed_items",)


def test_a_narrower_price_window_loses_nobody(database: Database, rows: Rows) -> None:
    rows.run(1, {"A1": ["anna"]})
    second = rows.run(2, {"A1": []}, options=RunOptions(price_from_factor=2.0))

    comparison = compare(database, second)

    assert _by_status(comparison.delta) == {"out_of_scope": ["anna"]}
    assert comparison.marks == ("changed_search",)


def test_history_compares_each_run_with_the_completed_one_before(
    database: Database, rows: Rows
) -> None:
    first = rows.run(1, {"A1": ["anna", "bob"]})
    rows.run(2, {"A1": []}, status="cancelled")
    third = rows.run(3, {"A1": ["anna"]})
    fourth = rows.run(4, {"D1": ["dora"]}, categories=(DOGS,))

    frame = frames.history(database).set_index("name")

    assert frame["before_id"].fillna("").to_dict() == {
        "day 1": "",
        "day 2": str(first),
        "day 3": str(first),
        "day 4": "",
    }
    assert frame.loc["day 2", "marks"] == "cancelled"
    assert frame.loc["day 3", ["now", "before", "retained", "not_seen"]].tolist() == [1, 2, 1, 1]
    assert frame.loc["day 4", "marks"] == "first_run"
    for run_id in (first, third, fourth):
        delta = frames.deltas(database, run_id)["status"].value_counts()
        row = frame[frame["run_id"] == str(run_id)].iloc[0]
        assert {k: v for k, v in row.items() if k in delta.index} == delta.to_dict()
    assert frame.reset_index()[HISTORY.names].dtypes.astype(str).to_dict() == {
        column.name: column.dtype for column in HISTORY.columns
    }


def test_an_unknown_run_has_no_delta(database: Database, rows: Rows) -> None:
    rows.run(1, {"A1": ["anna"]})

    with pytest.raises(UnknownRun, match="collector runs"):
        frames.deltas(database, uuid4())


def _by_status(delta: pd.DataFrame) -> dict[str, list[str]]:
    return {str(status): sorted(names) for status, names in delta.groupby("status")["display_name"]}


def _second_page(connection: object, run_id: UUID, asin: str, *, status: str) -> None:
    connection.execute(  # type: ignore[attr-defined]
        insert(schema.collection_items).values(
            run_id=run_id,
            kind="seller_search",
            key=f"{asin}/2",
            priority=1,
            page=2,
            node_id=KITCHEN[0],
            category="Kitchen",
            asin=asin,
            title="x",
            price_from_cents=1,
            price_to_cents=2,
            status=status,
        )
    )


def _everything(database: Database, rows: Rows) -> UUID:
    """Rows in every table that a frame reads, with and without values; the run they are of."""
    run_id = rows.run(1, {"A1": ["anna", "bob"], "A2": ["bob"]}, failed=["A2"], budget=9)
    rows.run(2, {"A1": ["anna"]}, status="running")
    with database.engine().begin() as connection:
        _second_page(connection, run_id, "A1", status="pending")
        rows.audit(
            connection,
            at=FIRST_DAY + timedelta(days=3),
            action="flag",
            change=0,
            seller_name="bob",
        )
        for number, entry in enumerate(
            [{"category": "Kitchen", "duration_ms": 12, "params": {"page": 1}}, {"params": None}],
            start=1,
        ):
            connection.execute(
                insert(schema.activity_log).values(
                    run_id=run_id,
                    id=number,
                    created_at=FIRST_DAY,
                    worker_id=1,
                    phase="best_sellers",
                    action="found",
                    entry=entry,
                )
            )
    return run_id
