"""One run being worked on by this process: from taking it over to leaving it or ending it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row
from sqlalchemy.exc import DBAPIError

from collector.activity import ActivityStream
from collector.activity_writer import ActivityWriter
from collector.database import Database
from collector.engine import Connect, Engine, Job, LocalEngine, Runner
from collector.errors import CollectorError, DatabaseError, EngineLost, OwnershipLost
from collector.models import RunOptions
from collector.progress import RunProgress
from collector.refusals import explain
from collector.runner import RunEnd
from collector.standing import RunStanding, pause_message
from collector.store import activity_log, moves, pace, participants, progress, runs
from collector.store.ownership import OwnerSession
from collector.tracker import Tracker
from collector.transactions import MOST_CONNECTIONS, PATIENCE_S, Transactions
from collector.words import Action, PauseReason, RunStatus, Source

__all__ = ["Connect", "RunExecution"]

COMMANDS_EVERY_S = 1.0
PROGRESS_EVERY_S = 0.5


class RunExecution:
    """A run that this process owns. `run` is awaited on one loop; the commands are called there.

    Args:
        database: where the run stands.
        run_id: the run.
        stream: its activity.
        connect: gives a client for a source, a sandbox day and a number of connections.
        engine: has the workers; by default this process does.
        budget: another budget for the run, from now on.
        patience_s: how long to wait for a database that went away.
    """

    def __init__(
        self,
        database: Database,
        run_id: UUID,
        *,
        stream: ActivityStream,
        connect: Connect,
        engine: Engine | None = None,
        budget: int | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.run_id = run_id
        self._patience_s = patience_s
        self._database = database
        self._stream = stream
        self._connect = connect
        self._engine = engine or LocalEngine()
        self._budget = budget
        self._standing: RunStanding | None = None
        self._runner: Runner | None = None
        self._leaving = False
        self._rests = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._early: Callable[[], None] | None = None

    def progress(self) -> RunProgress | None:
        """How the run stands; None until it has been taken over."""
        return self._standing.progress() if self._standing else None

    async def run(self) -> RunProgress:
        """Take the run over, work on it, and return how it stands once it is left or has ended.

        Raises:
            RunInProgress: somebody living owns it.
            OwnershipLost: somebody else took it over meanwhile.
            EngineLost: whoever has the workers is gone; the run can be resumed.
            DatabaseError: PostgreSQL stayed away; the run can be resumed.
        """
        try:
            async with OwnerSession(self._database.conninfo()) as owner:
                self._owner = owner
                # As many connections as are needed at once: few, also for many workers.
                self._transactions = Transactions(
                    self._database, connections=MOST_CONNECTIONS, patience_s=self._patience_s
                )
                try:
                    row, had = await self._transactions.run(
                        lambda c: moves.take_over(
                            c, self.run_id, owner_id=owner.owner_id, budget=self._budget
                        )
                    )
                    return await self._work_on(row, had, RunOptions.model_validate(row.options))
                finally:
                    await self._transactions.close()
        finally:
            self._rests.set()

    async def _work_on(self, row: Row[Any], had: RunStatus, options: RunOptions) -> RunProgress:
        writer = ActivityWriter(self._transactions, self.run_id)
        writing = asyncio.create_task(writer.write(), name="activity writer")
        try:
            standing = self._standing = await self._stand(options, writer)
            for entry in await self._transactions.run(
                lambda c: participants.take_reports(c, self.run_id)
            ):
                # What was left for an owner that is gone.
                standing.publish(entry)
            if had is not RunStatus.PENDING:
                standing.tell(Action.RESUMED, "Resumed where it was left.")
            while not await standing.conclude(await self._collect(standing, row, options)):
                pass
        finally:
            writer.close()
            await writing
        shown = standing.progress()
        if shown.status.is_final:
            self._stream.end(shown.status)
        return shown

    async def _stand(self, options: RunOptions, writer: ActivityWriter) -> RunStanding:
        def read(conn: Connection) -> Tracker:
            self._stream.start(after=activity_log.last_id(conn, self.run_id))
            return Tracker(
                progress.read(conn, self.run_id),
                workers=options.workers,
                errors=progress.errors(conn, self.run_id),
                median_ms=progress.median_ms(conn, self.run_id),
            )

        return RunStanding(
            self.run_id,
            owner_id=self._owner.owner_id,
            transactions=self._transactions,
            stream=self._stream,
            writer=writer,
            tracker=await self._transactions.run(read),
        )

    async def _collect(self, standing: RunStanding, row: Row[Any], options: RunOptions) -> RunEnd:
        """Have the workers do what there is to do; a fault of ours fails the run."""
        job = Job(
            run_id=self.run_id,
            owner_id=self._owner.owner_id,
            options=options,
            source=Source(row.source),
            sandbox_day=row.sandbox_day,
            connect=self._connect,
            transactions=self._transactions,
            publish=standing.publish,
            on_pause=self._keep_pause,
            on_paused=self._note_pause,
        )
        try:
            async with self._engine.carry(job) as runner:
                return await self._run_workers(runner)
        except (OwnershipLost, DatabaseError):
            # Not ours to write to any more, or nothing to write to: it shows as interrupted.
            raise
        except asyncio.CancelledError:
            await asyncio.shield(standing.leave("Left by the process that worked on it."))
            raise
        except EngineLost as exc:
            await standing.leave(f"Left: {exc}")
            raise
        except DBAPIError as exc:
            told = explain(exc, self._database)
            await standing.give_up(told)
            raise told from exc
        except Exception as exc:
            await standing.give_up(exc)
            raise

    async def _run_workers(self, runner: Runner) -> RunEnd:
        self._runner = runner
        if self._leaving:
            runner.stop()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                early, self._early = self._early, None
                if early is not None:
                    early()
                watching = [
                    group.create_task(self._watch_commands(), name="commands"),
                    group.create_task(self._refresh_often(), name="progress"),
                ]
                end = await runner.run()
                for task in watching:
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            self._group = None
        return end

    def pause(self) -> None:
        """Begin no new request; what is in flight finishes and is kept."""
        if self._runner is None:
            self._early = self._early or self.pause
        else:
            if not self._runner.paused:
                self._runner.pause(PauseReason.OPERATOR)
            # Also where it is paused: a resume may stand in line before this.
            self._spawn(self._keep_pause(PauseReason.OPERATOR, ""))

    def resume(self, *, budget: int | None = None) -> None:
        """Go on after a pause, with another budget where one is given."""
        if self._early == self.pause:
            self._early = None
        # Whoever waits from now on waits for what comes, not for the pause that this ends.
        self._clear_rests()
        self._spawn(self._keep_resume(budget))

    def cancel(self) -> None:
        """End the run; what is in flight finishes and is kept."""
        if self._runner is None:
            self._early = self.cancel
        else:
            self._runner.cancel()
            self._clear_rests()

    def stop(self) -> None:
        """Leave the run so that it can be resumed, here or elsewhere."""
        self._leaving = True
        if self._runner is not None:
            self._runner.stop()

    async def rest(self) -> RunProgress | None:
        """Wait until the run is paused with nothing in flight, is left, or has ended."""
        await self._rests.wait()
        if self._runner is not None and self._group is not None:
            await self._runner.wait_until_idle()
            await self._stood.refresh()
        return self.progress()

    def _clear_rests(self) -> None:
        if self._group is not None:
            self._rests.clear()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a command beside the workers; where it dies, the run says so."""
        if self._group is None:
            coroutine.close()
            return
        self._group.create_task(coroutine)

    @property
    def _stood(self) -> RunStanding:
        if self._standing is None:
            raise CollectorError("The run has not been taken over yet.")
        return self._standing

    async def _keep_pause(self, reason: PauseReason, detail: str) -> None:
        standing = self._stood
        async with standing.turn:
            if standing.status is not RunStatus.RUNNING:
                return
            message = pause_message(reason, detail)
            await standing.move(RunStatus.PAUSED, reason=reason, message=message)
            self._rest_paused(reason, message)

    async def _note_pause(self, reason: PauseReason, message: str) -> None:
        """Somebody who works on the run has moved it to a pause."""
        standing = self._stood
        async with standing.turn:
            await standing.refresh()
            if standing.status is RunStatus.PAUSED:
                self._rest_paused(reason, message)

    def _rest_paused(self, reason: PauseReason, message: str) -> None:
        if self._runner is not None:
            # Again, for a resume that stood in line before this pause.
            self._runner.pause(reason)
        self._stood.tell(Action.PAUSED, message, reason=reason.value)
        self._rests.set()

    async def _keep_resume(self, budget: int | None) -> None:
        standing = self._stood
        async with standing.turn:
            if standing.status is not RunStatus.PAUSED or self._runner is None:
                return
            try:
                if budget is not None:
                    await self._transactions.run(lambda c: runs.set_budget(c, self.run_id, budget))
                await self._transactions.run(pace.let_go)
                await standing.move(RunStatus.RUNNING)
            except (OwnershipLost, DatabaseError):
                raise
            except CollectorError as error:
                standing.tell(Action.ERROR, str(error))
                self._rests.set()
                return
            self._rests.clear()
            standing.tell(Action.RESUMED, "Resumed by the operator.")
            self._runner.resume()

    async def _refresh_often(self) -> None:
        while True:
            await self._stood.refresh()
            await asyncio.sleep(PROGRESS_EVERY_S)

    async def _watch_commands(self) -> None:
        commands = {"pause": self.pause, "resume": self.resume, "cancel": self.cancel}
        while True:
            try:
                await self._owner.wait_for_command(self.run_id, timeout_s=COMMANDS_EVERY_S)
            except DatabaseError:
                await self._owner.regain(patience_s=self._patience_s)
            command = await self._transactions.run(
                lambda c: moves.take_command(c, self.run_id, owner_id=self._owner.owner_id)
            )
            if command is not None:
                commands[command]()
            else:
                await self._follow_status()

    async def _follow_status(self) -> None:
        """Do as was decided of the run while its owner's session was lost, and it looked dead.

        Whoever decided it moved the run instead of leaving a command.
        """
        standing = self._stood
        async with standing.turn:
            if standing.status is RunStatus.CANCELLED:
                self.cancel()
            elif standing.status is RunStatus.PAUSED and self._runner and not self._runner.paused:
                self._runner.pause(PauseReason.OPERATOR)
                self._rests.set()
