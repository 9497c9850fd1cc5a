"""The view: how a run stands (`RunProgress`), as the words and numbers that a panel shows.

Pure: values in, a flat dictionary of JSON-able sections out. The live panel sends the sections
that changed; the static picture shows all of them. Moments are epoch milliseconds, so that
whoever shows them counts elapsed and remaining time without asking again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from collector.panel.notes import Surroundings, notes
from collector.panel.sentences import (
    count,
    epoch_ms,
    error_words,
    errors_counted,
    printable,
    seconds,
    stage_words,
)
from collector.progress import RunProgress, WorkerState
from collector.words import Phase, RunStatus, Source

Section = Any
View = dict[str, Section]

CARDS: Final = 5
# A forecast moves with every answer: a step this wide keeps it from flickering.
FORECAST_STEP_MS: Final = 5_000

# Words, a mark (colour is never the only sign) and a tone, per status.
STATUSES: Final = {
    RunStatus.PENDING: ("Waiting to start", "○", "calm"),
    RunStatus.RUNNING: ("Running", "●", "ok"),
    RunStatus.PAUSED: ("Paused", "❚❚", "warn"),
    RunStatus.COMPLETED: ("Completed", "✓", "ok"),
    RunStatus.FAILED: ("Failed", "✕", "bad"),
    RunStatus.CANCELLED: ("Cancelled", "■", "calm"),
}
TAGS: Final = {Phase.BEST_SELLERS: "Amazon", Phase.SELLER_SEARCH: "eBay"}


def view(progress: RunProgress, around: Surroundings, *, now: datetime) -> View:
    """Return every section of the view of a run at one moment."""
    cards = {f"worker:{w.worker_id}": _card(w, progress) for w in _workers(progress)}
    return {
        "head": _head(progress, now=now),
        "can": _buttons(progress),
        "figures": _figures(progress),
        "bars": _bars(progress),
        "notes": notes(progress, around, now=now),
        "foot": _foot(progress, around),
        **cards,
    }


def _head(p: RunProgress, *, now: datetime) -> Section:
    words, mark, tone = STATUSES[p.status]
    if p.interrupted:
        words, mark, tone = "Interrupted", "⚠", "bad"
    forecast = None
    if p.eta_s is not None and p.status is RunStatus.RUNNING and not p.interrupted:
        at = (epoch_ms(now) or 0) + p.eta_s * 1000
        forecast = round(at / FORECAST_STEP_MS) * FORECAST_STEP_MS
    return {
        "name": printable(p.name) or "Run",
        "status": p.status.value,
        "words": words,
        "mark": mark,
        "tone": tone,
        "source": "SANDBOX" if p.source is Source.SANDBOX else "Oxylabs",
        "sandbox": p.source is Source.SANDBOX,
        "created": epoch_ms(p.created_at),
        "started": epoch_ms(p.started_at),
        "finished": epoch_ms(p.finished_at),
        "final": p.status.is_final,
        # Time goes on only while somebody works on the run.
        "ticking": p.status is RunStatus.RUNNING and not p.interrupted,
        "forecast": forecast,
    }


def _buttons(p: RunProgress) -> list[str]:
    if p.status is RunStatus.CANCELLED:
        return []
    if p.status.is_final:
        return ["retry"] if p.failed_items else []
    if p.status is RunStatus.PAUSED or p.interrupted:
        return ["resume", *(["retry"] if p.failed_items else []), "cancel"]
    return ["pause", "cancel"]


def _figures(p: RunProgress) -> Section:
    ended = p.status.is_final and p.seller_count_snapshot is not None
    sellers = p.seller_count_snapshot if ended else p.seller_count
    sellers = sellers or 0
    moved, tone = "", "calm"
    if p.seller_count_before is not None:
        by = sellers - p.seller_count_before
        moved = f"▲ {by:,}" if by > 0 else f"▼ {-by:,}" if by < 0 else "± 0"
        tone = "ok" if by > 0 else "bad" if by < 0 else "calm"
    cost = "–" if p.requests_per_new_seller is None else f"{p.requests_per_new_seller:,.1f}"
    spent = "requests spent" if p.budget is not None else "requests, no budget set"
    return [
        {
            "key": "sellers",
            "value": f"{sellers:,}",
            "extra": moved,
            "tone": tone,
            "label": "sellers after this run" if ended else "sellers on the list",
            "spoken": "" if not moved else f"{moved} since the last run",
        },
        _figure("new", f"{p.sellers_new:,}", "new in this run"),
        _figure("again", f"{max(0, p.sellers_found - p.sellers_new):,}", "seen again"),
        _figure("cost", cost, "requests per new seller"),
        _figure("requests", f"{p.requests:,}", spent, of=p.budget),
    ]


def _figure(key: str, value: str, label: str, *, of: int | None = None) -> Section:
    extra = "" if of is None else f"of {of:,}"
    return {
        "key": key,
        "value": value,
        "extra": extra,
        "tone": "faint",
        "label": label,
        "spoken": extra,
    }


def _bars(p: RunProgress) -> Section:
    lists = f"{count(p.categories, 'category', 'categories')}" if p.categories else ""
    not_due = [f"{p.products_covered:,} not due"] if p.products_covered else []
    left_out = [f"{p.products_skipped:,} left out"] if p.products_skipped else []
    aside = ", ".join(not_due + left_out)
    return [
        _bar("Best-seller lists", p.lists_done, p.lists_failed, p.lists_total, lists),
        _bar("Products searched", p.products_searched, p.products_failed, p.products_total, aside),
    ]


def _bar(label: str, done: int, failed: int, total: int, aside: str) -> Section:
    return {
        "label": label,
        "done": done,
        "failed": failed,
        "total": max(total, done + failed),
        "words": f"{done:,} of {total:,}" if total else "none yet",
        "failed_words": f"{failed:,} failed" if failed else "",
        "aside": aside,
    }


def _workers(p: RunProgress) -> list[WorkerState]:
    known = {w.worker_id: w for w in p.workers if w.worker_id > 0}
    return [
        known.get(number) or WorkerState(worker_id=number)
        for number in range(1, max([CARDS if not known else 0, *known]) + 1)
    ]


def _card(w: WorkerState, p: RunProgress) -> Section:
    idle = w.phase is None or p.status.is_final
    failed = sum(w.failures.values())
    figures = count(w.requests, "request") if w.requests else ""
    if figures and failed:
        figures += f", {failed:,} failed"
    if figures and w.median_ms is not None:
        figures += f", median {seconds(w.median_ms)}"
    resting = {
        RunStatus.RUNNING: "Waiting for the next page",
        RunStatus.PAUSED: "Paused",
        RunStatus.PENDING: "Waiting to start",
    }.get(p.status, "Done")
    text, detail = printable(w.text), printable(w.detail)
    if idle and (p.status is not RunStatus.RUNNING or not text):
        text, detail = resting, figures
    return {
        "id": w.worker_id,
        "tag": "" if idle or w.phase is None else TAGS.get(w.phase, ""),
        "text": text,
        "detail": detail,
        "since": None if idle else epoch_ms(w.since),
        "last": printable(w.last_outcome),
        "ok": w.last_ok,
        "idle": idle,
        "requests": w.requests,
        "failures": ", ".join(errors_counted(k, n) for k, n in sorted(w.failures.items()) if n),
        "median": seconds(w.median_ms),
    }


def _foot(p: RunProgress, around: Surroundings) -> Section:
    by_type: dict[str, int] = {}
    for e in p.errors:
        by_type[e.error_type] = by_type.get(e.error_type, 0) + e.count
    free = around.kernel_free
    return {
        "errors": sum(by_type.values()),
        "words": ", ".join(
            errors_counted(k, n) for k, n in sorted(by_type.items(), key=lambda kn: (-kn[1], kn[0]))
        ),
        "kinds": [
            {
                "kind": error_words(e.error_type),
                "stage": stage_words(e.stage),
                "count": e.count,
                "last": printable(e.last_message, longest=240),
            }
            for e in p.errors
        ],
        "median": seconds(p.median_ms) or "–",
        "plan": "" if p.plan_per_second is None else f"{p.plan_per_second:,} jobs/s",
        "free": "" if free is None else f"{round(100 * free)} %",
        "short": printable(around.short_id),
    }
