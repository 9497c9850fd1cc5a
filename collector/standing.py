"""How one run stands: moved by its owner, counted by its tracker, told to its viewers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Connection

from collector.activity import ActivityStream
from collector.activity_writer import ActivityWriter
from collector.errors import CollectorError
from collector.models import ActivityEntry
from collector.progress import RunProgress
from collector.runner import RunEnd
from collector.store import items, moves, progress
from collector.store.items import ItemsLeft
from collector.tracker import Tracker
from collector.transactions import Transactions
from collector.words import Action, PauseReason, RunStatus

_PAUSES = {
    PauseReason.OPERATOR: "Paused by the operator.",
    PauseReason.FAILURES: "Paused: five items in a row failed, the last with: {}",
    PauseReason.CREDENTIALS: "Paused: {}",
    PauseReason.BUDGET: "Paused: {}",
    PauseReason.RETRY: "Paused: its failed items are to be sent again.",
}


def pause_message(reason: PauseReason, detail: str) -> str:
    """Why a run is paused, in one line for people."""
    return _PAUSES[reason].format(detail)


class RunStanding:
    """The standing of a run that this process owns. Its coroutines take turns by `turn`.

    Args:
        run_id: the run.
        owner_id: this process, as the run's owner.
        transactions: reach its database.
        stream: its activity.
        writer: keeps its activity.
        tracker: what is known of it.
    """

    def __init__(
        self,
        run_id: UUID,
        *,
        owner_id: int,
        transactions: Transactions,
        stream: ActivityStream,
        writer: ActivityWriter,
        tracker: Tracker,
    ) -> None:
        self.turn = asyncio.Lock()
        self._run_id = run_id
        self._owner_id = owner_id
        self._transactions = transactions
        self._stream = stream
        self._writer = writer
        self._tracker = tracker
        self._moves = 0

    def progress(self) -> RunProgress:
        """How the run stands, as far as this process knows."""
        return self._tracker.progress()

    @property
    def status(self) -> RunStatus:
        """The run's status."""
        return self.progress().status

    def publish(self, entry: ActivityEntry) -> None:
        """Tell viewers, and have it kept."""
        entry = self._stream.publish(entry)
        self._tracker.apply(entry)
        self._writer.offer(entry)

    def tell(
        self,
        action: Action,
        message: str,
        *,
        reason: str | None = None,
        error_type: str | None = None,
        error_stage: str | None = None,
    ) -> None:
        """Publish an entry about the run as a whole."""
        self.publish(
            ActivityEntry(
                action=action,
                error_message=message,
                error_type=error_type,
                error_stage=error_stage,
                params={"reason": reason} if reason else None,
            )
        )

    async def refresh(self) -> None:
        """Take over what the database says of the run now."""
        moved = self._moves
        shown = await self._transactions.run(lambda c: progress.read(c, self._run_id))
        # Read before a move that is known by now, it would turn the status back.
        if moved == self._moves:
            self._tracker.rebase(shown)

    async def move(
        self,
        to: RunStatus,
        *,
        reason: PauseReason | None = None,
        message: str = "",
        check: Callable[[Connection, UUID], None] | None = None,
    ) -> None:
        """Move the run; `check` may refuse in the same transaction.

        Raises:
            IllegalMove: the run's status does not allow that.
            OwnershipLost: somebody else owns the run by now.
        """

        def move(conn: Connection) -> RunProgress:
            moves.move(
                conn, self._run_id, to, reason=reason, message=message, owner_id=self._owner_id
            )
            if check is not None:
                # The run's row is locked by now: nobody puts items back any more.
                check(conn, self._run_id)
            return progress.read(conn, self._run_id)

        shown = await self._transactions.run(move)
        self._moves += 1
        self._tracker.rebase(shown)

    async def conclude(self, end: RunEnd) -> bool:
        """Keep how the workers ended; False where they are needed again."""
        async with self.turn:
            await self.refresh()
            if end is RunEnd.STOPPED:
                if self.status is RunStatus.RUNNING:
                    await self._leave("Left by the process that worked on it.")
                return True
            if end is RunEnd.CANCELLED:
                await self.move(RunStatus.CANCELLED, message="Cancelled by the operator.")
                self.tell(Action.CANCELLED, "Cancelled. What was found is kept.")
                return True
            if self.status is RunStatus.PAUSED:
                await self.move(RunStatus.RUNNING)
            if await self._brought_nothing():
                return True
            try:
                await self.move(RunStatus.COMPLETED, check=items.require_exhausted)
            except ItemsLeft:
                # Failed items were put back after the workers had found nothing to claim.
                return False
            shown = self.progress()
            self.tell(
                Action.COMPLETE,
                f"{shown.sellers_new} new of {shown.sellers_found} sellers found, "
                f"{shown.requests} requests, {shown.failed_items} failed items.",
            )
            return True

    async def _brought_nothing(self) -> bool:
        """Pause a run in which not one item succeeded: few items make no streak of failures."""
        shown = self.progress()
        if not shown.failed_items or shown.lists_done or shown.products_total:
            return False
        last = shown.errors[0].last_message if shown.errors else "unknown"
        message = f"Paused: not one request brought an answer. The last error: {last}"
        await self.move(RunStatus.PAUSED, reason=PauseReason.FAILURES, message=message)
        await self._transactions.run(lambda c: items.retry_failed(c, self._run_id))
        await self.refresh()
        self.tell(Action.PAUSED, message, reason=PauseReason.FAILURES.value)
        return True

    async def leave(self, message: str) -> None:
        """Pause the run, if it runs, so that it can be resumed anywhere."""
        async with self.turn:
            if self.status is RunStatus.RUNNING:
                await self._leave(message)

    async def _leave(self, message: str) -> None:
        await self.move(RunStatus.PAUSED, reason=PauseReason.OPERATOR, message=message)
        self.tell(Action.PAUSED, message, reason=PauseReason.OPERATOR.value)

    async def give_up(self, exc: Exception) -> None:
        """A fault of ours: the run says so, and its items can be sent again."""
        known = isinstance(exc, CollectorError)
        message = f"Failed: {exc if known else f'{type(exc).__name__}: {exc}'}"[:1000]
        async with self.turn:
            if self.status is RunStatus.PAUSED:
                await self.move(RunStatus.RUNNING)
            await self.move(RunStatus.FAILED, message=message)
            self.tell(Action.ERROR, message, error_type=type(exc).__name__, error_stage="run")
            self._stream.end(RunStatus.FAILED)
