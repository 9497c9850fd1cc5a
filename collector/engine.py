"""Who works on the items of a run: `Engine`, and the one that does so in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from collector.models import ActivityEntry, RunOptions
from collector.runner import ParallelCollectionRunner, RunEnd
from collector.sources.oxylabs import OxylabsClient
from collector.transactions import Transactions
from collector.words import PauseReason, Source
from collector.work import RunWork

Connect = Callable[[Source, int | None, int], Awaitable[OxylabsClient]]


@dataclass(frozen=True, slots=True)
class Job:
    """A run that is to be worked on, and whom to tell.

    Attributes:
        run_id: the run.
        owner_id: its owner.
        options: what it is asked to do.
        source: where its answers come from.
        sandbox_day: the day that the sandbox plays for it.
        connect: gives a client for a source, a sandbox day and a number of connections.
        transactions: reach its database.
        publish: tells viewers.
        on_pause: keeps that the run pauses by itself, and why.
        on_paused: takes note that somebody who works on the run has paused it.
    """

    run_id: UUID
    owner_id: int
    options: RunOptions
    source: Source
    sandbox_day: int | None
    connect: Connect
    transactions: Transactions
    publish: Callable[[ActivityEntry], None]
    on_pause: Callable[[PauseReason, str], Awaitable[None]]
    on_paused: Callable[[PauseReason, str], Awaitable[None]]


class Runner(Protocol):
    """What an owner steers: `ParallelCollectionRunner`, or whatever stands for many of them."""

    @property
    def paused(self) -> bool:
        """Whether no new attempt begins until `resume`."""

    def pause(self, reason: PauseReason = PauseReason.OPERATOR) -> None:
        """Begin no new attempt until `resume`."""

    def resume(self) -> None:
        """Go on after a pause."""

    def cancel(self) -> None:
        """End the run: finish what is under way, put back the rest."""

    def stop(self) -> None:
        """Leave the run so that it can be resumed."""

    async def run(self) -> RunEnd:
        """Work until nothing is left, or until cancelled or stopped."""

    async def wait_until_idle(self) -> None:
        """Wait until no attempt is under way."""


class Engine(Protocol):
    """Gives runners for jobs."""

    def carry(self, job: Job) -> AbstractAsyncContextManager[Runner]:
        """A runner for this job, for as long as the block lasts."""


class LocalEngine:
    """Has the workers of a run in this process, on the loop that the run lives on."""

    @asynccontextmanager
    async def carry(self, job: Job) -> AsyncIterator[Runner]:
        """A runner over the items of the job's run.

        Raises:
            SandboxError: the sandbox could not be started.
            SettingsError: a real run, and no credentials for it.
        """
        workers = job.options.workers
        async with await job.connect(job.source, job.sandbox_day, workers) as client:
            work = RunWork(
                job.run_id,
                options=job.options,
                source=job.source,
                owner_id=job.owner_id,
                client=client,
                transactions=job.transactions,
                publish=job.publish,
                on_pause=job.on_pause,
                may_send=lambda: runner.may_begin,
            )
            runner = ParallelCollectionRunner(work, workers=workers)
            yield runner
