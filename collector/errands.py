"""What a runner is given, and what it keeps of it: `Work`, and its items on their way to an end."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, Protocol, TypeVar

from collector.policy import Decision
from collector.words import PauseReason

ItemT = TypeVar("ItemT")


class HeldBack(Exception):
    """An attempt found, before anything had left, that it may not begin now.

    Args:
        wait_s: how long no worker shall begin another; 0 where the runner knows why itself.
    """

    def __init__(self, wait_s: float = 0.0) -> None:
        super().__init__("not now")
        self.wait_s = wait_s


class Work(Protocol[ItemT]):
    """Where items come from, what is done with them, and who is told."""

    async def claim(self, limit: int) -> Sequence[ItemT]:
        """Take up to `limit` items; none where none is pending now."""

    async def exhausted(self) -> bool:
        """Whether no item is pending or under way anywhere."""

    async def perform(self, item: ItemT, *, worker_id: int, attempt: int) -> None:
        """Attempt an item once and keep what it brought; raise what went wrong.

        Raises:
            HeldBack: the runner was paused or ended while the attempt was being prepared.
        """

    async def fail(self, item: ItemT, *, worker_id: int, attempt: int, error: Exception) -> None:
        """Keep an item as failed."""

    async def release(self, items: Sequence[ItemT]) -> None:
        """Put items back, claimed or failed, so that they can be claimed again."""

    def on_attempt_failed(
        self, item: ItemT, *, worker_id: int, attempt: int, error: Exception, decision: Decision
    ) -> None:
        """An attempt failed, and this is what follows."""

    async def on_pause(self, reason: PauseReason, message: str) -> None:
        """The runner paused by itself."""

    def pace_s(self) -> float:
        """Seconds to leave between two attempts, all workers together."""


@dataclass(slots=True)
class Errand(Generic[ItemT]):
    """An item, and how many of its attempts have failed: the throttled ones are counted apart."""

    item: ItemT
    failed: int = 0
    throttled: int = 0

    @property
    def attempt(self) -> int:
        """The number of its next attempt."""
        return 1 + self.failed + self.throttled


@dataclass(order=True, slots=True)
class _Waiting(Generic[ItemT]):
    due: float
    place: int
    errand: Errand[ItemT] = field(compare=False)


class Aside(Generic[ItemT]):
    """Errands that wait to be tried again while their workers do others; bounded.

    Args:
        limit: how many may wait at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: list[_Waiting[ItemT]] = []
        self._places = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, errand: Errand[ItemT], *, due: float) -> bool:
        """Let an errand wait until `due`, by the loop's clock; False where there is no room."""
        if len(self._waiting) >= self._limit:
            return False
        heapq.heappush(self._waiting, _Waiting(due, next(self._places), errand))
        return True

    def take_due(self, now: float) -> list[Errand[ItemT]]:
        """Take whatever is due, the longest due first."""
        taken: list[Errand[ItemT]] = []
        while self._waiting and self._waiting[0].due <= now:
            taken.append(heapq.heappop(self._waiting).errand)
        return taken

    def take_all(self) -> list[Errand[ItemT]]:
        """Take everything, due or not."""
        return self.take_due(float("inf"))

    @property
    def next_due(self) -> float | None:
        """When the next errand is due; None where none waits."""
        return self._waiting[0].due if self._waiting else None
