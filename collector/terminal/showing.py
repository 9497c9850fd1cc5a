"""Showing a run while it goes on: repainted in place in a terminal, as lines in a log."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from collector.activity import Subscription
from collector.models import ActivityEntry, utc_now
from collector.panel.notes import Surroundings
from collector.panel.sentences import Row, row
from collector.panel.view import view
from collector.progress import RunProgress
from collector.terminal.picture import MOST_FEED_LINES, clock, line_of, picture, status_line
from collector.words import Action

REPAINT_S: Final = 0.25
PLAIN_STATUS_S: Final = 5.0
# What a plain log shows of the activity: the rest is in its figures, and in `collector watch`.
TOLD_PLAINLY: Final = frozenset(
    {
        Action.ERROR,
        Action.RATE_LIMITED,
        Action.PAUSED,
        Action.RESUMED,
        Action.CANCELLED,
        Action.COMPLETE,
    }
)


class RunFeed(Protocol):
    """What is shown: a run's progress and its activity entries."""

    @property
    def short_id(self) -> str:
        """Enough of the run's id to name it."""

    def progress(self) -> RunProgress:
        """The latest progress known; never waits."""

    def subscribe(self, after: int | None = None) -> Subscription:
        """A subscription to the run's activity."""


@asynccontextmanager
async def shown(feed: RunFeed, *, console: Console) -> AsyncIterator[None]:
    """Show a run while the block lasts, and once more at its end."""
    picture = _Live(console) if console.is_terminal else _Plain(console)
    subscription = feed.subscribe()

    async def keep_painting() -> None:
        while True:
            picture.paint(feed, subscription.take())
            await asyncio.sleep(REPAINT_S)

    with picture:
        painter = asyncio.create_task(keep_painting(), name="terminal")
        try:
            yield
        finally:
            painter.cancel()
            await asyncio.wait([painter])
            # A painter that died says so here; a cancelled one has nothing to say.
            if not painter.cancelled() and (failure := painter.exception()):
                raise failure
            picture.finish(feed, subscription.take())
            subscription.close()


class _Live:
    """Repaints one picture of the whole run in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._rows: deque[Row] = deque(maxlen=MOST_FEED_LINES)

    def __enter__(self) -> _Live:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def paint(self, feed: RunFeed, entries: Sequence[ActivityEntry]) -> None:
        self._rows.extend(line for e in entries if (line := row(e))[4] != "step")
        now = utc_now()
        shown_now = view(feed.progress(), Surroundings(short_id=feed.short_id), now=now)
        height = self._console.size.height
        self._live.update(picture(shown_now, self._rows, now=now, height=height), refresh=True)

    def finish(self, feed: RunFeed, entries: Sequence[ActivityEntry]) -> None:
        self.paint(feed, entries)


class _Plain:
    """Prints a line of figures every few seconds, and the entries that a log needs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0
        self._last = ""

    def __enter__(self) -> _Plain:
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def paint(self, feed: RunFeed, entries: Sequence[ActivityEntry]) -> None:
        for entry in entries:
            if entry.action in TOLD_PLAINLY:
                print_line(self._console, line_of(row(entry)))
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._next_s:
            self._next_s = now_s + PLAIN_STATUS_S
            self._say(feed)

    def finish(self, feed: RunFeed, entries: Sequence[ActivityEntry]) -> None:
        self._next_s = float("inf")
        self.paint(feed, entries)
        self._say(feed)

    def _say(self, feed: RunFeed) -> None:
        figures = status_line(view(feed.progress(), Surroundings(feed.short_id), now=utc_now()))
        if figures != self._last:
            self._last = figures
            print_line(self._console, Text(f"{clock(utc_now())} {figures}"))


def print_line(console: Console, line: Text) -> None:
    """Print one line as it stands, however long: a log is searched, not wrapped."""
    console.print(line, soft_wrap=True, highlight=False)
