"""Sentences: what an activity entry, a kind of error or a length of time reads like.

Pure: values in, plain text out. Nothing here is markup, and nothing may be put into markup
unescaped: product titles and seller names come from strangers. The same sentences stand in the
live panel and in its static picture.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from collector.models import ActivityEntry
from collector.words import Action, Phase

# One entry as the browser gets it: id, epoch ms, worker, place, kind, lead, rest, duration ms.
Row = tuple[int, int, int, str, str, str, str, int | None]

LONGEST_TEXT: Final = 160

# Control characters, lone surrogates (no JSON) and the marks that turn the reading direction of
# everything after them: a title may hold any of these.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]+"
)
_SPACE = re.compile(r"\s+")

# The kinds of entry: their mark in the feed (colour is never the only sign) and how it is spoken.
MARKS: Final = {
    "new": ("+", "new sellers"),
    "known": ("·", "nothing new"),
    "list": ("▤", "products of a list"),
    "none": ("·", "nothing found"),
    "step": ("→", "begins"),
    "error": ("✕", "error"),
    "wait": ("◔", "told to wait"),
    "system": ("◆", "the run"),
    "gap": ("…", "left out"),
}
# The filters of the feed: key, label, kinds. The first is chosen at the start.
FILTERS: Final = (
    ("outcomes", "Outcomes", tuple(kind for kind in MARKS if kind != "step")),
    ("new", "New", ("new",)),
    ("found", "Found", ("new", "known", "list")),
    ("errors", "Errors", ("error", "wait")),
    ("steps", "Every step", tuple(MARKS)),
)

PLACES: Final = {
    Phase.BEST_SELLERS: "Amazon",
    Phase.SELLER_SEARCH: "eBay",
    Phase.SYSTEM: "run",
}

# error_type: what happened (begins a sentence), one of them, many of them.
ERRORS: Final = {
    "refused": ("Refused", "refused", "refused"),
    "bad_request": ("Request not accepted", "request not accepted", "requests not accepted"),
    "rate_limited": ("Told to wait", "told to wait", "told to wait"),
    "unavailable": ("Upstream trouble", "upstream trouble", "upstream troubles"),
    "unreachable": ("No connection", "lost connection", "lost connections"),
    "timeout": ("Timed out", "timeout", "timeouts"),
    "malformed_answer": ("Answer malformed", "malformed answer", "malformed answers"),
    "target_failed": ("Target failed", "target failure", "target failures"),
    "page_not_understood": ("Page not understood", "page not understood", "pages not understood"),
    "blocked": ("Bot wall", "bot wall", "bot walls"),
    "upstream": ("Upstream error", "upstream error", "upstream errors"),
    "participant_lost": ("Process lost", "process lost", "processes lost"),
}
STAGES: Final = {
    "fetch": "fetching",
    "parse": "reading the page",
    "store": "saving",
    "run": "sharing the run",
}


def printable(text: str | None, *, longest: int = LONGEST_TEXT) -> str:
    """Return a stranger's text on one line, without what cannot or must not be shown."""
    if not text:
        return ""
    text = _SPACE.sub(" ", _UNPRINTABLE.sub(" ", text[: 4 * longest])).strip()
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def count(number: int, one: str, many: str | None = None) -> str:
    """`3 sellers`, `1 seller`, `1,204 sellers`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def error_words(error_type: str | None) -> str:
    """What kind of error this was, as the beginning of a sentence."""
    if error_type in ERRORS:
        return ERRORS[error_type][0]
    return printable(error_type or "error", longest=40).replace("_", " ").capitalize()


def errors_counted(error_type: str, number: int) -> str:
    """`2 timeouts`, `1 page not understood`."""
    if error_type in ERRORS:
        return count(number, ERRORS[error_type][1], ERRORS[error_type][2])
    return f"{number:,} {printable(error_type, longest=40).replace('_', ' ')}"


def stage_words(stage: str | None) -> str:
    """Where in an item's way an error happened."""
    return STAGES.get(stage or "", printable(stage, longest=40))


def seconds(duration_ms: int | None) -> str:
    """`0.3 s`, `5.2 s`, `180 s`; empty where unknown."""
    if duration_ms is None:
        return ""
    return f"{duration_ms / 1000:.1f} s" if duration_ms < 99_950 else f"{duration_ms / 1000:.0f} s"


def span(length_s: float) -> str:
    """A length of time as people say it: `42 s`, `6 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, int(length_s))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def epoch_ms(moment: datetime | None) -> int | None:
    """A moment as browsers count it. A naive one is taken as UTC."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def row(entry: ActivityEntry) -> Row:
    """Return an entry as the browser gets it: a kind (for its mark and the filters) and a sentence.

    Kinds: `new` sellers, `known` ones, `list` of products, `none` found, `step` (something
    begins), `error`, `wait`, `system`, `gap`.
    """
    kind, lead, rest = _sentence(entry)
    return (
        entry.id,
        int(entry.timestamp.timestamp() * 1000),
        entry.worker_id,
        PLACES[entry.phase],
        kind,
        lead,
        rest,
        entry.duration_ms,
    )


