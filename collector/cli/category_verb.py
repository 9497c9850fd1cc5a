"""The verb `categories`: what a run can take, and whether it still is so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from collector.cli.table import print_table
from collector.cli.terms import JsonOption, SourceOption, say, workbench
from collector.errors import UsageError
from collector.words import Source

if TYPE_CHECKING:
    from collector.catalogue import Catalogue
    from collector.catalogue_checks import CategoryChange
    from collector.models import Category
    from collector.workbench import Workbench

REFRESH: Final = "refresh"
_MARKS = {"new": "+", "renamed": "~", "gone": "-"}


def categories(
    search: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SEARCH | refresh [DEPARTMENT]]",
            help="Part of a name, or a node id; or check what Amazon's pages say.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Refresh every department without asking.")
    ] = False,
    as_json: JsonOption = False,
    source: SourceOption = None,
) -> None:
    """List the categories a run can take, or check them against the departments' pages."""
    words = search or []
    if words[:1] == [REFRESH]:
        with workbench(source) as bench:
            _refresh(bench, " ".join(words[1:]), yes=yes, as_json=as_json)
        return
    _list(*_catalogue(source), " ".join(words), as_json=as_json)


def _catalogue(source: Source | None) -> tuple[Catalogue, set[str], set[str]]:
    """The catalogue of the database, where there is one; which lists were empty, or unfruitful."""
    from collector.catalogue import shipped
    from collector.embedded import server_status
    from collector.settings import Settings

    settings = Settings.read()
    # To look something up, no database is made that was not there.
    if (
        settings.database_url is None
        and not (server_status(settings.collector_home).data_dir / "PG_VERSION").exists()
    ):
        return shipped(), set(), set()
    with workbench(source) as bench:
        return bench.catalogue, bench.empty_categories(), bench.unfruitful_categories()


def _list(
    catalogue: Catalogue, empty: set[str], unfruitful: set[str], search: str, *, as_json: bool
) -> None:
    found = [c for c in catalogue.categories() if _is_meant(c, search)]
    if not found and search:
        # Says what is near, where nothing is called that.
        found = list(catalogue.find(search))
    if as_json:
        told = [
            _category(c) | {"empty": c.node_id in empty, "unfruitful": c.node_id in unfruitful}
            for c in found
        ]
        print(json.dumps(told, ensure_ascii=False))
        return
    rows = [[c.node_id, c.title + _mark(c, empty, unfruitful)] for c in found]
    print_table(["node id", "category"], rows, gives_way=1)


def _mark(category: Category, empty: set[str], unfruitful: set[str]) -> str:
    if category.node_id in empty:
        return "  (held nothing when last read)"
    if category.node_id in unfruitful:
        return "  (few new sellers for its requests)"
    return "" if category.confirmed else "  (unconfirmed)"


def _is_meant(category: Category, search: str) -> bool:
    wanted = search.strip().casefold()
    return wanted in category.title.casefold() or category.node_id == wanted


def _category(category: Category) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(category), "title": category.title}


def _refresh(bench: Workbench, department: str, *, yes: bool, as_json: bool) -> None:
    catalogue = bench.catalogue
    departments = [department] if department else list(catalogue.departments())
    if not department and bench.source is Source.OXYLABS and not yes:
        raise UsageError(
            f"This sends {len(departments)} paid requests, one a department. Name one "
            f"(`collector categories refresh Electronics`), or add --yes for all."
        )
    every: list[dict[str, Any]] = []
    for name in departments:
        title = catalogue.categories(name)[0].department
        paid = "one paid request" if bench.source is Source.OXYLABS else "one sandbox request"
        say(f"Reading the page of {title}: {paid} …")
        changes = bench.check_department(name)
        if as_json:
            every += [_change(change) for change in changes]
        else:
            _print_changes(title, changes)
    if as_json:
        print(json.dumps(every, ensure_ascii=False))


def _change(change: CategoryChange) -> dict[str, Any]:
    return {
        **_category(change.category),
        "status": change.status,
        "old_name": change.old_name or None,
    }


def _print_changes(title: str, changes: Sequence[CategoryChange]) -> None:
    counts = {s: sum(c.status == s for c in changes) for s in ("known", "new", "renamed", "gone")}
    print(f"{title}: " + ", ".join(f"{many} {status}" for status, many in counts.items()))
    rows = [
        [
            _MARKS[change.status],
            change.category.node_id,
            change.status,
            change.category.name + (f" (was {change.old_name})" if change.old_name else ""),
        ]
        for change in changes
        if change.status in _MARKS
    ]
    if rows:
        print_table(["", "node id", "status", "category"], rows, gives_way=3)
