"""Names of exports, and cells that strangers filled."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.exports import suggested_name
from collector.reports import default_report_name
from collector.reports.markdown import escaped
from collector.reports.tables import figure
from collector.spreadsheet import CELL_CHARACTERS, sheet_text

RUN_ID = UUID("1a2b3c4d-0000-4000-8000-000000000000")


def test_a_suggested_name_says_what_and_when() -> None:
    day = date(2026, 11, 23)

    assert suggested_name("sellers", RUN_ID, on=day) == "sellers_2026-11-23_run-1a2b.csv"
    assert suggested_name("audit", ending=".xlsx", on=day) == "audit_2026-11-23.xlsx"


def test_a_reports_name_says_of_which_run_and_day() -> None:
    run = {"run_id": str(RUN_ID), "created_at": datetime(2026, 11, 23, 12, tzinfo=UTC)}

    assert default_report_name(run) == "report_2026-11-23_run-1a2b.html"
    assert default_report_name(run, ending=".md") == "report_2026-11-23_run-1a2b.md"


@given(st.text())
def test_whatever_a_name_holds_fits_into_a_cell(text: str) -> None:
    cell = sheet_text(text)

    assert len(cell) <= CELL_CHARACTERS
    assert not any(ord(c) < 32 and c not in "\t\n\r" for c in cell)


def test_a_text_longer_than_a_cell_is_cut_and_says_so() -> None:
    cell = sheet_text("x" * 40_000)

    assert len(cell) == CELL_CHARACTERS
    assert cell.endswith("…")


@pytest.mark.parametrize(
    "hostile",
    [
        "a|b",
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "![x](http://evil)",
        "`code`",
        "# head\n\n| row |",
        "http://evil.example",
        "&lt;b&gt;",
        "a\\|b",
        "$x$ @user",
    ],
)
def test_markdown_shows_a_hostile_name_and_does_not_obey_it(hostile: str) -> None:
    text = escaped(hostile)

    assert "\n" not in text
    # Every sign is behind a backslash of its own, and taking those away gives the name back.
    plain = "".join(_unescaped(text))
    assert plain == " ".join(hostile.split())


def _unescaped(text: str) -> list[str]:
    shown, signs = [], iter(text)
    for sign in signs:
        if sign == "\\":
            sign = next(signs)
        else:
            assert sign.isalnum() or sign in " ;,'\"", sign
        shown.append(sign)
    return shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567, "1,234,567"),
        (12.345, "12.3"),
        (None, "–"),
        (float("nan"), "–"),
        ("", ""),
        ("=1+1", "=1+1"),
    ],
)
def test_figures_are_written_as_people_read_them(value: object, shown: str) -> None:
    assert figure(value) == shown
