"""The report as Markdown, for wikis and messages. Names from strangers are shown, never obeyed."""

from __future__ import annotations

import re

from collector.reports.content import RunReport
from collector.reports.tables import ReportTable, all_tables

# Whatever Markdown, its tables or HTML within it could take for a sign.
_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&@:/$^=])")
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f\u2028\u2029]+")


def escaped(text: str) -> str:
    """The text so that Markdown shows it as it is, in one line."""
    return _SIGNS.sub(r"\\\1", _BREAKS.sub(" ", text)).strip()


def markdown(report: RunReport) -> str:
    """The whole report as text."""
    run = report.run
    lines = [f"# Report of run {escaped(run['name'])}", ""]
    if report.is_sandbox:
        lines += ["**SANDBOX: an invented market, no real sellers.**", ""]
    if report.in_progress:
        lines += ["**IN PROGRESS: the run has not ended; its figures still grow.**", ""]
    lines += [f"Figures: **{report.badge}**. Run `{run['run_id']}`.", ""]
    lines += ["## How far to trust it", ""]
    lines += [f"- {note.weight}: {escaped(note.text)}" for note in report.notes]
    lines += [] if report.notes else ["- Nothing limits these figures."]
    for table in all_tables(report):
        lines += ["", f"## {table.title}", "", *_rows(table)]
    lines += ["", f"Generated {report.generated_at:%Y-%m-%d %H:%M:%S} UTC.", ""]
    return "\n".join(lines)


def _rows(table: ReportTable) -> list[str]:
    note = [escaped(table.note), ""] if table.note else []
    if not table.rows:
        return [*note, "Nothing yet."]
    rule = ["---:" if place in table.numeric else "---" for place in range(len(table.heads))]
    rows = [[escaped(cell) for cell in row] for row in table.rows]
    return [*note, *(f"| {' | '.join(cells)} |" for cells in [list(table.heads), rule, *rows])]
