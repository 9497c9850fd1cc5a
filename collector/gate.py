"""What every attempt passes before it begins: shut by a pause, held by a rate limit, paced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from collector.words import PauseReason


class Gate:
    """One gate that all workers of a runner pass. On one event loop.

    Args:
        pace_s: gives the seconds to leave between two attempts.
    """

    def __init__(self, pace_s: Callable[[], float]) -> None:
        self._pace_s = pace_s
        self._hold_until = 0.0
        self._next_slot = 0.0
        self._changed = asyncio.Event()
        self.pause_reason: PauseReason | None = None
        self.closed = False

    @property
    def is_open(self) -> bool:
        """Whether an attempt that has passed may leave still."""
        return self.pause_reason is None and not self.closed

    def shut(self, reason: PauseReason) -> None:
        """Let nobody pass until `open`."""
        self.pause_reason = reason
        self.notify()

    def open(self) -> None:
        """Let workers pass again, with no wait left over."""
        self.pause_reason = None
        self._hold_until = 0.0
        self.notify()

    def close(self) -> None:
        """Let nobody pass any more, and send away who waits."""
        self.closed = True
        self.notify()

    def hold(self, delay_s: float) -> None:
        """Let nobody pass for so many seconds from now."""
        until = asyncio.get_running_loop().time() + delay_s
        self._hold_until = max(self._hold_until, until)

    async def passed(self) -> bool:
        """Wait until an attempt may begin; False once the gate is closed."""
        loop = asyncio.get_running_loop()
        slot: float | None = None
        while not self.closed:
            now = loop.time()
            if self.pause_reason is not None:
                slot = None
                await self.wait_for_change()
            elif self._hold_until > now:
                slot = None
                await self.wait_for_change(self._hold_until - now)
            else:
                if slot is None:
                    slot = max(now, self._next_slot)
                    self._next_slot = slot + self._pace_s()
                if slot <= now:
                    return True
                await self.wait_for_change(slot - now)
        return False

    async def sleep_until(self, due: float) -> None:
        """Wait until `due`, by the loop's clock, but no longer than the gate is not closed."""
        loop = asyncio.get_running_loop()
        while not self.closed and (left := due - loop.time()) > 0:
            await self.wait_for_change(left)

    def notify(self) -> None:
        """Wake whoever waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait_for_change(self, timeout_s: float | None = None) -> None:
        """Wait for the next `notify`, or so many seconds."""
        changed = self._changed
        try:
            async with asyncio.timeout(timeout_s):
                await changed.wait()
        except TimeoutError:
            return
