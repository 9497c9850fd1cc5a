"""Frames as files: csv, json, jsonl, xlsx or parquet, by the name's ending, in flat memory.

Rows go from the database to the file batch by batch, into a file beside the target that takes
its place when it is whole; with it goes an audit entry. What the formats do with hostile text
stands in `writers`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from collector.columns import FrameSpec
from collector.database import Database, explain
from collector.errors import UnknownRun, UsageError
from collector.exports.writers import WRITERS
from collector.files import cannot_write, part_of, target_of
from collector.frames import specs
from collector.frames.reading import count_rows, record_batches
from collector.store.audit import record_export

EXPORTS: dict[str, FrameSpec] = {
    "sellers": specs.SELLERS,
    "runs": specs.RUNS,
    "products": specs.PRODUCTS,
    "sightings": specs.SIGHTINGS,
    "audit": specs.AUDIT_LOG,
    "items": specs.ITEMS,
    "snapshots": specs.SNAPSHOTS,
    "activity": specs.ACTIVITY,
    "requests": specs.REQUESTS,
    "category_yield": specs.CATEGORY_YIELD,
}


def export(
    database: Database,
    what: str,
    path: Path | str,
    *,
    actor: str,
    run_id: UUID | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a frame into a file and an audit entry about it. An existing file is replaced.

    Args:
        database: where to read.
        what: a key of `EXPORTS`.
        path: the file, whose ending (`.csv .json .jsonl .xlsx .parquet`) says the format; or a
            folder, where the file is called `suggested_name(what, run_id)`.
        actor: who exports, for the audit entry.
        run_id: only what belongs to this run (of the sellers: those it saw).
        on_progress: called with the rows written and the rows there were at the start.

    Returns:
        The file's path.

    Raises:
        UsageError: `what` or the ending is unknown.
        UnknownRun: there is no such run.
        ExportError: the file cannot be written.
        DatabaseError: the database cannot be read.
    """
    spec = EXPORTS.get(what)
    if spec is None:
        raise UsageError(f"There is no {what!r} to export. Choose one of: {', '.join(EXPORTS)}.")
    target = target_of(Path(path), suggested_name(what, run_id))
    writer_class = WRITERS.get(target.suffix.lower())
    if writer_class is None:
        endings = " ".join(WRITERS)
        raise UsageError(f"{target.name!r} has no known ending. Use one of: {endings}.")
    if run_id is not None and not count_rows(database, specs.RUNS, run_id=run_id):
        raise UnknownRun(f"There is no run {run_id}; `collector runs` lists those there are.")
    total = count_rows(database, spec, run_id=run_id) if on_progress else 0
    part = part_of(target)
    rows = 0
    try:
        with writer_class(part, spec) as writer:
            for batch in record_batches(database, spec, run_id=run_id):
                writer.write(batch)
                rows += batch.num_rows
                if on_progress:
                    on_progress(rows, max(rows, total))
        with database.engine().begin() as connection:
            record_export(connection, what=what, rows=rows, actor=actor, path_name=target.name)
            # Inside the transaction: no entry without a file.
            part.replace(target)
    except OSError as exc:
        raise cannot_write(target, exc) from exc
    except DBAPIError as exc:
        raise explain(exc, database) from exc
    finally:
        part.unlink(missing_ok=True)
    return target


def suggested_name(
    what: str, run_id: UUID | None = None, *, ending: str = ".csv", on: date | None = None
) -> str:
    """A file name that says what and when: `sellers_2026-11-23_run-1a2b.csv`.

    Args:
        what: what is in the file.
        run_id: the run it is of, if of one.
        ending: the format.
        on: the day; by default today in UTC.
    """
    day = (on or datetime.now(UTC).date()).isoformat()
    run = f"_run-{run_id.hex[:4]}" if run_id else ""
    return f"{what}_{day}{run}{ending}"