def _sentence(entry: ActivityEntry) -> tuple[str, str, str]:
    number = entry.items_count or 0
    match entry.action:
        case Action.INSERTED:
            lead = f"{entry.new_sellers_count or 0:,} new"
            return "new", lead, f" of {count(number, 'seller')}{_where(entry)}"
        case Action.DEDUPED if number:
            return "known", "", f"Nothing new of {count(number, 'seller')}{_where(entry)}"
        case Action.FOUND | Action.DEDUPED if entry.phase is Phase.BEST_SELLERS:
            return _found_products(entry, number)
        case Action.FOUND | Action.DEDUPED:
            return _found_sellers(entry, number)
        case Action.ERROR:
            return "error", error_words(entry.error_type), _failure(entry)
        case Action.RATE_LIMITED:
            wait_s = _param(entry, "wait_s")
            told = "" if wait_s is None else f" {_trim(_tenths(float(wait_s)))} s"
            return "wait", f"Told to wait{told}", f" (429){_where(entry)}"
        case Action.FETCHING:
            verb = "Reading the list" if entry.phase is Phase.BEST_SELLERS else "Searching"
            return "step", "", f"{verb}{_where(entry, window=True)}{_page(entry)}{_attempt(entry)}"
        case Action.UPLOADING:
            return "step", "", f"Saving {count(number, 'seller')}{_where(entry)}"
        case Action.UPDATED:
            return "known", "", f"{count(number, 'seller')} updated{_where(entry)}"
        case Action.GAP:
            text = count(number, "entry", "entries")
            return "gap", "", f"{text} went by too fast to be shown here; the activity log has them"
        case Action.PAUSED | Action.RESUMED | Action.CANCELLED | Action.COMPLETE:
            lead = "Completed" if entry.action is Action.COMPLETE else entry.action.capitalize()
            why = printable(entry.error_message or str(_param(entry, "reason") or ""))
            return "system", lead, f" · {why}" if why else ""


def _found_products(entry: ActivityEntry, number: int) -> tuple[str, str, str]:
    text = f"{count(number, 'product')}{_where(entry)}"
    for key, words in (
        ("elsewhere", "already due elsewhere"),
        ("not_due", "not due"),
        ("skipped", "left out"),
    ):
        amount = _param(entry, key)
        if amount:
            text += f", {_trim(amount)} {words}"
    return ("list" if number else "none"), "", text if number else f"No products{_where(entry)}"


def _found_sellers(entry: ActivityEntry, number: int) -> tuple[str, str, str]:
    if number:
        return "known", "", f"{count(number, 'seller')}{_where(entry)}"
    unmatched = _param(entry, "unmatched")
    if unmatched:
        cards = count(int(float(unmatched)), "card")
        text = f"No exact match: {cards} under “fewer words” left out{_where(entry)}"
        return "none", "", text
    return "none", "", f"No listing in the price window{_where(entry)}"


def _failure(entry: ActivityEntry) -> str:
    """Where it failed and what follows stand before the message: a long one is cut off."""
    text = f"{_where(entry)}{_page(entry)}"
    retry = _param(entry, "will_retry")
    if retry is not None:
        delay_s = float(_param(entry, "delay_s") or 0)
        soon = f" in {_trim(_tenths(delay_s))} s" if delay_s >= 1 else ""
        text += f", will try again{soon}" if retry else ", given up"
    message = printable(entry.error_message)
    return f"{text} · {message}" if message else text


def _where(entry: ActivityEntry, *, window: bool = False) -> str:
    name = printable(entry.product_name or entry.category)
    text = f" · {name}" if name else ""
    if window and entry.product_name:
        low, high = _param(entry, "price_from"), _param(entry, "price_to")
        if low is not None and high is not None:
            text += f" · ${float(low):,.2f}–{float(high):,.2f}"
    return text


def _page(entry: ActivityEntry) -> str:
    page = _param(entry, "page")
    return f", page {_trim(page)}" if page else ""


def _attempt(entry: ActivityEntry) -> str:
    return f", attempt {entry.attempt}" if entry.attempt and entry.attempt > 1 else ""


def _param(entry: ActivityEntry, key: str) -> str | int | float | bool | None:
    return entry.params.get(key) if entry.params else None


def _tenths(length_s: float) -> float:
    return round(length_s, 1) if length_s < 10 else round(length_s)


def _trim(number: str | float) -> str:
    """A number without an idle `.0`; a stranger's text stays harmless."""
    if isinstance(number, str):
        return printable(number, longest=20)
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,}"
