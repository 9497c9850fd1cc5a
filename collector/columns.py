"""What a table of figures promises: its columns, their dtypes and units, and what one row is.

Frames, analyses and exports are all described by a `FrameSpec`; the dtypes of an empty frame
and the schema of a parquet file come from the same lines as the documentation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pyarrow as pa

Dtype = Literal["int64", "Int64", "float64", "str", "bool", "boolean", "datetime64[us, UTC]"]

TIME: Dtype = "datetime64[us, UTC]"

_ARROW: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "Int64": pa.int64(),
    "float64": pa.float64(),
    "str": pa.string(),
    "bool": pa.bool_(),
    "boolean": pa.bool_(),
    TIME: pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `Int64` and `boolean` may hold `<NA>`, `str` NaN, times NaT, floats NaN."""

    name: str
    dtype: Dtype
    meaning: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """One frame: what a row is, the order of its rows, and its columns from left to right."""

    name: str
    row: str
    order: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The columns' names, left to right."""
        return [column.name for column in self.columns]

    @property
    def schema(self) -> pa.Schema:
        """The columns as Arrow types."""
        return pa.schema([(column.name, _ARROW[column.dtype]) for column in self.columns])

    def empty(self) -> pd.DataFrame:
        """A frame without rows, with the dtypes promised."""
        return pd.DataFrame({c.name: pd.Series([], dtype=c.dtype) for c in self.columns})

    def frame(self, rows: Iterable[dict[str, object]]) -> pd.DataFrame:
        """A frame of these rows, with the dtypes promised; a missing value is None."""
        kept = list(rows)
        return pd.DataFrame(
            {
                column.name: pd.Series([row[column.name] for row in kept], dtype=column.dtype)
                for column in self.columns
            }
        )

    def shaped(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The same rows with exactly the columns, order and dtypes promised."""
        return frame[self.names].astype({c.name: c.dtype for c in self.columns})

    def from_arrow(self, table: pa.Table) -> pd.DataFrame:
        """The frame of an Arrow table that has `schema`."""
        frame: pd.DataFrame = table.to_pandas(types_mapper=_NULLABLE.get)
        # Whole numbers and booleans come as nullable ones, so that a NULL never makes a float.
        plain = {c.name: c.dtype for c in self.columns if c.dtype in {"int64", "bool"}}
        return frame.astype(plain)

    def described(self) -> str:
        """The documentation of the frame, a line a column."""
        lines = [f"{self.name}: one row is {self.row}; {self.order}."]
        for column in self.columns:
            unit = f" [{column.unit}]" if column.unit else ""
            lines.append(f"  {column.name} ({column.dtype}){unit}: {column.meaning}")
        return "\n".join(lines)


_NULLABLE = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
