"""The sellers grid's first rows as one piece of HTML that needs no kernel, script or network.

Every text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from html import escape
from typing import Any

from collector.panel.front_end import script
from collector.panel.grid_rows import COLUMNS, GridRow
from collector.panel.static_picture import stylesheet


def grid_picture(
    state: Mapping[str, Any],
    rows: Sequence[GridRow],
    *,
    tz: tzinfo | None = None,
    beside: bool = False,
) -> str:
    """Return the picture of the grid.

    Args:
        state: how many sellers there are, and how they are looked at.
        rows: the first ones shown.
        tz: the time zone that days are told in; None: the machine's own.
        beside: whether it stands beside a live grid, which hides it while it lives.
    """
    names = f"clp clg clp-static{' clp-beside' if beside else ''}"
    heads = "".join(
        f'<th scope="col"{_right(right)}>{escape(label)}</th>' for _, label, _, right in COLUMNS
    )
    body = "".join(_row(row, tz) for row in rows)
    shown = f"the first {len(rows):,} of {state['shown']:,} shown"
    words = shown if state["shown"] > len(rows) else "all shown"
    return (
        f'<section class="{names}" aria-label="Sellers">'
        f"<style>{stylesheet()}{script('grid.css')}</style>"
        f'<div class="clp-head"><div class="clp-name">Sellers</div><span class="clp-times">'
        f"{state['listed']:,} on the list · {words}</span></div>"
        f'<div class="clg-still"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _right(right: bool) -> str:
    return ' class="clg-right"' if right else ""


def _row(row: GridRow, tz: tzinfo | None) -> str:
    _, _, flagged, name, percent, feedback, seen, first, last, note, removed = row
    flag = '<span class="clp-t-warn" role="img" aria-label="flagged">⚑</span> ' if flagged else ""
    cells = [
        (f"{flag}<bdi>{escape(name, quote=True)}</bdi>", False),
        ("" if percent is None else f"{percent:.1f} %", True),
        ("" if feedback is None else f"{feedback:,}", True),
        (f"{seen:,}", True),
        (_day(first, tz), True),
        (_day(last, tz), True),
        (f"<bdi>{escape(note, quote=True)}</bdi>", False),
    ]
    tds = "".join(f"<td{_right(right)}>{text}</td>" for text, right in cells)
    gone = ' class="clg-gone"' if removed else ""
    return f"<tr{gone}>{tds}</tr>"


def _day(ms: int | None, tz: tzinfo | None) -> str:
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, tz=tz).strftime("%d %b %Y")
