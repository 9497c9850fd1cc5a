"""One run being worked on by this process: from taking it over to leaving it or ending it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from collector.activity import ActivityStream
from collector.activity_writer import ActivityWriter
from collector.database import Database
from collector.errors import CollectorError, DatabaseError, OwnershipLost
from collector.models import ActivityEntry, RunOptions
from collector.progress import RunProgress
from collector.refusals import explain
from collector.runner import ParallelCollectionRunner, RunEnd
from collector.sources.oxylabs import OxylabsClient
from collector.store import activity_log, items, moves, progress, runs
from collector.store.items import ItemsLeft
from collector.store.ownership import OwnerSession
from collector.tracker import Tracker
from collector.transactions import PATIENCE_S, Transactions, apart
from collector.words import Action, PauseReason, RunStatus, Source
from collector.work import RunWork

Connect = Callable[[Source, int | None, int], Awaitable[OxylabsClient]]
COMMANDS_EVERY_S = 1.0
PROGRESS_EVERY_S = 0.5
# Transactions take milliseconds: more workers than this share, and a server's limit is kept.
MOST_CONNECTIONS = 10

_PAUSES = {
    PauseReason.OPERATOR: "Paused by the operator.",
    PauseReason.FAILURES: "Paused: five items in a row failed, the last with: {}",
    PauseReason.CREDENTIALS: "Paused: {}",
    PauseReason.BUDGET: "Paused: {}",
    PauseReason.RETRY: "Paused: its failed items are to be sent again.",
}


class RunExecution:
    """A run that this process owns. `run` is awaited on one loop; the commands are called there.

    Args:
        database: where the run stands.
        run_id: the run.
        stream: its activity.
        connect: gives a client for a source, a sandbox day and a number of connections.
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
        budget: int | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.run_id = run_id
        self._patience_s = patience_s
        self._database = database
        self._stream = stream
        self._connect = connect
        self._budget = budget
        self._tracker: Tracker | None = None
        self._runner: ParallelCollectionRunner[Any] | None = None
        self._leaving = False
        self._turn = asyncio.Lock()
        self._rests = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._early: Callable[[], None] | None = None
        self._moves = 0

    def progress(self) -> RunProgress | None:
        """How the run stands; None until it has been taken over."""
        return self._tracker.progress() if self._tracker else None

    async def run(self) -> RunProgress:
        """Take the run over, work on it, and return how it stands once it is left or has ended.

        Raises:
            RunInProgress: somebody living owns it.
            OwnershipLost: somebody else took it over meanwhile.
            DatabaseError: PostgreSQL stayed away; the run can be resumed.
        """
        try:
            async with OwnerSession(self._database.conninfo()) as owner:
                self._owner = owner
                # Sized once the run's number of workers is known: a small one until then.
                engine = self._database.async_engine(pool_size=2)
                try:
                    self._transactions = Transactions(engine, patience_s=self._patience_s)
                    row, had = await self._transactions.run(
                        lambda c: moves.take_over(
                            c, self.run_id, owner_id=owner.owner_id, budget=self._budget
                        )
                    )
                finally:
                    await apart(engine.dispose())
                options = RunOptions.model_validate(row.options)
                connections = min(options.workers, MOST_CONNECTIONS) + 3
                engine = self._database.async_engine(pool_size=connections)
                try:
                    self._transactions = Transactions(engine, patience_s=self._patience_s)
                    return await self._work_on(row, had, options, engine)
                finally:
                    await apart(engine.dispose())
        finally:
            self._rests.set()

    async def _work_on(
        self, row: Row[Any], had: RunStatus, options: RunOptions, engine: AsyncEngine
    ) -> RunProgress:
        self._writer = ActivityWriter(engine, self.run_id)
        writing = asyncio.create_task(self._writer.write(), name="activity writer")
        try:
            await self._open_stream(options)
            if had is not RunStatus.PENDING:
                self._tell(Action.RESUMED, "Resumed where it was left.")
            while not await self._conclude(await self._collect(row, options)):
                pass
        finally:
            self._writer.close()
            await writing
        status = self._shown().status
        if status.is_final:
            self._stream.end(status)
        return self._shown()

    async def _collect(self, row: Row[Any], options: RunOptions) -> RunEnd:
        """Have the workers do what there is to do; a fault of ours fails the run."""
        source = Source(row.source)
        try:
            async with await self._connect(source, row.sandbox_day, options.workers) as client:
                return await self._run_workers(options, source, client)
        except (OwnershipLost, DatabaseError):
            # Not ours to write to any more, or nothing to write to: it shows as interrupted.
            raise
        except asyncio.CancelledError:
            await asyncio.shield(self._leave("Left by the process that worked on it."))
            raise
        except DBAPIError as exc:
            told = explain(exc, self._database)
            await self._give_up(told)
            raise told from exc
        except Exception as exc:
            await self._give_up(exc)
            raise

    async def _open_stream(self, options: RunOptions) -> None:
        def read(conn: Connection) -> Tracker:
            self._stream.start(after=activity_log.last_id(conn, self.run_id))
            return Tracker(
                progress.read(conn, self.run_id),
                workers=options.workers,
                errors=progress.errors(conn, self.run_id),
                median_ms=progress.median_ms(conn, self.run_id),
            )

        self._tracker = await self._transactions.run(read)

    async def _run_workers(
        self, options: RunOptions, source: Source, client: OxylabsClient
    ) -> RunEnd:
        work = RunWork(
            self.run_id,
            options=options,
            source=source,
            owner_id=self._owner.owner_id,
            client=client,
            transactions=self._transactions,
            publish=self.publish,
            on_pause=self._keep_pause,
            may_send=lambda: self._runner is not None and self._runner.may_begin,
        )
        self._runner = ParallelCollectionRunner(work, workers=options.workers)
        if self._leaving:
            self._runner.stop()
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
                end = await self._runner.run()
                for task in watching:
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            self._group = None
        return end

    def publish(self, entry: ActivityEntry) -> None:
        """Tell viewers, and have it kept."""
        entry = self._stream.publish(entry)
        if self._tracker is not None:
            self._tracker.apply(entry)
        self._writer.offer(entry)

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
            await self._refresh()
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

    async def _keep_pause(self, reason: PauseReason, detail: str) -> None:
        async with self._turn:
            if self._shown().status is not RunStatus.RUNNING:
                return
            message = _PAUSES[reason].format(detail)
            await self._move(RunStatus.PAUSED, reason=reason, message=message)
            if self._runner is not None:
                # Again, for a resume that stood in line before this pause.
                self._runner.pause(reason)
            self._tell(Action.PAUSED, message, reason=reason.value)
            self._rests.set()

    async def _keep_resume(self, budget: int | None) -> None:
        async with self._turn:
            if self._shown().status is not RunStatus.PAUSED or self._runner is None:
                return
            try:
                if budget is not None:
                    await self._transactions.run(lambda c: runs.set_budget(c, self.run_id, budget))
                await self._move(RunStatus.RUNNING)
            except (OwnershipLost, DatabaseError):
                raise
            except CollectorError as error:
                self._tell(Action.ERROR, str(error))
                self._rests.set()
                return
            self._rests.clear()
            self._tell(Action.RESUMED, "Resumed by the operator.")
            self._runner.resume()

    async def _conclude(self, end: RunEnd) -> bool:
        """Keep how the workers ended; False where they are needed again."""
        async with self._turn:
            await self._refresh()
            if end is RunEnd.STOPPED:
                if self._shown().status is RunStatus.RUNNING:
                    await self._leave_now("Left by the process that worked on it.")
                return True
            if end is RunEnd.CANCELLED:
                await self._move(RunStatus.CANCELLED, message="Cancelled by the operator.")
                self._tell(Action.CANCELLED, "Cancelled. What was found is kept.")
                return True
            if self._shown().status is RunStatus.PAUSED:
                await self._move(RunStatus.RUNNING)
            if await self._brought_nothing():
                return True
            try:
                await self._move(RunStatus.COMPLETED, check=items.require_exhausted)
            except ItemsLeft:
                # Failed items were put back after the workers had found nothing to claim.
                return False
            shown = self._shown()
            self._tell(
                Action.COMPLETE,
                f"{shown.sellers_new} new of {shown.sellers_found} sellers found, "
                f"{shown.requests} requests, {shown.failed_items} failed items.",
            )
            return True

    async def _brought_nothing(self) -> bool:
        """Pause a run in which not one item succeeded: few items make no streak of failures."""
        shown = self._shown()
        if not shown.failed_items or shown.lists_done or shown.products_total:
            return False
        last = shown.errors[0].last_message if shown.errors else "unknown"
        message = f"Paused: not one request brought an answer. The last error: {last}"
        await self._move(RunStatus.PAUSED, reason=PauseReason.FAILURES, message=message)
        await self._transactions.run(lambda c: items.retry_failed(c, self.run_id))
        await self._refresh()
        self._tell(Action.PAUSED, message, reason=PauseReason.FAILURES.value)
        return True

    async def _leave(self, message: str) -> None:
        async with self._turn:
            if self._shown().status is RunStatus.RUNNING:
                await self._leave_now(message)

    async def _leave_now(self, message: str) -> None:
        await self._move(RunStatus.PAUSED, reason=PauseReason.OPERATOR, message=message)
        self._tell(Action.PAUSED, message, reason=PauseReason.OPERATOR.value)

    async def _give_up(self, exc: Exception) -> None:
        """A fault of ours: the run says so, and its items can be sent again."""
        known = isinstance(exc, CollectorError)
        message = f"Failed: {exc if known else f'{type(exc).__name__}: {exc}'}"[:1000]
        async with self._turn:
            if self._shown().status is RunStatus.PAUSED:
                await self._move(RunStatus.RUNNING)
            await self._move(RunStatus.FAILED, message=message)
            self._tell(Action.ERROR, message, error_type=type(exc).__name__, error_stage="run")
            self._stream.end(RunStatus.FAILED)

    async def _move(
        self,
        to: RunStatus,
        *,
        reason: PauseReason | None = None,
        message: str = "",
        check: Callable[[Connection, UUID], None] | None = None,
    ) -> None:
        def move(conn: Connection) -> RunProgress:
            moves.move(
                conn,
                self.run_id,
                to,
                reason=reason,
                message=message,
                owner_id=self._owner.owner_id,
            )
            if check is not None:
                # The run's row is locked by now: nobody puts items back any more.
                check(conn, self.run_id)
            return progress.read(conn, self.run_id)

        shown = await self._transactions.run(move)
        self._moves += 1
        if self._tracker is not None:
            self._tracker.rebase(shown)

    def _shown(self) -> RunProgress:
        shown = self.progress()
        if shown is None:
            raise CollectorError("The run has not been taken over yet.")
        return shown

    def _tell(
        self,
        action: Action,
        message: str,
        *,
        reason: str | None = None,
        error_type: str | None = None,
        error_stage: str | None = None,
    ) -> None:
        self.publish(
            ActivityEntry(
                action=action,
                error_message=message,
                error_type=error_type,
                error_stage=error_stage,
                params={"reason": reason} if reason else None,
            )
        )

    async def _refresh(self) -> None:
        if self._tracker is not None:
            moves = self._moves
            shown = await self._transactions.run(lambda c: progress.read(c, self.run_id))
            # Read before a move that is known by now, it would turn the status back.
            if moves == self._moves:
                self._tracker.rebase(shown)

    async def _refresh_often(self) -> None:
        while True:
            await self._refresh()
            await asyncio.sleep(PROGRESS_EVERY_S)

    async def _watch_commands(self) -> None:
        commands = {"pause": self.pause, "resume": self.resume, "cancel": self.cancel}
        while True:
            try:
                await self._owner.wait_for_command(self.run_id, timeout_s=COMMANDS_EVERY_S)
            except DatabaseError:
                await self._regain()
            command = await self._transactions.run(
                lambda c: moves.take_command(c, self.run_id, owner_id=self._owner.owner_id)
            )
            if command is not None:
                commands[command]()

    async def _regain(self) -> None:
        """Hold the lock again after the database went away, if nobody else took the run."""
        until = time.monotonic() + self._patience_s
        while True:
            try:
                await self._owner.reopen()
            except DatabaseError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(COMMANDS_EVERY_S)
            else:
                return
