"""Exports of a real database into real files, read back by other readers than ours."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import openpyxl
import pyarrow.parquet
import pytest
from frames_rows import Rows, rows_in
from sqlalchemy import text

from collector import frames
from collector.database import Database
from collector.errors import DatabaseError, ExportError, UnknownRun, UsageError
from collector.exports import EXPORTS, export, suggested_name
from collector.exports.writers import WRITERS, XlsxWriter
from collector.frames.reading import record_batches
from collector.frames.specs import SELLERS

HOSTILE = [
    "=HYPERLINK(1)",
    "+1",
    "-1+2",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "＝1",
    'say "hi", you',
    "\x01_x0041_",
    "http://evil.example",
]


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


def _export(database: Database, what: str, path: Path) -> Path:
    return export(database, what, path, actor="ana")


@pytest.mark.parametrize("what", EXPORTS)
@pytest.mark.parametrize("ending", WRITERS)
def test_every_frame_goes_into_every_format_whole(
    database: Database, rows: Rows, tmp_path: Path, what: str, ending: str
) -> None:
    rows.run(1, {"A1": ["anna", "bob"], "A2": ["bob"]}, failed=["A2"])

    path = _export(database, what, tmp_path / f"out{ending}")

    spec = EXPORTS[what]
    # What the export itself adds comes after what it wrote.
    expected = len(getattr(frames, spec.name)(database)) - (what in {"audit", "snapshots"})
    if what == "activity":
        assert expected == 0
    read = _read(path)
    assert len(read) == expected
    assert all(list(row) == spec.names for row in read)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_csv_defuses_formulas_in_text_and_leaves_numbers_alone(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    rows.run(1, {"A1": HOSTILE})
    rows.remove("+1", day=2)

    read = _read(_export(database, "sellers", tmp_path / "sellers.csv"))
    names = {row["display_name"] for row in read}

    assert names == {
        "'=HYPERLINK(1)",
        "'-1+2",
        "'@SUM(A1)",
        "'\tx",
        "'\rx",
        "'＝1",
        'say "hi", you',
        "\x01_x0041_",
        "http://evil.example",
    }
    assert {row["feedback_percent"] for row in read} == {"99.5"}
    changes = _read(_export(database, "snapshots", tmp_path / "snapshots.csv"))
    assert "-1" in {row["change"] for row in changes}


def test_json_and_parquet_keep_names_as_they_came(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    rows.run(1, {"A1": HOSTILE})

    for ending in (".json", ".jsonl", ".parquet"):
        read = _read(_export(database, "sellers", tmp_path / f"sellers{ending}"))
        assert {row["display_name"] for row in read} == set(HOSTILE)


def test_json_times_are_iso_8601_in_utc(database: Database, rows: Rows, tmp_path: Path) -> None:
    rows.run(1, {"A1": ["anna"]})

    (row,) = json.loads(_export(database, "runs", tmp_path / "runs.json").read_text())

    assert row["created_at"] == "2026-11-02T08:00:00.000000Z"
    assert datetime.fromisoformat(row["created_at"]).tzinfo is not None
    assert row["budget"] is None
    assert row["sellers_new"] == 1


def test_a_spreadsheet_holds_hostile_names_as_text(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    rows.run(1, {"A1": HOSTILE})

    path = _export(database, "sellers", tmp_path / "sellers.xlsx")

    sheet = openpyxl.load_workbook(path)["sellers"]
    cells = [row[SELLERS.names.index("display_name")] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    assert not any(cell.hyperlink for cell in cells)
    assert "=HYPERLINK(1)" in {cell.value for cell in cells}
    assert not any("\x01" in cell.value for cell in cells)
    kinds = [cell.data_type for cell in next(sheet.iter_rows(min_row=2, max_row=2))]
    assert set(kinds) == {"n", "s", "d", "b"}


def test_a_table_longer_than_a_sheet_goes_on_on_the_next(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    names = [f"seller{number:02}" for number in range(10)]
    rows.run(1, {"A1": names})
    path = tmp_path / "long.xlsx"

    with XlsxWriter(path, SELLERS, sheet_rows=5) as writer:
        for batch in record_batches(database, SELLERS):
            writer.write(batch)

    book = openpyxl.load_workbook(path)
    assert [sheet.max_row for sheet in book] == [5, 5, 3]
    place = SELLERS.names.index("display_name")
    read = [row[place] for sheet in book for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert read == names


def test_each_export_is_an_audit_entry_with_its_snapshot(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    rows.run(1, {"A1": ["anna", "bob"]})

    _export(database, "sellers", tmp_path / "list.csv")

    entry = frames.audit_log(database).iloc[-1]
    assert (entry["action"], entry["source"], entry["actor"]) == ("export", "export", "ana")
    assert (entry["affected_count"], entry["seller_count_snapshot"]) == (2, 2)
    assert "list.csv" in entry["details"]


def test_an_export_of_a_run_holds_what_that_run_saw(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    first = rows.run(1, {"A1": ["anna"]})
    rows.run(2, {"A1": ["bob"]})

    path = export(database, "sellers", tmp_path, actor="ana", run_id=first)

    assert path == tmp_path / suggested_name("sellers", first)
    assert [row["display_name"] for row in _read(path)] == ["anna"]


def test_a_folder_gets_a_file_that_says_what_and_when(database: Database, tmp_path: Path) -> None:
    path = _export(database, "audit", tmp_path)

    assert path == tmp_path / suggested_name("audit")


def test_progress_ends_at_the_number_of_rows(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    rows.run(1, {"A1": ["anna", "bob"]})
    told: list[tuple[int, int]] = []

    export(
        database,
        "sellers",
        tmp_path / "a.csv",
        actor="ana",
        on_progress=lambda done, total: told.append((done, total)),
    )

    assert told[-1] == (2, 2)


def test_an_existing_file_is_replaced_only_by_a_whole_one(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    rows.run(1, {"A1": ["anna"]})
    path = tmp_path / "sellers.csv"
    path.write_text("what was there")
    with database.engine().begin() as connection:
        connection.execute(text("ALTER TABLE seller_audit_log ADD CHECK (action <> 'export')"))

    with pytest.raises(DatabaseError, match="check constraint"):
        _export(database, "sellers", path)

    assert path.read_text() == "what was there"
    assert [file.name for file in tmp_path.iterdir()] == ["sellers.csv"]
    assert rows_in(database, "seller_audit_log") == 1


@pytest.mark.parametrize(
    ("what", "name", "error", "says"),
    [
        ("sellers", "x.doc", UsageError, ".parquet"),
        ("sellers", "noending", UsageError, ".csv"),
        ("everything", "x.csv", UsageError, "sellers"),
        ("sellers", "missing/x.csv", ExportError, "create it"),
        ("sellers", "file/x.csv", ExportError, "no folder"),
        ("sellers", "n" * 300 + ".csv", ExportError, "name"),
        ("sellers", "nul\0.csv", ExportError, "name"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(
    database: Database, tmp_path: Path, what: str, name: str, error: type[Exception], says: str
) -> None:
    (tmp_path / "file").write_text("a file, not a folder")

    with pytest.raises(error, match=says) as caught:
        _export(database, what, tmp_path / name)

    assert "\n" not in str(caught.value)
    assert rows_in(database, "seller_audit_log") == 0
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_an_unknown_run_has_no_export(database: Database, tmp_path: Path) -> None:
    with pytest.raises(UnknownRun):
        export(database, "sellers", tmp_path / "x.csv", actor="ana", run_id=uuid4())

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_that_does_not_fit_leaves_nothing_behind(
    database: Database, rows: Rows, tmp_path: Path, ending: str
) -> None:
    """A limit of the process on the size of files stands for a full disk."""
    rows.run(1, {"A1": [f"seller{number:03}" for number in range(200)]})
    script = (
        "import resource, sys\n"
        "from collector.database import parse_url, Database\n"
        "from collector.errors import ExportError\n"
        "from collector.exports import export\n"
        "database = Database(url=parse_url(sys.stdin.read()), is_embedded=False)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try:\n"
        "    export(database, 'sellers', sys.argv[1], actor='ana')\n"
        "except ExportError as error:\n"
        "    print(error)\n"
    )

    answer = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / f"big{ending}")],
        input=database.url.render_as_string(hide_password=False),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "could not be written" in answer.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_big_export_takes_no_more_memory_than_a_small_one(
    database: Database, tmp_path: Path
) -> None:
    """300,000 sellers are 60 MB of csv; what they may add is a fraction of that."""
    with database.engine().begin() as connection:
        connection.execute(
            text(
                "INSERT INTO sellers (normalized_name, display_name, first_seen_at, last_seen_at,"
                " note) SELECT 'n' || i, 'N' || i, now(), now(), repeat('x', 120)"
                " FROM generate_series(1, 300000) i"
            )
        )
    script = (
        "import resource, sys\n"
        "from collector.database import parse_url, Database\n"
        "from collector.exports import export\n"
        "database = Database(url=parse_url(sys.stdin.read()), is_embedded=False)\n"
        "export(database, 'runs', sys.argv[1], actor='ana')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "export(database, 'sellers', sys.argv[1], actor='ana')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )

    answer = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "big.csv")],
        input=database.url.render_as_string(hide_password=False),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert (tmp_path / "big.csv").stat().st_size > 55_000_000
    assert int(answer.stdout) < 120_000, "kB more than an empty export"


def _read(path: Path) -> list[dict[str, object]]:
    """The file's rows, by a reader of its format."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".json":
        return list(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".parquet":
        return list(pyarrow.parquet.read_table(path).to_pylist())
    head, *rest = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rest]
