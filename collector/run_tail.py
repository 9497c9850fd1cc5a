"""The newest entries of one run, framed once for everybody who watches it here."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID

from collector.events import LoggedEntry
from collector.words import RunStatus

WINDOW_BYTES = 256 * 1024


class RunTail:
    """The newest entries of one run, framed, and who watches it."""

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        self.viewers: set[Viewer] = set()
        self.stale = asyncio.Event()
        self.stale.set()
        # How the run ended; set once everything that it told is here.
        self.final: RunStatus | None = None
        # None until the log was looked at.
        self.last_id: int | None = None
        self._before_window = 0
        self._window: deque[LoggedEntry] = deque()
        self._bytes = 0

    def start(self, last_id: int) -> None:
        """Begin to collect what follows `last_id`."""
        self.last_id = self._before_window = last_id

    def add(self, entries: Sequence[LoggedEntry]) -> None:
        """Take over the next entries; the oldest make room for them."""
        for entry in entries:
            self._window.append(entry)
            self._bytes += len(entry.frame)
            self.last_id = entry.id
        while self._bytes > WINDOW_BYTES:
            gone = self._window.popleft()
            self._bytes -= len(gone.frame)
            self._before_window = gone.id

    def since(self, after: int) -> list[LoggedEntry] | None:
        """What came after that id; None where the log itself has to be asked."""
        if self.last_id is None or after < self._before_window:
            return None
        found: list[LoggedEntry] = []
        for entry in reversed(self._window):
            if entry.id <= after:
                break
            found.append(entry)
        return found[::-1]

    def wake(self) -> None:
        """Have every viewer look."""
        for viewer in self.viewers:
            viewer.wake.set()


class Viewer:
    """One stream that is open. Closing it ends its frames."""

    def __init__(self, tail: RunTail) -> None:
        self.tail = tail
        self.wake = asyncio.Event()
        self.closed = False

    def close(self) -> None:
        """End the stream, from whatever else runs on the loop."""
        self.closed = True
        self.wake.set()
