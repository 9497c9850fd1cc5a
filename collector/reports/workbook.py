"""The report as a spreadsheet: a sheet of notes and one a table, numbers as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from collector.reports.content import RunReport
from collector.spreadsheet import close_book, open_book, write_cell


def write_workbook(report: RunReport, path: Path) -> None:
    """Write the workbook.

    Raises:
        OSError: it could not be written.
    """
    book = open_book(path)
    bold = book.add_format({"bold": True})
    time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    _write(book, "run", _facts(report), bold, time)
    weights = [(note.weight, note.mark, note.text) for note in report.notes]
    notes = pd.DataFrame(weights, columns=["weight", "mark", "text"])
    _write(book, "notes", notes, bold, time)
    counts = pd.DataFrame(list(report.summary.items()), columns=["status", "sellers"])
    _write(book, "delta", counts, bold, time)
    _write(book, "sellers in delta", report.delta, bold, time)
    _write(book, "new sellers", report.new_sellers, bold, time)
    _write(book, "departments", report.by_department, bold, time)
    _write(book, "categories", report.by_category, bold, time)
    _write(book, "category yield", report.category_yield, bold, time)
    _write(book, "runs", report.ended_runs, bold, time)
    _write(book, "requests", report.errors, bold, time)
    recorded = pd.DataFrame(list(report.parameters.items()), columns=["parameter", "value"])
    _write(book, "parameters", recorded, bold, time)
    close_book(book)


def _facts(report: RunReport) -> pd.DataFrame:
    sandbox = "SANDBOX: an invented market, no real sellers" if report.is_sandbox else "no"
    facts: dict[str, Any] = {
        "sandbox": sandbox,
        "in_progress": report.in_progress,
        "figures": report.badge,
        "generated_at": pd.Timestamp(report.generated_at),
        **report.run,
    }
    return pd.DataFrame(
        {"figure": list(facts), "value": pd.Series(list(facts.values()), dtype=object)}
    )


def _write(book: Any, name: str, frame: pd.DataFrame, bold: Any, time: Any) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(frame.columns):
        sheet.write_string(0, place, str(column), bold)
        sheet.set_column(place, place, 24)
    for row, values in enumerate(frame.itertuples(index=False, name=None), start=1):
        for place, value in enumerate(values):
            write_cell(sheet, row, place, _plain(value), time_format=time)


def _plain(value: Any) -> object:
    """A pandas value as Python's own; a missing one as None; times as UTC without a zone."""
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.tz_convert(None).to_pydatetime(warn=False)
    return value.item() if hasattr(value, "item") else value
