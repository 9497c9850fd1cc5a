"""The history as one piece of HTML that needs nothing else: no kernel, no script, no network.

Every text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from html import escape
from typing import Any

from collector.panel.front_end import script
from collector.panel.static_picture import stylesheet
from collector.panel.timeline import Detail, Moment

ROWS_SHOWN = 100


def history_picture(
    head: Mapping[str, Any],
    moments: Sequence[Moment],
    detail: Detail | None,
    *,
    tz: tzinfo | None = None,
    beside: bool = False,
) -> str:
    """Return the picture of the history.

    Args:
        head: what `figures` returned.
        moments: the timeline, newest first.
        detail: what is chosen.
        tz: the time zone that times are told in; None: the machine's own.
        beside: whether it stands beside a live panel, which hides it while it lives.
    """
    rows = "".join(_row(moment, tz) for moment in moments[:ROWS_SHOWN])
    older = max(0, int(head.get("total", 0)) - ROWS_SHOWN)
    more = f'<p class="clh-older">and {older:,} older</p>' if older else ""
    empty = '<p class="clp-empty">No runs yet.</p>'
    chosen = "" if detail is None else f'<div class="clh-detail">{_detail(detail, tz)}</div>'
    names = f"clp clh clp-static{' clp-beside' if beside else ''}"
    sellers = head.get("sellers")
    listed = "" if sellers is None else f"{sellers:,} sellers on the list · "
    return (
        f'<section class="{names}" aria-label="History">'
        f"<style>{stylesheet()}{script('history.css')}</style>"
        f'<div class="clp-head"><div class="clp-name">History</div><span class="clp-times">'
        f"{_text(listed)}{_text(head.get('runs', ''))} · {_text(head.get('edits', ''))}"
        "</span></div>"
        f'<div class="clh-columns{"" if chosen else " clh-alone"}">'
        f'<div class="clh-side"><div class="clh-list">{rows or empty}{more}</div></div>'
        f"{chosen}</div></section>"
    )


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def _clock(ms: float, tz: tzinfo | None) -> str:
    return datetime.fromtimestamp(ms / 1000, tz=tz).strftime("%d %b %Y, %H:%M")


def _row(moment: Moment, tz: tzinfo | None) -> str:
    delta = moment["delta"]
    tone = "ok" if delta > 0 else "bad" if delta < 0 else "calm"
    listed = "" if moment["count"] is None else f"{moment['count']:,}"
    badge = '<span class="clp-tag clp-t-warn">SANDBOX</span>' if moment["sandbox"] else ""
    return (
        f'<div class="clh-row"><span class="clh-mark">{_text(moment["mark"])}</span>'
        f'<span class="clh-what"><bdi>{_text(moment["title"])}</bdi></span>'
        f'<span class="clh-delta clp-t-{tone}">{signed(delta)}</span>'
        f'<span class="clh-count">{listed}</span>'
        f'<span class="clh-when">{_clock(moment["at"], tz)} · '
        f'<span class="clp-t-{_text(moment["tone"])}">{_text(moment["aside"])}</span>{badge}</span>'
        f'<span class="clh-took">{_text(moment["took"])}</span></div>'
    )


def signed(number: int) -> str:
    """`+12`, `−3`, `±0`."""
    return f"+{number:,}" if number > 0 else f"−{-number:,}" if number < 0 else "±0"


def _detail(detail: Detail, tz: tzinfo | None) -> str:
    facts = "".join(
        f"<dt>{_text(label)}</dt><dd>"
        f"{_clock(value, tz) if isinstance(value, int) else _text(value)}</dd>"
        for label, value in detail["facts"]
    )
    notes = "".join(f'<p class="clh-note">{_text(note)}</p>' for note in detail["notes"])
    sections = "".join(_section(section) for section in detail["sections"])
    return (
        f'<div class="clh-detailhead"><div class="clh-title"><bdi>{_text(detail["title"])}</bdi>'
        f'</div><span class="clp-badge clp-t-{_text(detail["tone"])}">{_text(detail["badge"])}'
        f'</span></div><dl class="clh-facts">{facts}</dl>{notes}{sections}'
    )


def _section(section: Detail) -> str:
    rest = section["total"] - len(section["names"])
    names = "".join(
        f'<li><span class="clh-sign">{_text(section["sign"])}</span><bdi>{_text(name)}</bdi></li>'
        for name in section["names"]
    )
    more = f'<p class="clh-rest">and {rest:,} more</p>' if rest else ""
    hint = f'<p class="clh-hint">{_text(section["hint"])}</p>' if section["hint"] else ""
    return (
        f'<section class="clh-section clp-t-{_text(section["tone"])}">'
        f"<h4>{_text(section['title'])} <b>{section['total']:,}</b></h4>{hint}"
        f'<ul class="clh-names">{names}</ul>{more}</section>'
    )
