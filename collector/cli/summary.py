"""What a run came to: a table for people, one JSON line for programs, and how to go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from collector.cli.terms import program
from collector.models import utc_now
from collector.panel.sentences import count, printable, span
from collector.words import PauseReason, RunStatus, Source

if TYPE_CHECKING:
    from rich.console import Console

    from collector.progress import RunProgress
    from collector.run import Run
    from collector.workbench import Workbench


LABEL_WIDTH: Final = 24
# What is said of the run before, and the status that a delta has for it.
_DELTA = (("returning", "returning"), ("retained", "retained"), ("not seen", "not_seen"))


def seconds_of(progress: RunProgress) -> float:
    """How long a run took, until now where it has not ended."""
    if progress.started_at is None:
        return 0.0
    return ((progress.finished_at or utc_now()) - progress.started_at).total_seconds()


def as_line(progress: RunProgress) -> str:
    """The one JSON object that `--json` ends with."""
    return json.dumps(
        {
            "run_id": str(progress.run_id),
            "status": progress.status.value,
            "source": progress.source.value,
            "categories": progress.categories,
            "products_total": progress.products_total,
            "products_searched": progress.products_searched,
            "products_covered": progress.products_covered,
            "sellers_found": progress.sellers_found,
            "sellers_new": progress.sellers_new,
            "seller_count_snapshot": progress.seller_count_snapshot,
            "requests": progress.requests,
            "requests_per_new_seller": _rounded(progress.requests_per_new_seller),
            "failed_items": progress.failed_items,
            "seconds": round(seconds_of(progress), 1),
        }
    )


def print_summary(
    bench: Workbench,
    run: Run,
    progress: RunProgress,
    *,
    report: Path | None,
    console: Console,
) -> None:
    """Print what the run found, spent and left open."""
    deltas = bench.deltas(run)
    found = deltas["status"].value_counts()
    is_first = progress.seller_count_before is None
    sandbox = "   SANDBOX: an invented market" if progress.source is Source.SANDBOX else ""
    on_the_list = progress.seller_count_snapshot or progress.seller_count
    out_of_scope = int(found.get("out_of_scope", 0))
    rows = [
        ("status", f"{progress.status.value}{sandbox}"),
        ("new sellers", f"{progress.sellers_new:,}"),
        *((words, "" if is_first else f"{found.get(of, 0):,}") for words, of in _DELTA),
        ("out of scope", f"{out_of_scope:,}" if out_of_scope else ""),
        ("sellers on the list", f"{on_the_list:,}{_moved(progress, on_the_list)}"),
        ("best-seller lists", _of(progress.lists_done, progress.lists_total)),
        ("products searched", _of(progress.products_searched, progress.products_total)),
        ("not due", _not_due(progress)),
        ("requests", f"{progress.requests:,}{_budget(progress)}"),
        ("requests per new seller", _cost(progress)),
        ("failed items", f"{progress.failed_items:,}"),
        ("time", span(seconds_of(progress))),
        ("report", str(report) if report else ""),
    ]
    out = Text(f"\n{printable(f'Run {run.short_id} · {run.name}')}\n")
    for label, value in rows:
        if value:
            out.append(f"  {label:<{LABEL_WIDTH}}", style="dim").append(f"{value}\n")
    console.print(out, soft_wrap=True)


def resumption(progress: RunProgress, *, short_id: str) -> list[str]:
    """Why a run that stands still does so, and the exact command to go on."""
    resume = f"{program()} resume {short_id}"
    why = printable(progress.message, longest=400).removeprefix("Paused: ")
    if progress.status is RunStatus.FAILED:
        return [f"Error: {why or 'The run failed.'}"]
    if progress.status.is_final:
        if not progress.failed_items:
            return []
        items = count(progress.failed_items, "item")
        last = printable(progress.errors[-1].last_message, longest=400) if progress.errors else ""
        because = f", the last with: {last}" if last else "."
        return [f"{items} failed{because}", f"To send them again: {program()} retry {short_id}"]
    if progress.interrupted:
        return [f"Interrupted: nobody works on it any more. To go on: {resume}"]
    if progress.status is not RunStatus.PAUSED:
        return []
    match progress.pause_reason:
        case PauseReason.BUDGET:
            more = 2 * (progress.budget or progress.requests)
            return [
                f"Paused: the budget of {progress.budget or progress.requests:,} requests is "
                f"spent. To go on with a larger one: {resume} --budget {more}"
            ]
        case PauseReason.CREDENTIALS:
            return [
                f"Paused: {why or 'the credentials were refused.'}",
                f"Set OXYLABS_USERNAME and OXYLABS_PASSWORD, then: {resume}",
            ]
        case PauseReason.FAILURES:
            reason = why or "five items in a row failed."
            return [f"Paused: {reason}", f"Nothing is lost. To go on: {resume}"]
        case PauseReason.RETRY:
            return [f"Its failed items are due again. To send them: {resume}"]
        case _:
            return [f"Paused. To go on: {resume}"]


def _of(done: int, total: int) -> str:
    return f"{done:,} of {total:,}"


def _moved(progress: RunProgress, sellers: int) -> str:
    if progress.seller_count_before is None:
        return ""
    by = sellers - progress.seller_count_before
    return f"  ({by:+,} since the run before)"


def _not_due(progress: RunProgress) -> str:
    covered = progress.products_covered
    return f"{count(covered, 'product')}, covered by earlier searches" if covered else ""


def _cost(progress: RunProgress) -> str:
    cost = progress.requests_per_new_seller
    return "none was new" if cost is None else f"{cost:,.1f}"


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)


def _budget(progress: RunProgress) -> str:
    return "" if progress.budget is None else f" of {progress.budget:,}"
