"""Watches a run that another process works on: its counters and its entries, from the database."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from sqlalchemy import Connection

from collector.activity import BUFFERED_ENTRIES, ActivityStream
from collector.background import BackgroundLoop
from collector.database import Database
from collector.errors import DatabaseError
from collector.models import ActivityEntry, RunOptions
from collector.progress import RunProgress
from collector.store import activity_log, progress, runs
from collector.tracker import Tracker
from collector.transactions import Transactions
from collector.words import RunStatus

LOOK_EVERY_S = 0.4
READ_ENTRIES = 1000
# By then an owner that lives has carried out what it was told.
CHANGE_WITHIN_S = 3.0


class Follower:
    """Keeps one run's stream and progress up to date until the run has ended or it is closed.

    Args:
        database: where the run stands.
        run_id: the run.
        stream: this process's stream of that run.
        background: the loop to watch on: no cell can block it.
    """

    def __init__(
        self,
        database: Database,
        run_id: UUID,
        *,
        stream: ActivityStream,
        background: BackgroundLoop,
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._stream = stream
        self._background = background
        self._after = 0
        self._expecting_until = 0.0
        self._tracker: Tracker
        self._task: asyncio.Task[None] | None = None

    def progress(self) -> RunProgress:
        """How the run stands, as of the latest look."""
        return self._tracker.progress()

    @property
    def is_watching(self) -> bool:
        """Whether `progress` still moves with the run."""
        return self._task is not None and not self._task.done()

    def close(self) -> None:
        """Stop watching; `progress` keeps the latest look. Not from the background loop."""

        async def cancel() -> None:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait({self._task})

        self._background.call(cancel())

    def expect_change(self) -> None:
        """A command is on its way to the owner: what is known now is not where the run rests."""
        self._expecting_until = time.monotonic() + CHANGE_WITHIN_S

    async def rest(self) -> RunProgress:
        """Wait, on the background loop, until the run is paused or has ended."""
        while True:
            shown = self.progress()
            rests = shown.status.is_final or shown.pause_reason is not None or shown.interrupted
            if rests and time.monotonic() > self._expecting_until:
                return shown
            if self._task is None or self._task.done():
                raise DatabaseError("The run is not watched any more: attach to it again.")
            await asyncio.sleep(LOOK_EVERY_S)

    async def begin(self) -> None:
        """Look for the first time, and go on looking. On the background loop.

        Raises:
            UnknownRun: there is no such run.
            DatabaseError: PostgreSQL stays away.
        """
        self._transactions = Transactions(self._database, connections=1)

        def read(conn: Connection) -> Tracker:
            options = RunOptions.model_validate(runs.get(conn, self._run_id).options)
            self._after = max(0, activity_log.last_id(conn, self._run_id) - BUFFERED_ENTRIES)
            return Tracker(
                progress.read(conn, self._run_id),
                workers=options.workers,
                errors=progress.errors(conn, self._run_id),
                median_ms=progress.median_ms(conn, self._run_id),
            )

        try:
            self._tracker = await self._transactions.run(read)
            self._stream.start()
            if not await self._look():
                self._task = asyncio.create_task(self._watch(), name=f"watch {self._run_id}")
                return
        except BaseException:
            await self._transactions.close()
            raise
        await self._transactions.close()

    async def _watch(self) -> None:
        try:
            ended = False
            while not ended:
                await asyncio.sleep(LOOK_EVERY_S)
                ended = await self._look()
        finally:
            await self._transactions.close()

    async def _look(self) -> bool:
        """Take over what has come; returns whether the run has ended and all of it is here."""

        def read(conn: Connection) -> tuple[RunProgress, RunStatus | None, list[ActivityEntry]]:
            return (
                progress.read(conn, self._run_id),
                # Asked before the entries: once it has ended, none comes after these.
                activity_log.ended(conn, self._run_id),
                activity_log.read(conn, self._run_id, after=self._after, limit=READ_ENTRIES),
            )

        shown, ended, entries = await self._transactions.run(read)
        for entry in entries:
            self._stream.publish(entry)
            self._tracker.apply(entry)
            self._after = entry.id
        self._tracker.rebase(shown)
        if shown.status.is_final or (shown.status is RunStatus.RUNNING and not shown.interrupted):
            self._expecting_until = 0.0
        if ended is not None and not entries:
            self._stream.end(ended)
            return True
        return False
