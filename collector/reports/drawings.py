"""The pictures of a report, drawn once for every form of it."""

from __future__ import annotations

from collector import pictures
from collector.reports.content import RunReport


def drawings(report: RunReport) -> dict[str, str]:
    """SVG by name. The renderer escapes the texts in them."""
    charts = {
        "funnel": pictures.funnel(report.run),
        "count_over_time": pictures.count_over_time(report.snapshots),
        "waterfall": pictures.waterfall(report.summary),
        "per_category": pictures.per_category(report.by_category),
        "requests": pictures.requests_and_errors(report.requests),
    }
    return {name: pictures.svg(chart) for name, chart in charts.items()}
