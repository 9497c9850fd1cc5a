"""An event loop on which waiting costs nothing: its clock skips to the next timer.

Everything else is asyncio as it is, so that backoffs of half a minute, holds and makespans can be
measured exactly, in no time. A loop on which nothing can ever happen any more says so.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _SkippingSelector(selectors.DefaultSelector):
    """Waits for nothing: it adds what it was asked to wait to `skipped_s`."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("Every task waits, and nothing will ever wake one.")
        if timeout > 0:
            self.skipped_s += timeout
        return super().select(0)


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose seconds pass only while every task waits."""

    def __init__(self) -> None:
        self._selecting = _SkippingSelector()
        super().__init__(self._selecting)

    def time(self) -> float:
        return self._selecting.skipped_s


def run_skipping(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a skipping loop of its own."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(coroutine)
