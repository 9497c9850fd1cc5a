"""Five workers over any items: `ParallelCollectionRunner`.

Runs any coroutine over any items. Knows nothing of Amazon, eBay, HTTP, SQL or widgets: items come
from a `Work`, and go back to it. A feeder claims items into a bounded `asyncio.Queue`, any idle
worker takes the next one, and when nothing is left to claim and nothing in flight can add more,
one poison pill a worker ends the run. An item that is to be tried again later waits aside, so
that its worker takes another one meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from enum import StrEnum
from typing import Generic

from collector.errands import Aside, Errand, HeldBack, ItemT, Work
from collector.gate import Gate
from collector.policy import Step, decide
from collector.words import PauseReason

__all__ = [
    "MAX_CONSECUTIVE_FAILURES",
    "MAX_WORKERS",
    "HeldBack",
    "ParallelCollectionRunner",
    "RunEnd",
    "Work",
]

MAX_WORKERS = 5
MAX_CONSECUTIVE_FAILURES = 5
# Elsewhere another owner may still add items to the same run: ask again this often.
IDLE_CLAIM_S = 0.5


class RunEnd(StrEnum):
    """How `ParallelCollectionRunner.run` came to its end."""

    DRAINED = "drained"
    CANCELLED = "cancelled"
    STOPPED = "stopped"


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
        # None is the poison pill. Two thirds are for what is claimed, one for what waited aside.
        self._queue: asyncio.Queue[Errand[ItemT] | None] = asyncio.Queue(maxsize=3 * workers)
        self._claimed_ahead = 2 * workers
        self._aside: Aside[ItemT] = Aside(workers)
        self._under_way = 0
        self._attempting = 0
        self._settled = 0
        self._streak: list[ItemT] = []
        self._failed_attempts = 0
        self._gate = Gate(work.pace_s)
        self._end: RunEnd | None = None

    @property
    def paused(self) -> bool:
        """Whether no new attempt begins until `resume`."""
        return self._gate.pause_reason is not None

    @property
    def may_begin(self) -> bool:
        """Whether an attempt that has been prepared may leave.

        Where the budget is spent it may: it is what the budget was spent on.
        """
        spent = self._gate.pause_reason is PauseReason.BUDGET
        return self._gate.is_open or (spent and not self._gate.closed)

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
        self._gate.shut(reason)

    def resume(self) -> None:
        """Go on after a pause, with a failure count of zero and no wait left over."""
        self._streak.clear()
        for errand in self._aside.take_all():
            self._queue.put_nowait(errand)
        self._gate.open()

    def cancel(self) -> None:
        """End the run: finish what is under way, put back the rest."""
        self._end = RunEnd.CANCELLED
        self._gate.close()

    def stop(self) -> None:
        """Leave the run so that it can be resumed: finish what is under way, put back the rest."""
        self._end = self._end or RunEnd.STOPPED
        self._gate.close()

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
            await self._gate.wait_for_change()

    async def _feed(self) -> None:
        while self._end is None:
            until_due_s = self._take_up_due()
            ahead = self._queue.qsize()
            wanted = self._claimed_ahead - ahead
            # Several at a time: a claim costs as much as a reservation does.
            if self.paused or ahead > self.workers:
                await self._gate.wait_for_change(until_due_s)
                continue
            settled = self._settled
            items = await self._work.claim(wanted)
            for item in items:
                self._queue.put_nowait(Errand(item))
            if items:
                continue
            busy = self._under_way or not self._queue.empty() or settled != self._settled
            if not busy and not self._aside and await self._work.exhausted():
                break
            if settled == self._settled:
                wait_s = IDLE_CLAIM_S if until_due_s is None else min(until_due_s, IDLE_CLAIM_S)
                await self._gate.wait_for_change(wait_s)
        if self._end is not None:
            await self._put_back_waiting()
        for _ in range(self.workers):
            await self._queue.put(None)

    def _take_up_due(self) -> float | None:
        """Queue what has waited aside long enough; how many seconds the next one still waits."""
        if self.paused:
            return None
        now = asyncio.get_running_loop().time()
        for errand in self._aside.take_due(now):
            self._queue.put_nowait(errand)
        return None if self._aside.next_due is None else self._aside.next_due - now

    async def _put_back_waiting(self) -> None:
        waiting = self._aside.take_all()
        while not self._queue.empty():
            errand = self._queue.get_nowait()
            if errand is not None:
                waiting.append(errand)
        if waiting:
            await self._work.release([errand.item for errand in waiting])

    async def _take_items(self, worker_id: int) -> None:
        while (errand := await self._queue.get()) is not None:
            self._under_way += 1
            self._gate.notify()
            try:
                await self._see_through(errand, worker_id)
            finally:
                self._under_way -= 1
                self._settled += 1
                self._gate.notify()

    async def _see_through(self, errand: Errand[ItemT], worker_id: int) -> None:
        """Attempt an item until it is done, failed, put aside, or has to go back."""
        while await self._gate.passed():
            try:
                await self._attempt(errand, worker_id)
            except HeldBack as held:
                self._gate.hold(held.wait_s)
            except Exception as error:
                if not await self._goes_on(errand, worker_id, error):
                    return
            else:
                self._streak.clear()
                self._failed_attempts = 0
                return
        await self._work.release([errand.item])

    async def _goes_on(self, errand: Errand[ItemT], worker_id: int, error: Exception) -> bool:
        """Do what follows a failed attempt; whether its worker stays with the item."""
        decision = decide(
            error,
            attempt=errand.failed + 1,
            throttled=errand.throttled + 1,
            jitter=self._jitter(),
        )
        if decision.step is Step.ABORT:
            raise error
        attempt = errand.attempt
        self._work.on_attempt_failed(
            errand.item, worker_id=worker_id, attempt=attempt, error=error, decision=decision
        )
        match decision.step:
            case Step.RETRY:
                errand.failed += 1
                due = asyncio.get_running_loop().time() + decision.delay_s
                if self._may_put_aside() and self._aside.put(errand, due=due):
                    return False
                await self._gate.sleep_until(due)
                return True
            case Step.HOLD:
                errand.throttled += 1
                self._gate.hold(decision.delay_s)
                return True
            case Step.PAUSE:
                await self._work.release([errand.item])
                await self._pause_itself(decision.reason or PauseReason.OPERATOR, error)
            case _:
                await self._fail(errand.item, worker_id, attempt, error)
        return False

    def _may_put_aside(self) -> bool:
        """Whether a worker may do others while an item waits.

        Not in what looks like an outage: workers that went on to ever new items would spend an
        attempt on each of them before the first one has failed for good and is counted.
        """
        self._failed_attempts += 1
        return self._end is None and self._failed_attempts <= self.workers

    async def _attempt(self, errand: Errand[ItemT], worker_id: int) -> None:
        self._attempting += 1
        try:
            await self._work.perform(errand.item, worker_id=worker_id, attempt=errand.attempt)
        finally:
            self._attempting -= 1
            self._gate.notify()

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

    async def put_back_streak(self) -> None:
        """Put back what failed since the last success: failures elsewhere have paused the run."""
        streak, self._streak = self._streak, []
        if streak:
            await self._work.release(streak)

    def _paused_by_failures(self) -> bool:
        return self._gate.pause_reason is PauseReason.FAILURES

    async def _pause_itself(self, reason: PauseReason, error: Exception) -> None:
        if not self.paused:
            self.pause(reason)
            await self._work.on_pause(reason, str(error))
