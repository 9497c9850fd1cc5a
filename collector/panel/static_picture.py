"""The static picture: the view of a run as one piece of HTML that needs nothing else.

What a saved notebook, its HTML export or an untrusted notebook shows, offline and without a
kernel. Every text is escaped; there is no script, no link and no outside resource in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from collector.panel.sentences import MARKS, Row, printable, seconds, span
from collector.panel.view import CARDS, View


@cache
def stylesheet() -> str:
    """The panel's style sheet, as it is shipped in the package."""
    names = ("panel.css", "workers.css")
    return "\n".join(Path(__file__).with_name(n).read_text(encoding="utf-8") for n in names)


def picture(
    view: View,
    rows: Sequence[Row],
    *,
    moment: datetime,
    tz: tzinfo | None = None,
    beside: bool = False,
) -> str:
    """Return the picture of a run at one moment.

    Args:
        view: what `view()` returned.
        rows: the entries to show, newest first.
        moment: when this was so; told where the run had not ended.
        tz: the time zone that times are told in; None: the machine's own.
        beside: whether it stands beside a live panel, which hides it while it lives.
    """
    head = view["head"]
    now_ms = moment.timestamp() * 1000
    parts = [
        _head(head, now_ms, tz),
        _figures(view["figures"]),
        "".join(_bar(bar) for bar in view["bars"]),
        _note(view["notes"], head, now_ms, tz),
        _workers([section for key, section in view.items() if key.startswith("worker:")]),
        "".join(_row(row, tz) for row in rows) or '<p class="clp-empty">No activity.</p>',
        _errors(view["foot"]),
        _foot(view["foot"]),
    ]
    names = f"clp clp-static{' clp-beside' if beside else ''}"
    return _PAGE.format(names, stylesheet(), *parts)


_PAGE = """\
<section class="{0}" aria-label="Collection run"><style>{1}</style>
{2}
<div class="clp-figures">{3}</div>
<div class="clp-bars">{4}</div>
{5}
<div class="clp-columns"><div class="clp-side">
{6}</div>
<div class="clp-main"><div class="clp-title">Activity <em>newest first</em></div>
<div class="clp-feedbox"><div class="clp-feed" role="list">{7}</div></div></div></div>
{8}{9}
</section>
"""


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def _clock(ms: float, tz: tzinfo | None, *, form: str) -> str:
    return datetime.fromtimestamp(ms / 1000, tz=tz).strftime(form)


def _head(head: dict[str, Any], now_ms: float, tz: tzinfo | None) -> str:
    times = ""
    if head["started"] is not None:
        end = head["finished"] if head["finished"] is not None else now_ms
        started = _clock(head["started"], tz, form="%d %b %Y, %H:%M")
        times = f"started {started} · {span((end - head['started']) / 1000)}"
    return (
        f'<div class="clp-head"><div class="clp-name">{_text(head["name"])}</div>'
        f'<span class="clp-badge clp-t-{_text(head["tone"])}">{_text(head["mark"])} '
        f"{_text(head['words'])}</span>"
        f'<span class="clp-badge clp-t-{"warn" if head["sandbox"] else "calm"}">'
        f"{_text(head['source'])}</span>"
        f'<span class="clp-times">{_text(times)}</span></div>'
    )


def _figures(figures: Sequence[dict[str, str]]) -> str:
    return "".join(
        f'<div class="clp-figure"><div class="clp-value"><b>{_text(f["value"])}</b>'
        f'<span class="clp-extra clp-t-{_text(f["tone"])}">{_text(f["extra"])}</span></div>'
        f'<div class="clp-label">{_text(f["label"])}</div></div>'
        for f in figures
    )


def _bar(bar: dict[str, Any]) -> str:
    total = bar["total"] or 1
    done, lost = (100 * bar[part] / total for part in ("done", "failed"))
    failed = f'<span class="clp-t-bad"> · {_text(bar["failed_words"])}</span>'
    aside = f'<span class="clp-baraside"> · {_text(bar["aside"])}</span>'
    return (
        f'<div class="clp-barline"><span class="clp-barlabel">{_text(bar["label"])}</span>'
        f'<div class="clp-track"><i class="clp-done" style="width:{done:.2f}%"></i>'
        f'<i class="clp-failed" style="width:{lost:.2f}%"></i></div>'
        f'<span class="clp-barwords">{_text(bar["words"])}'
        f"{failed if bar['failed_words'] else ''}{aside if bar['aside'] else ''}</span></div>"
    )


