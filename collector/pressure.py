"""Counts answers over the last five minutes, so that the policy can be asked about pressure."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from collector.policy import SUCCESS_WINDOW_S, Pressure


class Limit(Protocol):
    """One rate limit as the latest answer told it."""

    @property
    def limit(self) -> int: ...  # noqa: D102
    @property
    def remaining(self) -> int: ...  # noqa: D102


class PressureGauge:
    """Remembers when answers came and whether they were usable.

    Args:
        clock: seconds that never jump.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: deque[tuple[float, bool]] = deque()
        self._succeeded = 0

    def count(self, *, succeeded: bool) -> None:
        """Count one answer."""
        self._answers.append((self._clock(), succeeded))
        self._succeeded += succeeded
        self._forget()

    def pressure(self, limits: Sequence[Limit] = ()) -> Pressure:
        """What is known now; of several limits the one that is nearest to its end counts."""
        self._forget()
        nearest = min(
            (x for x in limits if x.limit > 0), key=lambda x: x.remaining / x.limit, default=None
        )
        return Pressure(
            succeeded=self._succeeded,
            failed=len(self._answers) - self._succeeded,
            limit=nearest.limit if nearest else None,
            remaining=nearest.remaining if nearest else None,
        )

    def _forget(self) -> None:
        oldest = self._clock() - SUCCESS_WINDOW_S
        while self._answers and self._answers[0][0] < oldest:
            _, succeeded = self._answers.popleft()
            self._succeeded -= succeeded
