"""Notes: the one line of a panel that says what the operator should know now, and what to do.

Pure: a run's progress and its surroundings in, notes out, most pressing first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from collector.panel.sentences import count, epoch_ms, ordinal, printable
from collector.progress import RunProgress
from collector.words import PauseReason, RunStatus

Note = dict[str, Any]

LAG_WORTH_TELLING_S: Final = 1.0

PAUSED: Final = {
    PauseReason.OPERATOR: ("Paused by hand.", "No new request leaves. Resume goes on."),
    PauseReason.FAILURES: (
        "Paused: experiencing problems.",
        "Nothing is lost: Resume tries the failed items again.",
    ),
    PauseReason.CREDENTIALS: (
        "Paused: the credentials were refused.",
        "Set OXYLABS_USERNAME and OXYLABS_PASSWORD, restart the kernel, attach and Resume.",
    ),
    PauseReason.BUDGET: (
        "Paused: the budget is spent.",
        "Nothing is lost: run.resume(budget=…) goes on with a larger one.",
    ),
    PauseReason.RETRY: ("Ready to try the failed items again.", "Resume begins."),
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a panel knows beside the run's own progress.

    Attributes:
        short_id: the beginning of the run's id, enough to attach to it.
        failing: failures and outcomes lately, where failures outnumber successes.
        last_failure: the message of the latest failure.
        kernel_free: share of time (0-1) in which the kernel's loop answered at once.
        lag_s: how late the kernel's loop was lately, at worst.
        problem: why the last click brought nothing.
    """

    short_id: str
    failing: tuple[int, int] | None = None
    last_failure: str = ""
    kernel_free: float | None = None
    lag_s: float = 0.0
    problem: str = ""


def notes(p: RunProgress, around: Surroundings, *, now: datetime) -> list[Note]:
    """Return what deserves a line, most pressing first; the first that still holds is shown."""
    found = []
    if around.problem:
        found.append(problem_note(around.problem))
    message = printable(p.message, longest=400)
    if p.interrupted:
        text = "Nobody living works on this run. Nothing is lost: Resume goes on from here."
        found.append(_note("bad", "⚠", "Interrupted.", text))
    elif p.status is RunStatus.PAUSED:
        head, advice = PAUSED.get(p.pause_reason or PauseReason.OPERATOR, ("Paused.", ""))
        found.append(_note("warn", "❚❚", head, _both(message, advice)))
    elif p.status.is_final:
        found.append(_ending(p, message))
    elif p.status is RunStatus.PENDING:
        found.append(_note("calm", "○", "", message or "The first request is about to leave."))
    else:
        found.extend(_while_running(p, around, now=now))
    return found


def problem_note(problem: str) -> Note:
    """Why a click brought nothing, or the panel cannot follow."""
    return _note("bad", "✕", "That did not work.", printable(problem, longest=400))


def _while_running(p: RunProgress, around: Surroundings, *, now: datetime) -> list[Note]:
    found = []
    if around.failing is not None:
        failures, outcomes = around.failing
        last = f" Last: {printable(around.last_failure)}" if around.last_failure else ""
        text = f"{failures} of the last {outcomes} requests failed.{last}"
        found.append(_note("bad", "⚠", "Experiencing problems.", text))
    if p.hold_until is not None and p.hold_until > now:
        why = printable(p.hold_message).rstrip(".;") or "The upstream asked for a rest"
        aside = f"{ordinal(p.holds)} time in this run" if p.holds > 1 else ""
        note = _note("warn", "◔", "Slowed down.", f"{why}; no new request leaves for")
        found.append({**note, "until": epoch_ms(p.hold_until), "aside": aside})
    if around.lag_s >= LAG_WORTH_TELLING_S:
        text = f"A cell kept the kernel busy for {around.lag_s:.0f} s, and this picture with it."
        found.append(_note("warn", "◷", "Held up.", text))
    found.append(_note("calm", "", "", f"All is well{_left(p)}."))
    return found


def _left(p: RunProgress) -> str:
    lists = p.lists_total - p.lists_done - p.lists_failed
    products = p.products_total - p.products_searched - p.products_failed
    parts = [count(lists, "page of the lists", "pages of the lists")] if lists > 0 else []
    parts += [count(products, "product")] if products > 0 else []
    return f": {' and '.join(parts)} to go" if parts else ""


def _ending(p: RunProgress, message: str) -> Note:
    failed = count(p.failed_items, "item") if p.failed_items else ""
    if p.status is RunStatus.CANCELLED:
        return _note("calm", "■", "Cancelled.", message or "What was found until then is kept.")
    if p.status is RunStatus.FAILED:
        return _note("bad", "✕", "Failed.", message or "What was found until then is kept.")
    found = f"{count(p.sellers_new, 'new seller')} from {count(p.requests, 'request')}."
    if failed:
        text = f"{found} {failed} failed: Retry failed, or run.retry(), sends them again."
        return _note("warn", "✓", "Completed, not without failures.", text)
    return _note("ok", "✓", "Completed.", found)


def _note(tone: str, mark: str, head: str, text: str) -> Note:
    return {"tone": tone, "mark": mark, "head": head, "text": text, "until": None, "aside": ""}


def _both(message: str, advice: str) -> str:
    if not message:
        return advice
    return f"{message.rstrip('.')}. {advice}".strip()
