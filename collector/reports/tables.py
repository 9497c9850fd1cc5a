"""The tables of a report as plain rows, in the words and number forms that people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from collector.reports.content import RunReport

MISSING = "–"


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A heading, a note below it, column heads, and rows of text; `numeric` columns align right."""

    title: str
    note: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numeric: frozenset[int]


def figure(value: object) -> str:
    """A value as people read it: 1,234 · 12.5 · 2026-11-23 18:05 UTC · – where missing."""
    if value is None or value is pd.NA or (not isinstance(value, str) and pd.isna(value)):  # type: ignore[call-overload]
        return MISSING
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return value if isinstance(value, str) else f"{value:,}"


def summary_table(report: RunReport) -> ReportTable:
    """The run in one table."""
    run = report.run
    lines = {
        "Status": run["status"],
        "Source": run["source"],
        "Launched": run["created_at"],
        "Started": run["started_at"],
        "Ended": run["finished_at"],
        "Seconds": run["seconds"],
        "Categories": run["categories"],
        "Products on the lists": run["products_total"],
        "Products searched": run["products_searched"],
        "Products not due": run["products_covered"],
        "Products skipped": run["products_skipped"],
        "Products failed": run["products_failed"],
        "Sellers found": run["sellers_found"],
        "Sellers new": run["sellers_new"],
        "Sellers on the list at the end": run["seller_count_snapshot"],
        "Requests": run["requests"],
        "Requests billed": run["requests_billed"],
        "Budget": run["budget"],
        "Requests a new seller": run["requests_per_new_seller"],
        "Failed items": run["failed_items"],
    }
    return _table("The run", "", ("", ""), list(lines.items()))


def delta_table(report: RunReport) -> ReportTable:
    """The delta's counts with what they mean."""
    meaning = {
        "new": "added to the list by this run",
        "returning": "on the list before, but not seen by the run before",
        "retained": "seen by both runs",
        "not_seen": "seen by the run before only, although all their products were searched again",
        "out_of_scope": "seen by the run before only; not all their products were searched again",
    }
    rows = [(word.replace("_", " "), report.summary[word], text) for word, text in meaning.items()]
    if report.before:
        note = (
            f"Compared with “{report.before['name']}” of {figure(report.before['created_at'])}: "
            f"{report.summary['before']:,} sellers then, {report.summary['now']:,} now."
        )
    else:
        note = f"There is no run to compare with. {report.summary['now']:,} sellers were seen."
    return _table("What changed", note, ("Status", "Sellers", "Meaning"), rows)


def new_sellers_table(report: RunReport) -> ReportTable:
    """The new sellers, as many as are shown, and a note on the rest."""
    frame = report.new_sellers
    columns = ["display_name", "feedback_percent", "feedback_count", "first_seen_at", "flagged"]
    rows = [
        (name, percent, count, seen, "yes" if flagged else "")
        for name, percent, count, seen, flagged in frame[columns].itertuples(index=False)
    ]
    note = f"{report.new_sellers_total:,} sellers."
    if report.new_sellers_left_out:
        note = (
            f"The first {len(frame):,} of {report.new_sellers_total:,}; "
            "`collector export sellers` writes them all."
        )
    heads = ("Seller", "Feedback %", "Feedbacks", "First seen", "Flagged")
    return _table("New sellers", note, heads, rows)


def category_table(report: RunReport) -> ReportTable:
    """The delta by category."""
    return _by(report.by_category, "By category", ("Department", "Category"))


def department_table(report: RunReport) -> ReportTable:
    """The delta by department."""
    return _by(report.by_department.drop(columns="category"), "By department", ("Department",))


def yield_table(report: RunReport) -> ReportTable:
    """What each category of the run brought over all ended runs."""
    columns = ["department", "category", "runs", "requests", "sellers_found", "sellers_new"]
    further = ["requests_per_new_seller", "new_in_latest_run", "unfruitful"]
    rows = [
        (
            department,
            category or "(the department's own list)",
            *figures,
            "few new sellers" if unfruitful else "",
        )
        for department, category, *figures, unfruitful in report.category_yield[
            [*columns, *further]
        ].itertuples(index=False, name=None)
    ]
    note = (
        "Over all runs that have ended. “Few new sellers” stands where the latest three runs that "
        "searched for a category sent more than three times as many requests for a new seller "
        "as those of all categories."
    )
    heads = ("Department", "Category", "Runs", "Requests", "Sellers", "New")
    return _table(
        "What each category brings",
        note if rows else "",
        (*heads, "Requests a new seller", "New in the latest run", "Mark"),
        rows,
    )


def error_table(report: RunReport) -> ReportTable:
    """How requests ended, and what stands failed."""
    rows = list(report.errors.itertuples(index=False, name=None))
    heads = ("Outcome", "Requests", "Items failed")
    return _table("Requests and errors", "", heads, rows)


def history_table(report: RunReport) -> ReportTable:
    """The count of sellers at the end of each run."""
    counts = ["sellers_found", "sellers_new", "requests", "requests_per_new_seller"]
    columns = ["name", "finished_at", "status", *counts, "seller_count_snapshot"]
    frame = report.ended_runs[columns].tail(60)
    note = "The last 60 ended runs." if len(report.ended_runs) > len(frame) else ""
    cost = ("Requests", "A new seller")
    heads = ("Run", "Ended", "Status", "Found", "New", *cost, "On the list")
    return _table("Counts over time", note, heads, list(frame.itertuples(index=False, name=None)))


def parameter_table(report: RunReport) -> ReportTable:
    """What led to the report."""
    return _table("Parameters", "", ("Parameter", "Value"), list(report.parameters.items()))


def all_tables(report: RunReport) -> list[ReportTable]:
    """Every table, in reading order."""
    return [
        summary_table(report),
        delta_table(report),
        department_table(report),
        category_table(report),
        yield_table(report),
        new_sellers_table(report),
        history_table(report),
        error_table(report),
        parameter_table(report),
    ]


def _by(frame: pd.DataFrame, title: str, heads: tuple[str, ...]) -> ReportTable:
    note = "A seller seen in several places counts in each of them." if len(frame) else ""
    counts = ("Sellers now", "New", "Returning", "Retained", "Not seen", "Out of scope")
    rows = [
        tuple("(the department's own list)" if value == "" else value for value in row)
        for row in frame.itertuples(index=False, name=None)
    ]
    return _table(title, note, (*heads, *counts), rows)


def _table(
    title: str, note: str, heads: tuple[str, ...], rows: Sequence[Sequence[object]]
) -> ReportTable:
    numeric = frozenset(
        place
        for place in range(len(heads))
        if rows and all(not isinstance(row[place], str | pd.Timestamp) for row in rows)
    )
    written = [tuple(figure(value) for value in row) for row in rows]
    return ReportTable(title, note, heads, written, numeric)
