"""One writer a format; each takes Arrow batches and holds no more than one of them.

Text comes from strangers. Spreadsheets get it harmless: in csv a cell that a spreadsheet would
read as a formula starts with an apostrophe, in xlsx every text is stored as text. json, jsonl and
parquet keep it as it came. Times are ISO 8601 in UTC, in xlsx dates without a zone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from collector.columns import FrameSpec
from collector.spreadsheet import close_book, open_book, write_cell

# What spreadsheets take for the start of a formula, full-width forms included (source: OWASP,
# "CSV Injection").
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
SHEET_ROWS = 1_048_576  # of a sheet, its header included (source: Excel specifications)


class Writer(AbstractContextManager["Writer"], Protocol):
    """Writes one file. Leaving the block without an error finishes it."""

    def __init__(self, path: Path, spec: FrameSpec) -> None: ...

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the batch's rows."""


class CsvWriter:
    """Comma-separated UTF-8, every text quoted, formula-safe, with a header."""

    def __init__(self, path: Path, spec: FrameSpec) -> None:
        self._schema = pa.schema(
            [
                (f.name, pa.string() if pa.types.is_timestamp(f.type) else f.type)
                for f in spec.schema
            ]
        )
        self._file = pa.csv.CSVWriter(str(path), self._schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the batch's rows."""
        columns = [
            _harmless(column) if pa.types.is_string(field.type) else _iso(column)
            for column, field in zip(batch, batch.schema, strict=True)
        ]
        self._file.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def __enter__(self) -> CsvWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


class JsonLinesWriter:
    """One JSON object a line."""

    opening, between, closing = "", "\n", "\n"

    def __init__(self, path: Path, spec: FrameSpec) -> None:
        self._names = spec.names
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._rows = 0
        self._file.write(self.opening)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the batch's rows."""
        columns = [_iso(column).to_pylist() for column in batch]
        for row in zip(*columns, strict=True):
            text = json.dumps(dict(zip(self._names, row, strict=True)), ensure_ascii=False)
            self._file.write(f"{self.between}{text}" if self._rows else text)
            self._rows += 1

    def __enter__(self) -> JsonLinesWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._file:
            self._file.write(self.closing if self._rows else self.closing.lstrip())


class JsonWriter(JsonLinesWriter):
    """One JSON array with one object a row."""

    opening, between, closing = "[", ",\n", "]\n"


class ParquetWriter:
    """Parquet with the frame's own types, compressed."""

    def __init__(self, path: Path, spec: FrameSpec) -> None:
        self._file = pa.parquet.ParquetWriter(str(path), spec.schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the batch's rows."""
        self._file.write_batch(batch)

    def __enter__(self) -> ParquetWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


class XlsxWriter:
    """A spreadsheet whose cells are text, numbers, dates and booleans, never formulas or links.

    A table longer than a sheet goes on on the next one, each with its header.
    """

    def __init__(self, path: Path, spec: FrameSpec, *, sheet_rows: int = SHEET_ROWS) -> None:
        self._book = open_book(path, constant_memory=True)
        self._head = self._book.add_format({"bold": True})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._spec, self._sheet_rows = spec, sheet_rows
        self._sheets = 0
        self._new_sheet()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the batch's rows."""
        for row in _rows(batch):
            if self._next == self._sheet_rows:
                self._new_sheet()
            for place, value in enumerate(row):
                write_cell(self._sheet, self._next, place, value, time_format=self._time)
            self._next += 1

    def _new_sheet(self) -> None:
        self._sheets += 1
        number = f" {self._sheets}" if self._sheets > 1 else ""
        self._sheet = self._book.add_worksheet(f"{self._spec.name}{number}")
        self._sheet.freeze_panes(1, 0)
        for place, name in enumerate(self._spec.names):
            self._sheet.write_string(0, place, name, self._head)
        self._next = 1

    def __enter__(self) -> XlsxWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        close_book(self._book)


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[object, ...]]:
    columns: list[Iterable[object]] = []
    for column in batch:
        # Spreadsheets know no time zones: UTC it is, in microseconds that pandas need not see.
        naive = column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column
        columns.append(naive.to_pylist())
    return zip(*columns, strict=True)


def _harmless(column: pa.Array) -> pa.Array:
    apostrophe = pc.binary_join_element_wise(pa.scalar("'"), column, pa.scalar(""))
    return pc.if_else(pc.match_substring_regex(column, _FORMULA), apostrophe, column)


def _iso(column: pa.Array) -> pa.Array:
    if not pa.types.is_timestamp(column.type):
        return column
    # Without its zone (it is UTC) no time zone database is needed to write it.
    return pc.strftime(column.cast(pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%SZ")


WRITERS: dict[str, Any] = {
    ".csv": CsvWriter,
    ".json": JsonWriter,
    ".jsonl": JsonLinesWriter,
    ".xlsx": XlsxWriter,
    ".parquet": ParquetWriter,
}
