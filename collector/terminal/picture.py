"""The picture of a run: a view and its sentences as text of a terminal's width. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from collector.panel.sentences import Row, seconds, span
from collector.panel.view import View

FEWEST_FEED_LINES: Final = 3
MOST_FEED_LINES: Final = 14
MOST_WORKER_LINES: Final = 8

TONES: Final = {"ok": "green", "warn": "yellow", "bad": "red", "calm": "", "faint": "dim"}
# The mark and the style of each kind of sentence; colour is never the only sign.
MARKS: Final = {
    "new": ("+", "green"),
    "known": ("·", "dim"),
    "list": ("▤", ""),
    "none": ("·", "dim"),
    "step": (">", "dim"),
    "error": ("x", "red"),
    "wait": ("◔", "yellow"),
    "system": ("■", "bold"),
    "gap": ("…", "dim"),
}


def line_of(line: Row) -> Text:
    """An activity entry as one line: when, who, what, how long."""
    _, at_ms, worker, place, kind, lead, rest, duration_ms = line
    mark, style = MARKS[kind]
    who = f"W{worker}" if worker else "  "
    text = Text()
    text.append(f"{clock(datetime.fromtimestamp(at_ms / 1000, UTC))} ", style="dim")
    text.append(f"{who:<3} {place:<6} ", style="dim")
    text.append(f"{mark} ", style=style)
    text.append(lead, style=style)
    text.append(rest, style="" if kind in {"new", "error", "list", "system"} else "dim")
    if duration_ms is not None:
        text.append(f"  {seconds(duration_ms)}", style="dim")
    return text


def status_line(shown_now: View) -> str:
    """A run's figures in one plain line."""
    head = shown_now["head"]
    bars = [
        f"{bar['label'].lower()} {bar['words']}"
        + (f" ({bar['failed_words']})" if bar["failed_words"] else "")
        for bar in shown_now["bars"]
    ]
    figures = [
        " ".join(filter(None, (f["value"], f["extra"], f["label"].partition(",")[0])))
        for f in shown_now["figures"]
        if f["key"] in {"sellers", "new", "requests"}
    ]
    return " · ".join([f"{head['source']} {head['words'].lower()}", *bars, *figures])


def picture(shown_now: View, rows: Sequence[Row], *, now: datetime, height: int) -> RenderableType:
    """The whole run as it stands, at most `height` lines high. `rows` are oldest first."""
    now_ms = now.timestamp() * 1000
    parts: list[RenderableType] = [
        _head(shown_now["head"], now_ms),
        _figures(shown_now["figures"]),
        _bars(shown_now["bars"]),
        _note(shown_now["notes"], now_ms),
        Text(),
    ]
    workers = [card for key, card in shown_now.items() if key.startswith("worker:")]
    parts += [_worker(card, now_ms) for card in workers[:MOST_WORKER_LINES]]
    if len(workers) > MOST_WORKER_LINES:
        parts.append(Text(f"    and {len(workers) - MOST_WORKER_LINES} more workers", style="dim"))
    parts.append(Text())
    # Two for the bars, one for the foot, one that the cursor rests on.
    left = height - len(parts) - 3
    lines = min(MOST_FEED_LINES, max(FEWEST_FEED_LINES, left))
    newest = [_one_line(line_of(line)) for line in reversed(list(rows)[-lines:])]
    parts += newest + [Text()] * (lines - len(newest))
    parts.append(_foot(shown_now["foot"]))
    return Group(*parts)


def _head(head: Any, now_ms: float) -> Text:
    text = Text()
    text.append(head["name"], style="bold")
    text.append(f"  {head['mark']} {head['words']}", style=TONES[head["tone"]])
    if head["sandbox"]:
        text.append("  ")
        text.append(" SANDBOX ", style="black on yellow")
    if head["started"] is not None:
        until = now_ms if head["ticking"] else head["finished"] or now_ms
        text.append(f"  {span((until - head['started']) / 1000)}", style="dim")
    if head["forecast"] is not None:
        text.append(f" · about {span((head['forecast'] - now_ms) / 1000)} left", style="dim")
    return _one_line(text)


def _figures(figures: Any) -> Text:
    text = Text()
    for figure in figures:
        if text:
            text.append("   ")
        text.append(figure["value"], style="bold")
        if figure["extra"]:
            text.append(f" {figure['extra']}", style=TONES[figure["tone"]])
        text.append(f" {figure['label']}", style="dim")
    return _one_line(text)


def _bars(bars: Any) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    for bar in bars:
        words = Text(bar["words"], style="dim")
        if bar["failed_words"]:
            words.append(f" · {bar['failed_words']}", style="red")
        done = bar["done"] + bar["failed"]
        line = ProgressBar(
            total=bar["total"] or 1, completed=done, complete_style="blue", finished_style="green"
        )
        grid.add_row(bar["label"], line, words)
    return grid


def _note(notes: Any, now_ms: float) -> Text:
    note = next((n for n in notes if n["until"] is None or n["until"] > now_ms), None)
    if note is None:
        return Text()
    text = Text(f"{note['mark']} ".lstrip())
    text.append(f"{note['head']} ".lstrip(), style=TONES[note["tone"]])
    text.append(note["text"])
    if note["until"] is not None:
        text.append(f" {(note['until'] - now_ms) / 1000:.0f} s")
    if note["aside"]:
        text.append(f"  {note['aside']}", style="dim")
    return _one_line(text)


def _worker(card: Any, now_ms: float) -> Text:
    text = Text()
    text.append(f"W{card['id']:<2} ", style="bold")
    text.append(f"{card['tag']:<6} ", style="dim")
    if card["since"] is not None:
        text.append(f"{max(0, now_ms - card['since']) / 1000:4.1f} s  ", style="dim")
    else:
        text.append(" " * 8)
    text.append(card["text"], style="dim" if card["idle"] else "")
    if card["detail"]:
        text.append(f" · {card['detail']}", style="dim")
    if card["last"]:
        text.append(" · last: ", style="dim")
        text.append(card["last"], style="dim" if card["ok"] else "red")
    return _one_line(text)


def _foot(foot: Any) -> Text:
    errors = f"{foot['errors']} errors: {foot['words']}" if foot["errors"] else "no errors"
    parts = [errors, f"median answer {foot['median']}"]
    parts += [f"plan {foot['plan']}"] if foot["plan"] else []
    parts += [f"run {foot['short']}", "Ctrl-C leaves it resumable"]
    return _one_line(Text("   ".join(parts), style="dim"))


def _one_line(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text


def clock(moment: datetime) -> str:
    """The time of day here."""
    return moment.astimezone().strftime("%H:%M:%S")
