"""Reports: what one run found, as a file for people who have no notebook.

`.html` is one self-contained page that needs no network, `.md` the same in Markdown, `.pdf` the
same for paper, `.xlsx` a workbook with a sheet a table. All are written from the same
`RunReport`, whose figures are the frames'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from collector import frames
from collector.database import Database
from collector.errors import UsageError
from collector.files import cannot_write, part_of, target_of
from collector.frames.between import row_of
from collector.reports.content import RunReport, run_report
from collector.reports.markdown import markdown
from collector.reports.page import page
from collector.reports.workbook import write_workbook

__all__ = ["RunReport", "default_report_name", "run_report", "write_report"]


def write_report(
    database: Database,
    run_id: UUID,
    path: Path | str,
    *,
    ending: str = ".html",
    parameters: Mapping[str, Any] | None = None,
) -> Path:
    """Write the report of a run. One still in progress gets a report that says so.

    Args:
        database: where to read.
        run_id: the run.
        path: the file, whose ending (`.html .md .xlsx .pdf`) says the format; or a folder. An
            existing file is replaced once the new one is whole.
        ending: the format, where the path is a folder.
        parameters: whatever led to this report (a notebook's parameters), recorded in it.

    Returns:
        The file's path.

    Raises:
        UsageError: the ending is unknown.
        UnknownRun: there is no such run.
        ExportError: the file cannot be written.
        DatabaseError: the database cannot be read.
    """
    run = row_of(frames.runs(database, run_id=run_id), run_id)
    target = target_of(
        Path(path), default_report_name(run, ending=f".{ending.strip().lstrip('.')}")
    )
    write = _FORMATS.get(target.suffix.lower())
    if write is None:
        raise UsageError(f"{target.name!r} has no known ending. Use one of: {' '.join(_FORMATS)}.")
    report = run_report(database, run_id, parameters=parameters or {})
    part = part_of(target)
    try:
        write(report, part)
        part.replace(target)
    except OSError as exc:
        raise cannot_write(target, exc) from exc
    finally:
        part.unlink(missing_ok=True)
    return target


def default_report_name(run: Mapping[str, Any], *, ending: str = ".html") -> str:
    """A file name that says what and when: `report_2026-11-23_run-1a2b.html`.

    Args:
        run: a row of the `runs` frame; the day is that of its launch.
        ending: the format.
    """
    day = run["created_at"].date().isoformat()
    return f"report_{day}_run-{UUID(str(run['run_id'])).hex[:4]}{ending}"


def _write_page(report: RunReport, path: Path) -> None:
    path.write_text(page(report), encoding="utf-8")


def _write_markdown(report: RunReport, path: Path) -> None:
    path.write_text(markdown(report), encoding="utf-8")


def _write_pdf(report: RunReport, path: Path) -> None:
    # Only who wants paper waits for its compiler to load.
    from collector.reports.paper import write_pdf

    write_pdf(report, path)


_FORMATS: dict[str, Callable[[RunReport, Path], None]] = {
    ".html": _write_page,
    ".md": _write_markdown,
    ".pdf": _write_pdf,
    ".xlsx": write_workbook,
}
