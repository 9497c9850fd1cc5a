"""Tables into Arrow and pandas: through ADBC, or through psycopg where ADBC cannot be had.

Every statement stands alone in autocommit: an analyst's open transaction would slow the queue
(measured: from 1,695 to 813 items/s).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pandas as pd
import psycopg
import pyarrow as pa

from collector.columns import FrameSpec
from collector.database import Database, explain
from collector.errors import DatabaseError
from collector.store.frame_queries import PREPARE, QUERIES

FALLBACK_ROWS = 10_000


class AdbcUnusable(DatabaseError):
    """ADBC cannot be loaded or cannot connect here; psycopg may."""


def read(
    database: Database, spec: FrameSpec, *, run_id: UUID | None = None, everything: bool = False
) -> pd.DataFrame:
    """A whole frame, with the columns and dtypes of `spec`.

    Args:
        database: where to read.
        spec: which frame.
        run_id: only what belongs to this run.
        everything: also what the frame leaves out by default (removed sellers).

    Raises:
        DatabaseError: the database cannot be reached or does not answer as expected.
    """
    batches = record_batches(database, spec, run_id=run_id, everything=everything)
    return spec.from_arrow(pa.Table.from_batches(batches, schema=spec.schema))


def record_batches(
    database: Database, spec: FrameSpec, *, run_id: UUID | None = None, everything: bool = False
) -> Iterator[pa.RecordBatch]:
    """The frame in Arrow batches of `spec.schema`, a few megabytes at a time.

    Raises:
        DatabaseError: as `read`.
    """
    sql = QUERIES[spec.name].text(one_run=run_id is not None, everything=everything)
    return _batches(database, sql, schema=spec.schema, run_id=run_id)


def count_rows(database: Database, spec: FrameSpec, *, run_id: UUID | None = None) -> int:
    """How many rows the frame has.

    Raises:
        DatabaseError: as `read`.
    """
    sql = QUERIES[spec.name].counting(one_run=run_id is not None)
    schema = pa.schema([("rows", pa.int64())])
    (batch,) = _batches(database, sql, schema=schema, run_id=run_id)
    rows: int = batch.column(0)[0].as_py()
    return rows


def read_query(
    database: Database, spec: FrameSpec, sql: str, *, audit_ids: tuple[int, int]
) -> pd.DataFrame:
    """The frame of a query that is about audit entries.

    Args:
        database: where to read.
        spec: the columns of its answer.
        sql: a query that reads `collector.audit_id_before` and `collector.audit_id`.
        audit_ids: the values of these two.

    Raises:
        DatabaseError: as `read`.
    """
    batches = _batches(database, sql, schema=spec.schema, audit_ids=audit_ids)
    return spec.from_arrow(pa.Table.from_batches(batches, schema=spec.schema))


def _batches(
    database: Database,
    sql: str,
    *,
    schema: pa.Schema,
    run_id: UUID | None = None,
    audit_ids: tuple[int, int] = (0, 0),
) -> Iterator[pa.RecordBatch]:
    chosen: Any = {"schema": schema, "run_id": run_id, "audit_ids": audit_ids}
    try:
        yield from adbc_batches(database, sql, **chosen)
    except AdbcUnusable:
        # Raised before the first batch only, so nothing is told twice.
        yield from psycopg_batches(database, sql, **chosen)


def _settings(run_id: UUID | None, audit_ids: tuple[int, int]) -> list[str]:
    """The values that `PREPARE` sets, in its order."""
    return [str(run_id or ""), *map(str, audit_ids)]


def adbc_batches(
    database: Database,
    sql: str,
    *,
    schema: pa.Schema,
    run_id: UUID | None = None,
    audit_ids: tuple[int, int] = (0, 0),
) -> Iterator[pa.RecordBatch]:
    """What `sql` answers, streamed by the ADBC driver and cast to `schema`.

    Raises:
        AdbcUnusable: the driver cannot be loaded or does not get a connection.
        DatabaseError: the query failed.
    """
    try:
        from adbc_driver_postgresql import dbapi
    except (ImportError, OSError) as exc:
        raise AdbcUnusable("The ADBC driver cannot be loaded.") from exc
    try:
        connection = dbapi.connect(database.conninfo(), autocommit=True)
    except dbapi.Error as exc:
        raise AdbcUnusable("The ADBC driver gets no connection.") from exc
    with closing(connection), closing(connection.cursor()) as cursor:
        try:
            cursor.execute(PREPARE, _settings(run_id, audit_ids))
            cursor.execute(sql)
            for batch in cursor.fetch_record_batch():
                yield pa.RecordBatch.from_arrays(
                    [column.cast(field.type) for column, field in zip(batch, schema, strict=True)],
                    schema=schema,
                )
        except dbapi.Error as exc:
            raise _failed(database, exc) from exc


def psycopg_batches(
    database: Database,
    sql: str,
    *,
    schema: pa.Schema,
    run_id: UUID | None = None,
    audit_ids: tuple[int, int] = (0, 0),
) -> Iterator[pa.RecordBatch]:
    """What `sql` answers, streamed by psycopg in batches of `FALLBACK_ROWS`.

    Raises:
        DatabaseError: there is no connection, or the query failed.
    """
    # Only where libpq 17 stands below psycopg are rows streamed in chunks, else one by one.
    size = FALLBACK_ROWS if psycopg.capabilities.has_stream_chunked() else 1
    try:
        with (
            psycopg.connect(database.conninfo(), autocommit=True) as connection,
            psycopg.RawCursor(connection) as cursor,
        ):
            cursor.execute(PREPARE, _settings(run_id, audit_ids))
            rows: list[tuple[object, ...]] = []
            for row in cursor.stream(sql.encode(), size=size):
                rows.append(row)
                if len(rows) == FALLBACK_ROWS:
                    yield _batch(rows, schema)
                    rows = []
            if rows:
                yield _batch(rows, schema)
    except psycopg.Error as exc:
        raise explain(exc, database) from exc


def _batch(rows: list[tuple[object, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, type=f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _failed(database: Database, exc: Exception) -> DatabaseError:
    reason = " ".join(str(exc).split("\n", 1)[0].split())
    return DatabaseError(
        f"Reading from {database.display_url()} failed: {reason}. Check that the database is up "
        "and upgraded (`collector db upgrade`)."
    )
