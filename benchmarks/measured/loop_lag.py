"""How late an event loop is."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

EVERY_S = 0.01


class LoopLag:
    """Ticks of one loop, each with how late it came."""

    def __init__(self) -> None:
        self._late_ms = array("d")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[LoopLag]:
        """Watch the loop that this is awaited on."""
        watching = asyncio.create_task(self._watch(), name="loop lag")
        try:
            yield self
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + EVERY_S
        while True:
            await asyncio.sleep(due - loop.time())
            now = loop.time()
            # A loop that stood still made every tick late that fell into that time.
            while due <= now:
                self._late_ms.append((now - due) * 1000)
                due += EVERY_S

    def at(self, share: float) -> float:
        """The lateness, in ms, that this share of the ticks does not exceed."""
        ordered = sorted(self._late_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
