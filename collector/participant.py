"""Taking part in a run that another process owns: the same claims, the same runner, elsewhere.

Whoever takes part needs nothing but the run's database and the upstream. It claims items under
an owner id of its own, spends the run's budget and keeps the database's pace as everybody does,
and follows the run's status: paused with it, ended with it, gone when its owner is gone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import Connection

from collector.activity_writer import ActivityWriter
from collector.connections import Database
from collector.engine import Connect
from collector.errors import OwnershipLost
from collector.models import ActivityEntry, Item, RunOptions
from collector.runner import ParallelCollectionRunner
from collector.standing import pause_message
from collector.store import moves, participants, runs
from collector.store.ownership import OwnerSession
from collector.store.participants import Standing
from collector.transactions import MOST_CONNECTIONS, Transactions
from collector.words import Action, PauseReason, RunStatus, Source
from collector.work import RunWork

# Commands are announced; this is for a lost announcement, and for an owner that dies.
LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody has to be told to take part in a run. It holds no secret.

    Attributes:
        run_id: the run.
        run_owner_id: its owner, who invites.
        source: where its answers come from.
        sandbox_url: where the owner's sandbox is; None for a real run.
        version: the owner's version of this package.
    """

    run_id: UUID
    run_owner_id: int
    source: Source
    sandbox_url: str | None
    version: str


class Participant:
    """One process that takes part in a run. `take_part` is awaited on one loop, once.

    Args:
        database: where the run stands.
        invitation: by the run's owner.
        connect: gives a client for a source, a sandbox day and a number of connections.
        name: what to call this participant, for people.
    """

    def __init__(
        self, database: Database, invitation: Invitation, *, connect: Connect, name: str
    ) -> None:
        self._database = database
        self._run_id = invitation.run_id
        self._run_owner_id = invitation.run_owner_id
        self._connect = connect
        self._name = name
        self._resting = False

    async def take_part(self) -> None:
        """Work on the run's items until there are none, it ends, or its owner is gone.

        Raises:
            UnknownRun: this database has no such run.
            OwnershipLost: the database took this process for dead; its items are others' now.
            DatabaseError: PostgreSQL stayed away.
        """
        async with OwnerSession(self._database.conninfo()) as session:
            self._session = session
            with self._database.engine().connect() as conn:
                row = runs.get(conn, self._run_id)
            options = RunOptions.model_validate(row.options)
            self._transactions = Transactions(self._database, connections=MOST_CONNECTIONS)
            try:
                first = await self._transactions.run(partial(self._join, workers=options.workers))
                if first is not None:
                    await self._report_on(row.source, row.sandbox_day, options, first)
            finally:
                await self._transactions.close()

    def _join(self, conn: Connection, *, workers: int) -> int | None:
        return participants.join(
            conn,
            self._run_id,
            owner_id=self._session.owner_id,
            run_owner_id=self._run_owner_id,
            workers=workers,
            name=self._name,
        )

    async def _report_on(
        self, source: str, day: int | None, options: RunOptions, first: int
    ) -> None:
        """Work, report what is done, and leave once the last of it is reported."""
        writer = ActivityWriter(self._transactions, self._run_id, keep=participants.report)
        writing = asyncio.create_task(writer.write(), name="reports")

        def publish(entry: ActivityEntry) -> None:
            here = {"worker_id": first + entry.worker_id} if entry.worker_id else {}
            writer.offer(entry.model_copy(update=here))

        try:
            async with await self._connect(Source(source), day, options.workers) as client:
                work = RunWork(
                    self._run_id,
                    options=options,
                    source=Source(source),
                    owner_id=self._session.owner_id,
                    run_owner_id=self._run_owner_id,
                    client=client,
                    transactions=self._transactions,
                    publish=publish,
                    on_pause=self._pause_run,
                    may_send=lambda: runner.may_begin,
                )
                runner = ParallelCollectionRunner(work, workers=options.workers)
                await self._work(runner)
        finally:
            writer.close()
            await writing
            await self._transactions.run(
                lambda c: participants.leave(c, self._run_id, owner_id=self._session.owner_id)
            )

    async def _work(self, runner: ParallelCollectionRunner[Item]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._follow(runner), name="standing")
                await runner.run()
                watching.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _follow(self, runner: ParallelCollectionRunner[Item]) -> None:
        """Do as the run does, until it goes on no more."""
        while (standing := await self._look()).goes_on:
            await self._do_as(runner, standing.pause_reason)
            await self._session.wait_for_command(self._run_id, timeout_s=LOOK_EVERY_S)
        runner.stop()

    async def _look(self) -> Standing:
        return await self._transactions.run(
            lambda c: participants.standing(c, self._run_id, run_owner_id=self._run_owner_id)
        )

    async def _do_as(
        self, runner: ParallelCollectionRunner[Item], reason: PauseReason | None
    ) -> None:
        if reason is None:
            # Said first: once it says so the owner must not take it for resting.
            await self._rest(False)
            if runner.paused:
                runner.resume()
            return
        if not runner.paused:
            runner.pause(reason)
        if reason is PauseReason.FAILURES:
            await runner.put_back_streak()
        await self._rest(runner.idle)

    async def _rest(self, resting: bool) -> None:
        if resting is not self._resting:
            await self._transactions.run(
                lambda c: participants.rest(
                    c, self._run_id, owner_id=self._session.owner_id, resting=resting
                )
            )
            self._resting = resting

    async def _pause_run(self, reason: PauseReason, detail: str) -> None:
        """Pause the whole run in its owner's name, and tell it why."""
        message = pause_message(reason, detail)

        def pause(conn: Connection) -> None:
            had = moves.move(
                conn,
                self._run_id,
                RunStatus.PAUSED,
                reason=reason,
                message=message,
                owner_id=self._run_owner_id,
            )
            if had is RunStatus.RUNNING:
                told = ActivityEntry(
                    action=Action.PAUSED, error_message=message, params={"reason": reason.value}
                )
                participants.report(conn, self._run_id, [told])

        try:
            await self._transactions.run(pause)
        except OwnershipLost:
            # The run has another owner by now: the next look tells to leave.
            return
