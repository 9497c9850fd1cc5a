"""Verbs that list and write out: `runs`, `categories`, `export`, `report`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from collector.cli.terms import (
    JsonOption,
    OutputOption,
    RunArgument,
    SourceOption,
    console,
    workbench,
)

if TYPE_CHECKING:
    from collector.models import Category

GAP: Final = 2
LEAST_WIDTH: Final = 8
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
    _print_table(list(_RUN_COLUMNS.values()), rows, gives_way=1, numbers_from=4)


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column == "run_id":
        return str(value)[:8]
    if column == "created_at":
        return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M")
    return f"{value:,}" if isinstance(value, int) else str(value)


def categories(
    search: Annotated[
        str | None, typer.Argument(metavar="[SEARCH]", help="Part of a name, or a node id.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the categories a run can take."""
    from collector.catalogue import shipped

    catalogue = shipped()
    found = [c for c in catalogue.categories() if _is_meant(c, search or "")]
    if not found and search:
        # Says what is near, where nothing is called that.
        found = list(catalogue.find(search))
    if as_json:
        print(json.dumps([_category(category) for category in found], ensure_ascii=False))
        return
    _print_table(["node id", "category"], [[c.node_id, c.title] for c in found], gives_way=1)


def _is_meant(category: Category, search: str) -> bool:
    wanted = search.strip().casefold()
    return wanted in category.title.casefold() or category.node_id == wanted


def _category(category: Category) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(category), "title": category.title}


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
    """Write the report of a run: html or md, by the name's ending."""
    with workbench(source) as bench:
        print(f"Written: {bench.report(bench.attach(run), output)}")


def _print_table(
    headings: list[str], rows: list[list[str]], *, gives_way: int, numbers_from: int = 99
) -> None:
    """Print columns. In a terminal, column `gives_way` is cut so that a row keeps to one line.

    In a pipe nothing is cut: whoever reads it searches for whole words.
    """
    from rich.cells import cell_len, set_cell_size

    from collector.panel.sentences import printable

    lines = [headings, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    out = console()
    if out.is_terminal:
        excess = sum(widths) + GAP * (len(widths) - 1) - out.width
        widths[gives_way] = max(LEAST_WIDTH, widths[gives_way] - max(0, excess))
    for line in lines:
        cells = []
        for number, (cell, width) in enumerate(zip(line, widths, strict=True)):
            padding = " " * (width - cell_len(cell))
            if not padding and cell_len(cell) > width:
                cells.append(f"{set_cell_size(cell, width - 1)}…")
            else:
                cells.append(padding + cell if number >= numbers_from else cell + padding)
        print((" " * GAP).join(cells).rstrip())
