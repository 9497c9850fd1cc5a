"""The pulse: how free the kernel's loop is, told from how late the panel's own ticks come."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_S: Final = 10.0
# The figure moves in steps of this many seconds: one that flickers is not read.
TOLD_EVERY_S: Final = 5.0


class Pulse:
    """Lateness over the last ten seconds. Knows no clock: it is told the time."""

    def __init__(self) -> None:
        self.free: float | None = None
        self._beats: deque[tuple[float, float, float]] = deque()
        self._told_at: float | None = None

    def beat(self, took_s: float, *, late_s: float, at: float) -> None:
        """A tick that took `took_s` came `late_s` too late, at the time `at` (seconds)."""
        self._beats.append((at, took_s, max(0.0, late_s)))
        while self._beats and self._beats[0][0] < at - WINDOW_S:
            self._beats.popleft()
        if self._told_at is None or at - self._told_at >= TOLD_EVERY_S:
            self._told_at = at
            total = sum(took for _, took, _ in self._beats)
            late = sum(late for _, _, late in self._beats)
            self.free = round(max(0.0, 1 - late / total), 2) if total > 0 else None

    @property
    def lag_s(self) -> float:
        """The worst lateness of the last ten seconds, in whole tenths of a second."""
        return round(max((late for _, _, late in self._beats), default=0.0), 1)
