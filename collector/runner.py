"""Five workers over any items: `ParallelCollectionRunner`.

Runs any coroutine over any items. Knows nothing of Amazon, eBay, HTTP, SQL or widgets: items come
from a `Work`, and go back to it. A feeder claims items into a bounded `asyncio.Queue`, any idle
worker takes the next one, and when nothing is left to claim and nothing in flight can add more,
one poison pill a worker ends the run.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from collector.policy import Decision, Step, decide
from collector.words import PauseReason

MAX_WORKERS = 5
MAX_CONSECUTIVE_FAILURES = 5
# Elsewhere another owner may still add items to the same run: ask again this often.
IDLE_CLAIM_S = 0.5

ItemT = TypeVar("ItemT")


class RunEnd(StrEnum):
    """How `ParallelCollectionRunner.run` came to its end."""

    DRAINED = "drained"
    CANCELLED = "cancelled"
    STOPPED = "stopped"


class HeldBack(Exception):
    """An attempt found, before anything had left, that it may not begin any more."""


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


class ParallelCollectionRunner(Generic[ItemT]):
    """Workers that share one queue, one failure counter and one gate.

    `pause`, `resume`, `cancel` and `stop` are called on the runner's loop and return at once.
    After any of the first, third and fourth no new attempt begins; those under way finish.

    Args:
        work: the items and what is done with them.
        workers: how many asyncio tasks take items.
        max_consecutive_failures: failed items in a row that pause the run.
        jitter: numbers in [0, 1) that spread waits.
    """

    def __init__(
        self,
        work: Work[ItemT],
        *,
        workers: int = MAX_WORKERS,
        max_consecutive_failures: int = MAX_CONSECUTIVE_FAILURES,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.workers = workers
        self._work = work
        self._max_consecutive_failures = max_consecutive_failures
        self._jitter = jitter
        # None is the poison pill.
        self._queue: asyncio.Queue[ItemT | None] = asyncio.Queue(maxsize=2 * workers)
        self._under_way = 0
        self._attempting = 0
        self._settled = 0
        self._streak: list[ItemT] = []
        self._pause_reason: PauseReason | None = None
        self._end: RunEnd | None = None
        self._hold_until = 0.0
        self._next_slot = 0.0
        self._changed = asyncio.Event()

    @property
    def paused(self) -> bool:
        """Whether no new attempt begins until `resume`."""
        return self._pause_reason is not None

    @property
    def may_begin(self) -> bool:
        """Whether an attempt that has been prepared may leave."""
        return not self.paused and self._end is None

    @property
    def consecutive_failures(self) -> int:
        """Failed items since the last success."""
        return len(self._streak)

    @property
    def idle(self) -> bool:
        """Whether no attempt is under way."""
        return self._attempting == 0

    def pause(self, reason: PauseReason = PauseReason.OPERATOR) -> None:
        """Begin no new attempt until `resume`."""
        self._pause_reason = reason
        self._notify()

    def resume(self) -> None:
        """Go on after a pause, with a failure count of zero and no wait left over."""
        self._pause_reason = None
        self._streak.clear()
        self._hold_until = 0.0
        self._notify()

    def cancel(self) -> None:
        """End the run: finish what is under way, put back the rest."""
        self._end = RunEnd.CANCELLED
        self._notify()

    def stop(self) -> None:
        """Leave the run so that it can be resumed: finish what is under way, put back the rest."""
        self._end = self._end or RunEnd.STOPPED
        self._notify()

    async def run(self) -> RunEnd:
        """Work until nothing is left, or until cancelled or stopped.

        Raises:
            Exception: what the work raised that is not the upstream's doing; every worker has
                ended by then, and what was claimed stays with its owner.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed(), name="feeder")
                for worker_id in range(1, self.workers + 1):
                    group.create_task(self._take_items(worker_id), name=f"worker-{worker_id}")
        except ExceptionGroup as failures:
            # One cause is enough to act on; the others mostly follow from it.
            raise failures.exceptions[0] from None
        return self._end or RunEnd.DRAINED

    async def wait_until_idle(self) -> None:
        """Wait until no attempt is under way; attempts that wait at the gate are not."""
        while self._attempting:
            await self._wait_for_change()

    async def _feed(self) -> None:
        while self._end is None:
            if self.paused or self._queue.full():
                await self._wait_for_change()
                continue
            settled = self._settled
            items = await self._work.claim(self._queue.maxsize - self._queue.qsize())
            for item in items:
                self._queue.put_nowait(item)
            if items:
                continue
            busy = self._under_way or not self._queue.empty() or settled != self._settled
            if not busy and await self._work.exhausted():
                break
            if settled == self._settled:
                await self._wait_for_change(IDLE_CLAIM_S)
        if self._end is not None:
            await self._put_back_queued()
        for _ in range(self.workers):
            await self._queue.put(None)

    async def _put_back_queued(self) -> None:
        queued: list[ItemT] = []
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if item is not None:
                queued.append(item)
        if queued:
            await self._work.release(queued)

    async def _take_items(self, worker_id: int) -> None:
        while (item := await self._queue.get()) is not None:
            self._under_way += 1
            self._notify()
            try:
                await self._see_through(item, worker_id)
            finally:
                self._under_way -= 1
                self._settled += 1
                self._notify()

    async def _see_through(self, item: ItemT, worker_id: int) -> None:
        """Attempt an item until it is done, failed, or has to go back."""
        attempt, throttled = 1, 0
        while await self._may_go():
            try:
                await self._attempt(item, worker_id, attempt + throttled)
            except HeldBack:
                continue
            except Exception as error:
                decision = decide(
                    error, attempt=attempt, throttled=throttled + 1, jitter=self._jitter()
                )
                if decision.step is Step.ABORT:
                    raise
                self._work.on_attempt_failed(
                    item,
                    worker_id=worker_id,
                    attempt=attempt + throttled,
                    error=error,
                    decision=decision,
                )
                match decision.step:
                    case Step.RETRY:
                        attempt += 1
                        await self._sleep(decision.delay_s)
                    case Step.HOLD:
                        throttled += 1
                        self._hold_all(decision.delay_s)
                    case Step.PAUSE:
                        await self._work.release([item])
                        await self._pause_itself(decision.reason or PauseReason.OPERATOR, error)
                        return
                    case _:
                        await self._fail(item, worker_id, attempt + throttled, error)
                        return
            else:
                self._streak.clear()
                return
        await self._work.release([item])

    async def _attempt(self, item: ItemT, worker_id: int, attempt: int) -> None:
        self._attempting += 1
        try:
            await self._work.perform(item, worker_id=worker_id, attempt=attempt)
        finally:
            self._attempting -= 1
            self._notify()

    async def _fail(self, item: ItemT, worker_id: int, attempt: int, error: Exception) -> None:
        if self._paused_by_failures():
            # The same outage that paused the run: it must not fail items for good.
            await self._work.release([item])
            return
        await self._work.fail(item, worker_id=worker_id, attempt=attempt, error=error)
        if self._paused_by_failures():
            # Another worker's failure paused the run while this one was being kept.
            await self._work.release([item])
            return
        self._streak.append(item)
        if len(self._streak) >= self._max_consecutive_failures:
            streak, self._streak = self._streak, []
            self.pause(PauseReason.FAILURES)
            await self._work.release(streak)
            await self._work.on_pause(PauseReason.FAILURES, str(error))

    def _paused_by_failures(self) -> bool:
        return self._pause_reason is PauseReason.FAILURES

    async def _pause_itself(self, reason: PauseReason, error: Exception) -> None:
        if not self.paused:
            self.pause(reason)
            await self._work.on_pause(reason, str(error))

    def _hold_all(self, delay_s: float) -> None:
        until = asyncio.get_running_loop().time() + delay_s
        self._hold_until = max(self._hold_until, until)

    async def _may_go(self) -> bool:
        """Wait until an attempt may begin; False when the run is ending."""
        loop = asyncio.get_running_loop()
        slot: float | None = None
        while self._end is None:
            now = loop.time()
            if self.paused:
                slot = None
                await self._wait_for_change()
            elif self._hold_until > now:
                slot = None
                await self._wait_for_change(self._hold_until - now)
            else:
                if slot is None:
                    slot = max(now, self._next_slot)
                    self._next_slot = slot + self._work.pace_s()
                if slot <= now:
                    return True
                await self._wait_for_change(slot - now)
        return False

    async def _sleep(self, delay_s: float) -> None:
        """Wait `delay_s` seconds, but no longer than the run goes on."""
        loop = asyncio.get_running_loop()
        until = loop.time() + delay_s
        while self._end is None and (left := until - loop.time()) > 0:
            await self._wait_for_change(left)

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _wait_for_change(self, timeout_s: float | None = None) -> None:
        changed = self._changed
        try:
            async with asyncio.timeout(timeout_s):
                await changed.wait()
        except TimeoutError:
            return