def _note(
    notes: Sequence[dict[str, Any]], head: dict[str, Any], now_ms: float, tz: tzinfo | None
) -> str:
    """Return the most pressing note that does not pass, and when this was so for a run not over."""
    note = next(n for n in notes if n["until"] is None)
    as_of = "" if head["final"] else f"As of {_clock(now_ms, tz, form='%d %b %Y, %H:%M:%S')}"
    return (
        f'<div class="clp-note clp-n-{_text(note["tone"])}">'
        f'<span class="clp-notemark">{_text(note["mark"])}</span>'
        f'<div class="clp-notewords"><b>{_text(note["head"])}</b> {_text(note["text"])}</div>'
        f'<span class="clp-aside">{_text(as_of)}</span></div>'
    )


def _workers(cards: Sequence[dict[str, Any]]) -> str:
    crowd = len(cards) > CARDS
    at_work = sum(not card["idle"] for card in cards)
    aside = f" <em>{at_work} of {len(cards)} at work</em>" if crowd else ""
    return (
        f'<div class="clp-title">Workers{aside}</div>'
        f'<div class="clp-workers{" clp-crowd" if crowd else ""}">'
        f"{''.join(map(_card, cards))}</div>"
    )


def _card(card: dict[str, Any]) -> str:
    tag = f'<span class="clp-tag">{_text(card["tag"])}</span>' if card["tag"] else ""
    tone = "" if card["ok"] else "clp-t-bad"
    last = f'<span class="{tone}">last: {_text(card["last"])}</span>' if card["last"] else ""
    return (
        f'<div class="clp-card{" clp-idle" if card["idle"] else ""}" {_colour(card["id"])}>'
        f'<span class="clp-id">W{card["id"]:d}</span>'
        f'<span class="clp-what">{tag}<bdi>{_text(card["text"])}</bdi></span>'
        f'<span class="clp-since"></span><span class="clp-more"><bdi>{_text(card["detail"])}</bdi>'
        f"{' · ' if card['detail'] and last else ''}{last}</span></div>"
    )


def _row(row: Row, tz: tzinfo | None) -> str:
    _, ms, worker, place, kind, lead, rest, took = row
    mark, spoken = MARKS[kind]
    return (
        f'<div class="clp-row clp-is-{kind}" role="listitem" {_colour(worker)}>'
        f'<span class="clp-time">{_clock(ms, tz, form="%H:%M:%S")}</span>'
        f'<span class="clp-who">{f"W{worker:d}" if worker else "–"}</span>'
        f'<span class="clp-place">{_text(place)}</span>'
        f'<span class="clp-mark" role="img" aria-label="{_text(spoken)}">{mark}</span>'
        f'<span class="clp-text"><b>{_text(lead)}</b><bdi>{_text(rest)}</bdi></span>'
        f'<span class="clp-took">{seconds(took)}</span></div>'
    )


def _colour(worker: int) -> str:
    name = f"--clp-w{(worker - 1) % 5 + 1}" if worker > 0 else "--clp-soft"
    return f'style="--clp-c:var({name})"'


def _errors(foot: dict[str, Any]) -> str:
    lines = "".join(
        f'<div class="clp-stripline"><b>{e["count"]:,d} × {_text(e["kind"])}</b>'
        f"<span>while {_text(e['stage'])}</span>"
        f'<bdi class="clp-last">last: {_text(e["last"])}</bdi></div>'
        for e in foot["kinds"]
    )
    return f'<div class="clp-errorlist">{lines}</div>' if lines else ""


def _foot(foot: dict[str, Any]) -> str:
    errors = f"{foot['errors']:,} {'error' if foot['errors'] == 1 else 'errors'}: {foot['words']}"
    short = printable(foot["short"])
    plan = f"<span>plan <b>{_text(foot['plan'])}</b></span>" if foot["plan"] else ""
    return (
        f'<div class="clp-foot"><span>{_text(errors if foot["errors"] else "no errors")}</span>'
        f"<span>median answer <b>{_text(foot['median'])}</b></span>{plan}"
        f'<span class="clp-hint">run {_text(short)} · attach(“{_text(short)}”)'
        '<span class="clp-hintmore"> shows this anywhere</span></span></div>'
    )
