"""A shelf of items in memory: the `Work` of a runner, strict about what may happen to an item.

Each item has a script: what its attempts meet, one after the other; `None`, a success, once the
script has ended. Every move of an item is checked, so that one that was done twice, lost, or
attempted by two workers at once fails the test that uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from collector.policy import Decision
from collector.words import PauseReason


class Place(StrEnum):
    PENDING = "pending"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Attempt:
    """One attempt: when it began on the loop's clock, whose it was and which one."""

    at_s: float
    item: str
    worker_id: int
    attempt: int


class Shelf:
    """Items by name, in their order.

    Args:
        items: their names.
        scripts: by item, what its attempts raise; `None` among them is a success.
        takes_s: by item, how long an attempt takes; 0.01 otherwise.
        follow: by item, the items that its success adds.
        pace_s: what `pace_s` says.
    """

    def __init__(
        self,
        items: Sequence[str],
        *,
        scripts: Mapping[str, Sequence[Exception | None]] | None = None,
        takes_s: Mapping[str, float] | None = None,
        follow: Mapping[str, Sequence[str]] | None = None,
        pace_s: float = 0.0,
    ) -> None:
        self.places = dict.fromkeys(items, Place.PENDING)
        self.scripts = {item: list(script) for item, script in (scripts or {}).items()}
        self.takes_s = dict(takes_s or {})
        self.follow = follow or {}
        self.pace = pace_s
        self.attempts: list[Attempt] = []
        self.finished: list[str] = []
        self.under_way: set[str] = set()
        self.decisions: list[tuple[str, Decision]] = []
        self.pauses: list[tuple[PauseReason, str]] = []
        self.put_back: list[str] = []
        self.most_ahead = 0
        self.most_at_once = 0
        self.on_begin: Callable[[str], None] = lambda item: None

    def of(self, place: Place) -> list[str]:
        """The items that stand at a place."""
        return [item for item, at in self.places.items() if at is place]

    def begun(self, item: str) -> list[Attempt]:
        """The attempts at an item."""
        return [each for each in self.attempts if each.item == item]

    # The protocol.

    async def claim(self, limit: int) -> Sequence[str]:
        await asyncio.sleep(0)
        taken = self.of(Place.PENDING)[:limit]
        for item in taken:
            self._move(item, Place.CLAIMED, Place.PENDING)
        ahead = set(self.of(Place.CLAIMED)) - {a.item for a in self.attempts}
        self.most_ahead = max(self.most_ahead, len(ahead))
        return taken

    async def exhausted(self) -> bool:
        await asyncio.sleep(0)
        return not self.of(Place.PENDING) and not self.of(Place.CLAIMED)

    async def perform(self, item: str, *, worker_id: int, attempt: int) -> None:
        assert self.places[item] is Place.CLAIMED, f"{item} is {self.places[item]}"
        assert item not in self.under_way, f"{item} is attempted twice at once"
        now = asyncio.get_running_loop().time()
        self.attempts.append(Attempt(now, item, worker_id, attempt))
        self.under_way.add(item)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        self.on_begin(item)
        try:
            await asyncio.sleep(self.takes_s.get(item, 0.01))
        finally:
            self.under_way.discard(item)
        script = self.scripts.get(item)
        error = script.pop(0) if script else None
        if error is not None:
            raise error
        self._move(item, Place.DONE, Place.CLAIMED)
        self.finished.append(item)
        for added in self.follow.get(item, ()):
            self.places.setdefault(added, Place.PENDING)

    async def fail(self, item: str, *, worker_id: int, attempt: int, error: Exception) -> None:
        await asyncio.sleep(0)
        self._move(item, Place.FAILED, Place.CLAIMED)

    async def release(self, items: Sequence[str]) -> None:
        await asyncio.sleep(0)
        for item in items:
            self._move(item, Place.PENDING, Place.CLAIMED, Place.FAILED)
        self.put_back.extend(items)

    def on_attempt_failed(
        self, item: str, *, worker_id: int, attempt: int, error: Exception, decision: Decision
    ) -> None:
        self.decisions.append((item, decision))

    async def on_pause(self, reason: PauseReason, message: str) -> None:
        self.pauses.append((reason, message))

    def pace_s(self) -> float:
        return self.pace

    def _move(self, item: str, to: Place, *allowed: Place) -> None:
        assert self.places[item] in allowed, f"{item} is {self.places[item]}, cannot be {to}"
        self.places[item] = to
