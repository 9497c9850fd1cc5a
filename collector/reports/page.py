"""The report as one HTML page: styles and pictures within, nothing fetched, nothing that runs.

Jinja escapes every text. The pictures are SVG by Vega's own renderer, which escapes the texts in
them; and a content security policy in the page lets nothing be loaded or run, whatever a
stranger's name holds.
"""

from __future__ import annotations

import jinja2
from markupsafe import Markup

from collector.reports import tables
from collector.reports.content import RunReport
from collector.reports.drawings import drawings


def page(report: RunReport) -> str:
    """The whole page as text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("collector", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report,
        summary=tables.summary_table(report),
        delta=tables.delta_table(report),
        by_department=tables.department_table(report),
        by_category=tables.category_table(report),
        category_yield=tables.yield_table(report),
        new_sellers=tables.new_sellers_table(report),
        history=tables.history_table(report),
        errors=tables.error_table(report),
        parameters=tables.parameter_table(report),
        figure=tables.figure,
        generated=f"{report.generated_at:%Y-%m-%d %H:%M:%S} UTC",
        # Markup: the renderer has escaped what stands inside (held by a test with hostile names).
        pictures={name: Markup(svg) for name, svg in drawings(report).items()},  # noqa: S704
    )
