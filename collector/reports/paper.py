"""The report as PDF: set by Typst, from the same tables and pictures as the page.

Texts go in as data and never as Typst's markup, so nothing has to be escaped. The compiler comes
in a wheel with fonts in it and needs neither a browser nor a network. Fonts of the system serve
where they have more letters; a letter that none has shows as an empty box.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from collector.errors import ExportError
from collector.reports import tables
from collector.reports.content import RunReport
from collector.reports.drawings import drawings

_FONT = "system-ui, sans-serif"
_PAPER_FONT = "DejaVu Sans, Noto Sans, Liberation Sans, Libertinus Serif"


def write_pdf(report: RunReport, path: Path) -> None:
    """Write the report as PDF.

    Raises:
        ExportError: Typst could not set it.
        OSError: it could not be written.
    """
    source = (files("collector") / "templates/report.typ").read_bytes()
    told = json.dumps(_content(report), ensure_ascii=False)
    try:
        pdf = typst.compile(source, format="pdf", sys_inputs={"report": told})
    except RuntimeError as exc:
        raise ExportError(
            f"The PDF could not be set: {exc}. Write an .html report instead."
        ) from exc
    path.write_bytes(pdf)


def _content(report: RunReport) -> dict[str, Any]:
    marks = [f"figures {report.badge}"]
    if report.in_progress:
        marks.insert(0, "IN PROGRESS: the figures still grow")
    if report.is_sandbox:
        marks.insert(0, "SANDBOX: an invented market, no real sellers")
    drawn = {
        # On paper there is no page around a picture that could lend it a colour or a font.
        name: svg.replace("currentColor", "#1b1f24").replace(_FONT, _PAPER_FONT)
        for name, svg in drawings(report).items()
    }
    places: tuple[tuple[list[str], tables.ReportTable], ...] = (
        (["waterfall"], tables.delta_table(report)),
        (["count_over_time"], tables.history_table(report)),
        (["per_category"], tables.department_table(report)),
        ([], tables.category_table(report)),
        ([], tables.yield_table(report)),
        ([], tables.new_sellers_table(report)),
        (["funnel"], tables.summary_table(report)),
        (["requests"], tables.error_table(report)),
        ([], tables.parameter_table(report)),
    )
    return {
        "title": f"Report of run {report.run['name']}",
        "marks": marks,
        "notes": [{"weight": note.weight, "text": note.text} for note in report.notes],
        "sections": [
            {
                "title": table.title,
                "pictures": [{"svg": drawn[name], "alt": name} for name in names],
                "tables": [
                    {
                        "note": table.note,
                        "heads": table.heads,
                        "rows": table.rows,
                        "numeric": sorted(table.numeric),
                    }
                ],
            }
            for names, table in places
        ],
        "footer": f"Run {report.run['run_id']} · generated "
        f"{report.generated_at:%Y-%m-%d %H:%M:%S} UTC",
    }
