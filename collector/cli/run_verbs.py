"""Verbs that start and steer runs: `run`, `resume`, `pause`, `cancel`, `retry`, `watch`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from collector.cli.terms import (
    EXIT_CODES,
    JsonOption,
    RunArgument,
    SourceOption,
    console,
    say,
    workbench,
)
from collector.errors import UsageError
from collector.words import RunStatus

if TYPE_CHECKING:
    from collector.models import RunOptions
    from collector.run import Run
    from collector.workbench import Workbench

BudgetOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="The most requests the run may spend.")
]
ReportOption = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Write a report: a file, or a folder to put it in."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only the summary.")]

COMMAND_DEADLINE_S = 5.0
ASK_EVERY_S = 0.1


class PageRule(StrEnum):
    """When a search goes on to its next page; `RunOptions.page_on`."""

    ALWAYS = "always"
    WHILE_NEW_TO_RUN = "while_new_to_run"
    WHILE_NEW = "while_new"


def add_to(app: typer.Typer) -> None:
    """Add these verbs."""
    for verb in (run, resume, retry, pause, cancel, watch):
        app.command()(verb)


def run(
    categories: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CATEGORIES]…",
            help="Node ids or names, see `collector categories`; by default a preset.",
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="A saved choice of categories.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the run.")] = None,
    budget: BudgetOption = None,
    pages_per_list: Annotated[
        int | None, typer.Option(min=1, max=2, help="Pages of each best-seller list.")
    ] = None,
    pages_per_search: Annotated[
        int | None, typer.Option(min=1, max=3, help="At most this many pages of a search.")
    ] = None,
    price_from: Annotated[
        float | None, typer.Option(help="Lower end of the price window, times Amazon's price.")
    ] = None,
    price_to: Annotated[
        float | None, typer.Option(help="Upper end of the price window, times Amazon's price.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=100, help="How many requests at once.")
    ] = None,
    search_again_days: Annotated[
        int | None,
        typer.Option(
            min=0, max=365, metavar="N", help="Search a product again only after this many days."
        ),
    ] = None,
    page_on: Annotated[
        PageRule | None,
        typer.Option(metavar="RULE", help="always, while_new_to_run or while_new: when to page."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Begin when no other run is at work here.")
    ] = False,
    report: ReportOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Start a run, show it live, and print what it found.

    Ctrl-C finishes what is under way and leaves the run resumable; a second one leaves at once.
    """
    if categories and preset:
        raise UsageError("Give categories or --preset, not both.")
    from collector.cli.waiting import turn
    from collector.panel.launching import estimate_words

    with workbench() as bench:
        options = _options(
            bench,
            pages_per_list=pages_per_list,
            pages_per_search=pages_per_search,
            price_from_factor=price_from,
            price_to_factor=price_to,
            workers=workers,
            search_again_days=search_again_days,
            page_on=page_on.value if page_on else None,
        )

        def start() -> Run:
            if not quiet:
                chosen = bench.estimate(
                    categories or None, preset=preset, budget=budget, options=options
                )
                say(estimate_words(chosen))
            return bench.launch(
                categories or None, preset=preset, name=name, budget=budget, options=options
            )

        with turn(bench.database) if wait else nullcontext():
            code = _see_through(bench, start, report=report, as_json=as_json, quiet=quiet)
    raise typer.Exit(code)


def _options(bench: Workbench, **given: Any) -> RunOptions | None:
    from pydantic import ValidationError

    from collector.models import RunOptions

    chosen = {option: value for option, value in given.items() if value is not None}
    if not chosen:
        return None
    try:
        return RunOptions(**{**bench.settings.run_options, **chosen})
    except ValidationError as exc:
        problems = "; ".join(
            " ".join(filter(None, [*map(str, problem["loc"]), problem["msg"]]))
            for problem in exc.errors(include_input=False, include_url=False)
        )
        raise UsageError(f"Check the options: {problems}.") from exc


def resume(
    run: RunArgument,
    budget: BudgetOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Go on with a run that is paused or was interrupted, and show it live."""
    with workbench() as bench:

        def start() -> Run:
            resumed = bench.attach(run)
            resumed.resume(budget=budget)
            return resumed

        code = _see_through(bench, start, report=report, as_json=as_json, quiet=quiet)
    raise typer.Exit(code)


def retry(
    run: RunArgument,
    report: ReportOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Send the failed items of a run again, and show it live."""
    with workbench() as bench:

        def start() -> Run:
            retried = bench.attach(run)
            retried.retry()
            return retried

        code = _see_through(bench, start, report=report, as_json=as_json, quiet=quiet)
    raise typer.Exit(code)


def _see_through(
    bench: Workbench,
    start: Callable[[], Run],
    *,
    report: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    from collector.cli.seeing_through import follow
    from collector.cli.summary import as_line, print_summary, resumption

    out = console(stderr=as_json)
    seen, progress = asyncio.run(follow(start, console=out, quiet=quiet))
    written = None
    if report is not None and progress.status.is_final:
        written = bench.report(seen, report)
    if not (as_json and quiet):
        print_summary(bench, seen, progress, report=written, console=out)
    for line in resumption(progress, short_id=seen.short_id):
        say(line)
    if as_json:
        print(as_line(progress))
    return EXIT_CODES[progress.status]


def pause(run: RunArgument, source: SourceOption = None) -> None:
    """Pause a run: no new request leaves, what is in flight is kept."""
    _command(run, source, lambda r: r.pause(), until=lambda s: s is not RunStatus.RUNNING)


def cancel(run: RunArgument, source: SourceOption = None) -> None:
    """End a run; what it found is kept."""
    _command(run, source, lambda r: r.cancel(), until=lambda s: s.is_final)


def _command(
    run: str, source: Any, command: Callable[[Run], None], *, until: Callable[[RunStatus], bool]
) -> None:
    from collector.cli.summary import resumption

    with workbench(source) as bench:
        attached = bench.attach(run)
        command(attached)
        deadline_s = time.monotonic() + COMMAND_DEADLINE_S
        while not until(attached.progress().status) and time.monotonic() < deadline_s:
            time.sleep(ASK_EVERY_S)
        progress = attached.progress()
        print(f"Run {attached.short_id}: {progress.status.value}")
        if not until(progress.status):
            say("Whoever works on the run has not answered yet; see `collector runs`.")
        for line in resumption(progress, short_id=attached.short_id):
            say(line)


def watch(run: RunArgument, as_json: JsonOption = False, source: SourceOption = None) -> None:
    """Print a run's activity: what is kept, then live until the run has ended."""
    from collector.cli.watching import watch_run

    with workbench(source) as bench:
        watch_run(bench, run, as_json=as_json)
