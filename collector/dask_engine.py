"""`DaskEngine`: a run whose items the workers of a Dask cluster work on, five requests each.

One long task a Dask worker, pinned to it, takes part in the run; Dask is asked for nothing else:
items are claimed from PostgreSQL, so that a worker that is killed costs what it had in flight and
no more. (One task an item would: after a kill Dask computes again what it had computed.)

Each Dask worker reads its own environment: `DATABASE_URL`, and the credentials of a real run,
have to be set there. They travel in no task.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from collector import __version__
from collector.database import open_database
from collector.engine import Job, Runner
from collector.errors import CollectorError, EngineLost, SettingsError, UnknownRun, UsageError
from collector.models import ActivityEntry
from collector.participant import Invitation, Participant
from collector.settings import Settings
from collector.shared_runner import SharedRunner
from collector.upstream import Upstream
from collector.words import Action, Source

if TYPE_CHECKING:
    from distributed import Client, Future

LOOK_EVERY_S = 0.5
# What went wrong in a worker is seldom over at once.
HIRE_AGAIN_AFTER_S = 10.0
NOBODY = "No Dask worker is there: the run waits for one."


class DaskEngine:
    """Has the workers of a run in the workers of a Dask cluster, wherever they are.

    Workers may come and go while the run is under way. The process that launched the run stays
    its owner: it shows the panel, takes the commands, and has to live.

    Args:
        client: connected to the cluster, synchronous as notebooks have it.
    """

    def __init__(self, client: Client) -> None:
        if client.asynchronous:
            raise UsageError("DaskEngine wants a synchronous client: Client(…) as in a notebook.")
        self._client = client

    def __repr__(self) -> str:
        return f"DaskEngine({self._client!r})"

    @asynccontextmanager
    async def carry(self, job: Job) -> AsyncIterator[Runner]:
        """A runner that stands for those in the Dask workers.

        Raises:
            SandboxError: the sandbox could not be started.
            SettingsError: a real run, and no credentials for it.
        """
        # Also for a real run: without credentials here there will be none there.
        async with await job.connect(job.source, job.sandbox_day, 1) as client:
            url = client.url if job.source is Source.SANDBOX else None
        invitation = Invitation(job.run_id, job.owner_id, job.source, url, __version__)
        runner = SharedRunner(job, nobody=NOBODY)
        hiring = asyncio.create_task(
            _Hiring(self._client, job, runner, invitation).go_on(), name="hiring"
        )

        def tell(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (fault := task.exception()):
                runner.break_off(fault)

        hiring.add_done_callback(tell)
        try:
            yield runner
        finally:
            hiring.cancel()
            await asyncio.wait({hiring})


@dataclass(slots=True)
class _Hiring:
    """Keeps one participant in every worker of a cluster, for as long as a run wants any."""

    client: Client
    job: Job
    runner: SharedRunner
    invitation: Invitation
    hired: dict[str, Future] = field(default_factory=dict)
    not_before: dict[str, float] = field(default_factory=dict)

    async def go_on(self) -> None:
        """Hire until cancelled.

        Raises:
            EngineLost: the cluster cannot be reached any more.
        """
        try:
            while True:
                if self.runner.wants_participants:
                    await self._look()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self.hired.clear()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        # In a thread: the client waits for the scheduler's answer.
        addresses = await asyncio.to_thread(self._addresses)
        for gone in self.hired.keys() - addresses:
            # Let go of, so that the scheduler does not wait for that very worker to come back.
            del self.hired[gone]
        for address in sorted(addresses):
            task = self.hired.get(address)
            if task is not None and task.done():
                self._take_note(address, await asyncio.to_thread(_outcome, task))
                del self.hired[address]
                task = None
            if task is None and loop.time() >= self.not_before.get(address, 0.0):
                self.hired[address] = self._hire(address)

    def _addresses(self) -> set[str]:
        try:
            return set(self.client.nthreads())
        except (OSError, RuntimeError, TimeoutError, AttributeError) as exc:
            # Distributed raises any of these once its client or scheduler is closed.
            raise EngineLost(
                "The Dask cluster does not answer: connect to it again, or resume the run here."
            ) from exc

    def _hire(self, address: str) -> Future:
        return self.client.submit(
            take_part,
            self.invitation,
            workers=[address],
            allow_other_workers=False,
            pure=False,
            key=f"collector-{self.invitation.run_id}-{os.urandom(4).hex()}",
        )

    def _take_note(self, address: str, problem: str | None) -> None:
        if problem is None:
            return
        loop = asyncio.get_running_loop()
        self.not_before[address] = loop.time() + HIRE_AGAIN_AFTER_S
        self.job.publish(
            ActivityEntry(
                action=Action.ERROR,
                error_type="participant_failed",
                error_stage="run",
                error_message=f"The Dask worker at {address} does not take part: {problem}",
            )
        )


def _outcome(task: Any) -> str | None:
    """What a participant told when it left, or what befell it."""
    error = task.exception()
    if error is None:
        told: str | None = task.result()
        return told
    return f"{type(error).__name__}: {error}"[:400]


def take_part(invitation: Invitation) -> str | None:
    """Take part in a run; called in a Dask worker.

    Returns what went wrong, in one line; None where the participant left in peace. (An exception
    would have to be unpickled by another version of its class.)
    """
    try:
        _take_part(invitation)
    except CollectorError as exc:
        return str(exc)
    return None


def _take_part(invitation: Invitation) -> None:
    if invitation.version != __version__:
        raise UsageError(
            f"it has collector {__version__} and the run's owner {invitation.version}: install "
            "the same version on both."
        )
    settings = _settings_for(invitation)
    database = open_database(settings, source=invitation.source, migrate=False)
    upstream = Upstream(settings)
    participant = Participant(
        database,
        invitation,
        connect=upstream.connect,
        name=f"{socket.gethostname()}:{os.getpid()}",
    )
    try:
        asyncio.run(participant.take_part())
    except UnknownRun as exc:
        raise SettingsError(
            f"its database, {database.display_url()}, does not hold the run: set DATABASE_URL "
            "there as it is set here."
        ) from exc
    finally:
        with suppress(CollectorError):
            upstream.close()
        database.dispose()


def _settings_for(invitation: Invitation) -> Settings:
    settings = Settings.read()
    names_its_own = settings.source is Source.SANDBOX and not settings.starts_sandbox
    if invitation.sandbox_url is None or names_its_own:
        return settings
    # Without the credentials of a real account: they must not be sent to a sandbox.
    return Settings.model_validate(
        settings.model_dump()
        | {
            "oxylabs_url": invitation.sandbox_url,
            "oxylabs_username": None,
            "oxylabs_password": None,
        }
    )
