"""Verbs that list and write out: `runs`, `categories`, `export`, `report`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from collector.cli.category_verb import categories
from collector.cli.table import print_table
from collector.cli.terms import JsonOption, OutputOption, RunArgument, SourceOption, workbench

_RUN_COLUMNS = {
    "run_id": "run",
    "name": "name",
    "status": "status",
    "created_at": "created",
    "sellers_new": "new",
    "seller_count_snapshot": "list",
    "requests": "requests",
    "failed_items": "failed",
}


def add_to(app: typer.Typer) -> None:
    """Add these verbs."""
    for verb in (runs, categories, export, report):
        app.command()(verb)


def runs(as_json: JsonOption = False, source: SourceOption = None) -> None:
    """List the runs, newest first."""
    with workbench(source) as bench:
        listed = json.loads(bench.runs().to_json(orient="records", date_format="iso"))
        mark = bench.source.value
    if as_json:
        print(json.dumps(listed))
        return
    if not listed:
        print(f"No runs yet ({mark}). Start one: collector run")
        return
    for run in listed:
        if run["interrupted"]:
            run["status"] = "interrupted"
    rows = [[_cell(column, run[column]) for column in _RUN_COLUMNS] for run in listed]
    print_table(list(_RUN_COLUMNS.values()), rows, gives_way=1, numbers_from=4)


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column == "run_id":
        return str(value)[:8]
    if column == "created_at":
        return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M")
    return f"{value:,}" if isinstance(value, int) else str(value)


def export(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="sellers, runs, products, sightings, audit, …"),
    ],
    output: OutputOption,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Only what belongs to this run."),
    ] = None,
    source: SourceOption = None,
) -> None:
    """Write a frame into a file: csv, json, jsonl, xlsx or parquet, by the name's ending."""
    with workbench(source) as bench:
        chosen = None if run is None else bench.attach(run)
        print(f"Written: {bench.export(what, output, run=chosen)}")


def report(run: RunArgument, output: OutputOption, source: SourceOption = None) -> None:
    """Write the report of a run: html, md, pdf or xlsx, by the name's ending."""
    with workbench(source) as bench:
        print(f"Written: {bench.report(bench.attach(run), output)}")
