"""A run whose items others work on: what its owner does meanwhile.

It takes up what participants report, puts back the items of those who died, counts failures over
all of them, and knows when nothing is left. It looks a few times a second; that costs one short
transaction, however many take part.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy import Connection

from collector.engine import Job
from collector.models import ActivityEntry
from collector.runner import MAX_CONSECUTIVE_FAILURES, RunEnd
from collector.store import items, moves, participants
from collector.store.participants import Crew, Lost
from collector.tracker import PARTICIPANT_LOST
from collector.words import Action, PauseReason, Phase

LOOK_EVERY_S = 0.2
# By then somebody who was hired has joined; later it is worth a word.
ALONE_AFTER_S = 5.0

_SUCCESSES = {Action.FOUND, Action.INSERTED, Action.DEDUPED}


@dataclass(frozen=True, slots=True)
class _Look:
    reports: list[ActivityEntry]
    lost: list[Lost]
    crew: Crew
    exhausted: bool


class SharedRunner:
    """Stands for the runners of all participants of a run. On one loop, once.

    Args:
        job: the run, and whom to tell.
        nobody: what to tell people while nobody takes part.
    """

    def __init__(self, job: Job, *, nobody: str) -> None:
        self._job = job
        self._nobody = nobody
        self._pause_reason: PauseReason | None = None
        self._end: RunEnd | None = None
        self._fault: BaseException | None = None
        self._changed = asyncio.Event()
        self._looked = asyncio.Event()
        self._looks = 0
        self._crew: Crew | None = None
        self._exhausted = False
        self._streak = 0
        self._alone_since: float | None = None

    @property
    def paused(self) -> bool:
        """Whether no new attempt begins until `resume`."""
        return self._pause_reason is not None

    @property
    def wants_participants(self) -> bool:
        """Whether there is something to take part in."""
        return self._end is None and not self._exhausted

    def pause(self, reason: PauseReason = PauseReason.OPERATOR) -> None:
        """Take note of a pause: participants follow the run's status."""
        self._pause_reason = reason
        self._changed.set()

    def resume(self) -> None:
        """Take note that the run goes on, with a failure count of zero."""
        self._pause_reason = None
        self._streak = 0
        self._changed.set()

    def cancel(self) -> None:
        """End the run: what is under way finishes, the rest goes back."""
        self._end = RunEnd.CANCELLED
        self._changed.set()

    def stop(self) -> None:
        """Leave the run so that it can be resumed: what is under way finishes."""
        self._end = self._end or RunEnd.STOPPED
        self._changed.set()

    def break_off(self, fault: BaseException) -> None:
        """Leave the run, and let `run` raise: whoever hires participants cannot go on."""
        self._fault = fault
        self.stop()

    async def wait_until_idle(self) -> None:
        """Wait until every participant that lives has nothing in flight."""
        # A look that is under way may have been begun before whatever the caller waits for.
        since = self._looks + 1
        while self._looks <= since or (self._crew and self._crew.resting < self._crew.living):
            await self._looked.wait()

    async def run(self) -> RunEnd:
        """Wait until nothing is left, or until cancelled or stopped and everybody has left.

        Raises:
            OwnershipLost: somebody else owns the run by now.
            BaseException: what `break_off` was given.
        """
        told_end = False
        while True:
            if self._end is not None and not told_end:
                await self._job.transactions.run(
                    lambda c: moves.set_ending(c, self._job.run_id, owner_id=self._job.owner_id)
                )
                told_end = True
            look = await self._job.transactions.run(self._look)
            self._crew, self._exhausted = look.crew, look.exhausted
            self._looks += 1
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()
            for entry in look.reports:
                await self._take_up(entry)
            for lost in look.lost:
                self._job.publish(_loss(lost))
            if not look.crew.living and not look.reports:
                if self._fault is not None:
                    raise self._fault
                if self._end is not None:
                    return self._end
                if look.exhausted and not self.paused:
                    return RunEnd.DRAINED
            self._mind_being_alone()
            if not look.reports:
                await self._wait()

    def _look(self, conn: Connection) -> _Look:
        run_id = self._job.run_id
        # Asked before the reports: whoever has left by now has reported everything.
        lost = participants.forget_dead(conn, run_id)
        crew = participants.crew(conn, run_id)
        moves.recover(conn, run_id)
        return _Look(
            reports=participants.take_reports(conn, run_id),
            lost=lost,
            crew=crew,
            exhausted=items.is_exhausted(conn, run_id),
        )

    async def _take_up(self, entry: ActivityEntry) -> None:
        params = entry.params or {}
        if entry.action is Action.PAUSED:
            reason = PauseReason(str(params.get("reason", PauseReason.OPERATOR)))
            await self._job.on_paused(reason, entry.error_message or "")
            return
        if entry.action is Action.GAP:
            # Its number is not one of the run's: they are given here.
            entry = ActivityEntry(
                action=Action.ERROR,
                error_type="lost_entries",
                error_stage="store",
                error_message=f"{entry.items_count} entries of a participant were lost.",
            )
        self._job.publish(entry)
        if entry.action in _SUCCESSES:
            self._streak = 0
        elif entry.action is Action.ERROR and entry.phase is not Phase.SYSTEM:
            self._streak += not params.get("will_retry")
            if self._streak >= MAX_CONSECUTIVE_FAILURES and not self.paused:
                self._streak = 0
                await self._job.on_pause(PauseReason.FAILURES, entry.error_message or "")

    def _mind_being_alone(self) -> None:
        """Say once that nobody takes part, and so nothing happens."""
        now = asyncio.get_running_loop().time()
        if self.paused or not self.wants_participants or (self._crew and self._crew.living):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif 0 < self._alone_since < now - ALONE_AFTER_S:
            # Infinitely far away: not said again until somebody has come and gone.
            self._alone_since = float("inf")
            self._job.publish(
                ActivityEntry(
                    action=Action.ERROR,
                    error_type="nobody_takes_part",
                    error_stage="run",
                    error_message=self._nobody,
                )
            )

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()


def _loss(lost: Lost) -> ActivityEntry:
    return ActivityEntry(
        action=Action.ERROR,
        error_type=PARTICIPANT_LOST,
        error_stage="run",
        error_message=f"{lost.name} died. What it held has gone back to the run.",
        params={"first_worker": lost.first_worker, "last_worker": lost.last_worker},
    )
