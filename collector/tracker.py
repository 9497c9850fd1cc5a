"""A run's progress as a viewer sees it: counters read from the database, moved on by entries.

The same for the process that owns a run and for one that only watches it: both have the same
entries. Thread-safe, and reading it costs no I/O.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from collector.models import ActivityEntry
from collector.progress import ErrorCount, RunProgress, WorkerState
from collector.words import Action, Phase

DURATIONS_KEPT = 200
RATE_WINDOW = timedelta(seconds=60)
# The kind of error that tells that a process died which had part of the run's workers.
PARTICIPANT_LOST = "participant_lost"
_DONE = {Action.INSERTED, Action.DEDUPED, Action.FOUND}


@dataclass(slots=True)
class _Worker:
    state: WorkerState
    durations: deque[int] = field(default_factory=lambda: deque(maxlen=50))


class Tracker:
    """Holds what is known of one run.

    Args:
        progress: how the run stands in the database.
        workers: how many workers it has.
        errors: the errors of earlier sessions.
        median_ms: their median answer.
    """

    def __init__(
        self,
        progress: RunProgress,
        *,
        workers: int,
        errors: tuple[ErrorCount, ...] = (),
        median_ms: int | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._base = progress
        self._workers = {n: _Worker(WorkerState(n)) for n in range(1, workers + 1)}
        self._errors = {(e.error_type, e.stage): e for e in errors}
        self._median_ms = median_ms
        self._durations: deque[int] = deque(maxlen=DURATIONS_KEPT)
        self._answered: deque[datetime] = deque(maxlen=1000)
        self._holds = 0
        self._hold_until: datetime | None = None
        self._hold_message = ""

    def rebase(self, progress: RunProgress) -> None:
        """Take over what the database says now."""
        with self._lock:
            self._base = progress

    def progress(self) -> RunProgress:
        """How the run stands."""
        with self._lock:
            recent = self._durations
            return replace(
                self._base,
                eta_s=self._eta_s(),
                holds=self._holds,
                hold_until=self._hold_until,
                hold_message=self._hold_message,
                median_ms=round(statistics.median(recent)) if recent else self._median_ms,
                errors=tuple(sorted(self._errors.values(), key=lambda e: -e.count)),
                workers=tuple(w.state for w in self._workers.values()),
            )

    def apply(self, entry: ActivityEntry) -> None:
        """Move on by one entry."""
        with self._lock:
            match entry.action:
                case Action.RATE_LIMITED:
                    self._hold(entry)
                case Action.RESUMED | Action.PAUSED | Action.CANCELLED | Action.COMPLETE:
                    self._hold_until, self._hold_message = None, ""
                case Action.ERROR:
                    self._count_error(entry)
                    if entry.error_type == PARTICIPANT_LOST:
                        self._lay_off(entry)
                case _:
                    pass
            if entry.worker_id:
                self._move_worker(entry)

    def _hold(self, entry: ActivityEntry) -> None:
        wait_s = float((entry.params or {}).get("wait_s") or 0)
        self._holds += 1
        self._hold_until = entry.timestamp + timedelta(seconds=wait_s)
        self._hold_message = entry.error_message or ""

    def _count_error(self, entry: ActivityEntry) -> None:
        key = (entry.error_type or "error", entry.error_stage or "fetch")
        before = self._errors.get(key)
        self._errors[key] = ErrorCount(
            *key, (before.count if before else 0) + 1, entry.error_message or ""
        )

    def _lay_off(self, entry: ActivityEntry) -> None:
        """Show no worker of a dead process as being at work."""
        params = entry.params or {}
        first, last = (int(params.get(name) or 0) for name in ("first_worker", "last_worker"))
        for number, worker in self._workers.items():
            if first <= number <= last:
                worker.state = _at_rest(worker.state, "its process died", ok=False)

    def _move_worker(self, entry: ActivityEntry) -> None:
        worker = self._workers.setdefault(entry.worker_id, _Worker(WorkerState(entry.worker_id)))
        state = worker.state
        if entry.duration_ms is not None and entry.action in _DONE:
            worker.durations.append(entry.duration_ms)
            self._durations.append(entry.duration_ms)
            self._answered.append(entry.timestamp)
        match entry.action:
            case Action.FETCHING:
                worker.state = replace(
                    state,
                    phase=entry.phase,
                    text=entry.product_name or entry.category or "",
                    detail=describe_request(entry),
                    since=entry.timestamp,
                    attempt=entry.attempt or 1,
                    requests=state.requests + 1,
                )
            case Action.ERROR | Action.RATE_LIMITED:
                kind = entry.error_type or "error"
                again = bool((entry.params or {}).get("will_retry"))
                worker.state = replace(
                    state,
                    phase=state.phase if again else None,
                    text=state.text if again else "",
                    detail="waiting to try again" if again else "",
                    since=None,
                    last_outcome=entry.error_message or kind,
                    last_ok=False,
                    failures={**state.failures, kind: state.failures.get(kind, 0) + 1},
                )
            case _ if entry.action in _DONE:
                worker.state = replace(
                    _at_rest(state, describe_outcome(entry), ok=True),
                    median_ms=round(statistics.median(worker.durations))
                    if worker.durations
                    else None,
                )
            case _:
                pass

    def _eta_s(self) -> float | None:
        """Seconds left: what is left to ask, at the pace of the last minute."""
        base = self._base
        if base.status != "running" or len(self._answered) < 5 or not base.requests:
            return None
        newest = self._answered[-1]
        recent = [t for t in self._answered if t > newest - RATE_WINDOW]
        span_s = (newest - recent[0]).total_seconds()
        if span_s <= 0:
            return None
        done = base.products_searched + base.lists_done
        if not done:
            return None
        per_list = base.products_total / base.lists_done if base.lists_done else 50.0
        lists_left = max(0, base.lists_total - base.lists_done - base.lists_failed)
        products_left = max(
            0.0,
            base.products_total
            - base.products_searched
            - base.products_failed
            + lists_left * per_list,
        )
        requests_left = (products_left + lists_left) * base.requests / done
        if base.budget is not None:
            requests_left = min(requests_left, base.budget - base.requests)
        return requests_left * span_s / len(recent)


def _at_rest(state: WorkerState, outcome: str, *, ok: bool) -> WorkerState:
    """The worker with nothing in its hands, after what came of the last it had."""
    return replace(
        state, phase=None, text="", detail="", since=None, last_outcome=outcome, last_ok=ok
    )


def describe_request(entry: ActivityEntry) -> str:
    """The second line of a worker's card: price window, page, attempt."""
    params = entry.params or {}
    parts: list[str] = []
    if params.get("price_from") is not None and params.get("price_to") is not None:
        parts.append(f"${params['price_from']}-{params['price_to']}")
    page = params.get("page")
    if page is not None:
        parts.append(f"{'list page' if entry.phase is Phase.BEST_SELLERS else 'page'} {page}")
    if (entry.attempt or 1) > 1:
        parts.append(f"attempt {entry.attempt}")
    return " · ".join(parts)


def describe_outcome(entry: ActivityEntry) -> str:
    """What an answer brought, in a few words."""
    count = entry.items_count or 0
    if entry.phase is Phase.BEST_SELLERS:
        return f"{count} product{'' if count == 1 else 's'}"
    sellers = f"{count} seller{'' if count == 1 else 's'}"
    if entry.action is Action.INSERTED:
        return f"{sellers}, {entry.new_sellers_count} new"
    return f"{sellers}, nothing new" if count else "no exact match"
