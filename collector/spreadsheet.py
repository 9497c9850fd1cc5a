"""Spreadsheets in which nothing runs: text stays text, whatever a stranger put at its start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import xlsxwriter

CELL_CHARACTERS = 32_767
# What XML 1.0 cannot hold.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def open_book(path: Path, *, constant_memory: bool = False) -> Any:
    """A new spreadsheet in which nothing written becomes a formula, a link or a number."""
    return xlsxwriter.Workbook(
        str(path),
        {
            "constant_memory": constant_memory,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "default_date_format": "yyyy-mm-dd hh:mm:ss",
            "use_zip64": True,
        },
    )


def close_book(book: Any) -> None:
    """Finish the spreadsheet.

    Raises:
        OSError: it could not be written.
    """
    try:
        book.close()
    except xlsxwriter.exceptions.FileCreateError as exc:
        cause = exc.args[0] if exc.args else exc
        raise (cause if isinstance(cause, OSError) else OSError(str(exc))) from exc


def write_cell(sheet: Any, row: int, place: int, value: object, *, time_format: Any = None) -> None:
    """Write one value as what it is; text always as text, a missing value as nothing."""
    if value is None:
        return
    if isinstance(value, str):
        sheet.write_string(row, place, sheet_text(value))
    elif isinstance(value, bool):
        sheet.write_boolean(row, place, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, place, value)
    else:
        sheet.write_datetime(row, place, value, time_format)


def sheet_text(text: str) -> str:
    """The text without what a spreadsheet's file cannot hold, cut to the size of a cell."""
    clean = _UNWRITABLE.sub("", text)
    return clean if len(clean) <= CELL_CHARACTERS else f"{clean[: CELL_CHARACTERS - 1]}…"
