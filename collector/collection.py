"""`CollectionService`: runs from launch to end, whoever works on them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, select

from collector.activity import ActivityStreamManager, get_activity_stream
from collector.database import Database
from collector.engine import Connect, Engine
from collector.errors import IllegalMove, UsageError
from collector.execution import RunExecution
from collector.models import Category, RunOptions
from collector.progress import RunProgress
from collector.schema import collection_runs
from collector.store import items, moves, progress, runs
from collector.store.ownership import is_alive
from collector.transactions import PATIENCE_S, Transactions
from collector.words import MOVES, PauseReason, RunStatus, Source

# A command waits no longer than this for a database that went away: somebody is looking on.
COMMAND_PATIENCE_S = 10.0


class CollectionService:
    """Creates runs, works on them, and reaches those that others work on.

    Its coroutines are awaited on one loop; `start` is called on the loop that shall carry the run.

    Args:
        database: where the runs stand.
        connect: gives clients.
        source: where the answers of new runs come from.
        streams: the activity streams of this process.
        patience_s: how long a run waits for a database that went away.
    """

    def __init__(
        self,
        database: Database,
        *,
        connect: Connect,
        source: Source,
        streams: ActivityStreamManager | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._database = database
        self._connect = connect
        self._source = source
        self._streams = streams or get_activity_stream()
        self._own_transactions: Transactions | None = None
        self._executions: dict[UUID, RunExecution] = {}

    async def create(
        self,
        categories: Sequence[Category],
        *,
        name: str | None = None,
        options: RunOptions | None = None,
        budget: int | None = None,
    ) -> UUID:
        """Add a pending run over the categories and return its id.

        Raises:
            UsageError: there is no category, or the name or budget cannot be.
        """
        if not categories:
            raise UsageError("A run needs a category at least: `collector categories` lists them.")
        if budget is not None and budget < 1:
            raise UsageError("A budget is at least one request.")
        name = (name or _suggested_name(categories)).strip()
        if not 1 <= len(name) <= 200 or "\x00" in name:
            raise UsageError("A run's name has 1 to 200 characters.")
        unique = list({c.node_id: c for c in categories}.values())

        run_id = uuid4()

        def create(conn: Connection) -> UUID:
            day = runs.finished_sandbox_runs(conn) if self._source is Source.SANDBOX else None
            return runs.create(
                conn,
                name=name,
                categories=unique,
                options=options or RunOptions(),
                source=self._source,
                budget=budget,
                sandbox_day=day,
                run_id=run_id,
            )

        return await self._transactions().run(create)

    def start(
        self, run_id: UUID, *, budget: int | None = None, engine: Engine | None = None
    ) -> tuple[RunExecution, asyncio.Task[RunProgress]]:
        """Begin to work on a run, on this loop. Returns at once.

        The task ends when the run is left or has ended, and raises what `RunExecution.run` does.

        Args:
            run_id: the run.
            budget: another budget for it.
            engine: has the workers; by default this process does.
        """
        execution = RunExecution(
            self._database,
            run_id,
            stream=self._streams.stream(run_id),
            connect=self._connect,
            engine=engine,
            budget=budget,
            patience_s=self._patience_s,
        )
        task = asyncio.get_running_loop().create_task(
            execution.run(), name=f"run {str(run_id)[:8]}"
        )
        self._executions[run_id] = execution
        task.add_done_callback(lambda _: self._forget(run_id, execution))
        return execution, task

    def _forget(self, run_id: UUID, execution: RunExecution) -> None:
        if self._executions.get(run_id) is execution:
            del self._executions[run_id]

    async def command(self, run_id: UUID, command: moves.Command) -> bool:
        """Pause, resume or cancel a run that this process does not work on.

        Returns:
            Whether it is carried out (by its owner, or because it has none). False where it has
            to be carried out by whoever asked: a resume of a run that nobody owns.

        Raises:
            UnknownRun: there is no such run.
            IllegalMove: its status does not allow that.
        """

        def command_or_move(conn: Connection) -> bool:
            row = runs.get(conn, run_id, lock=True)
            status = RunStatus(row.status)
            _check_allowed(status, command)
            if is_alive(conn, row.owner_id):
                moves.leave_command(conn, run_id, command)
                return True
            if command == "resume":
                return False
            to = RunStatus.PAUSED if command == "pause" else RunStatus.CANCELLED
            told = "Paused" if command == "pause" else "Cancelled"
            reason = PauseReason.OPERATOR if command == "pause" else None
            moves.move(conn, run_id, to, reason=reason, message=f"{told} by the operator.")
            moves.recover(conn, run_id)
            return True

        return await self._transactions().run(command_or_move)

    async def pause(self, run_id: UUID) -> None:
        """Pause a run, whoever works on it. Within a second no new request leaves.

        Raises:
            UnknownRun: there is no such run.
            IllegalMove: it is not running.
        """
        await self.command(run_id, "pause")

    async def resume(self, run_id: UUID, *, budget: int | None = None) -> bool:
        """Have a paused run go on.

        Returns:
            False where nobody living owns it: `start` it.

        Raises:
            UnknownRun: there is no such run.
            IllegalMove: it has ended.
            UsageError: the budget is smaller than what was spent, or spent already.
        """
        await self.allow_resume(run_id, budget=budget)
        return await self.command(run_id, "resume")

    async def allow_resume(self, run_id: UUID, *, budget: int | None = None) -> None:
        """Check that a run can go on, and give it another budget where one is given.

        Raises:
            UnknownRun: there is no such run.
            IllegalMove: it has ended.
            UsageError: the budget is smaller than what was spent, or spent already.
        """

        def check(conn: Connection) -> None:
            row = runs.get(conn, run_id)
            _check_allowed(RunStatus(row.status), "resume")
            if budget is not None:
                runs.set_budget(conn, run_id, budget)
            elif row.budget is not None and row.requests >= row.budget:
                raise UsageError(
                    f"The budget of {row.budget} requests is spent: resume the run with a larger "
                    f"one (`collector resume {str(run_id)[:8]} --budget {2 * row.budget}`)."
                )

        await self._transactions().run(check)

    async def cancel(self, run_id: UUID) -> None:
        """Cancel a run, whoever works on it. What was found is kept.

        Raises:
            UnknownRun: there is no such run.
            IllegalMove: it has ended.
        """
        await self.command(run_id, "cancel")

    async def retry(self, run_id: UUID) -> int:
        """Put a run's failed items back and leave it paused, to be resumed.

        Returns how many items there are to send again.

        Raises:
            UnknownRun: there is no such run.
            IllegalMove: it was cancelled.
            UsageError: none of its items failed.
        """

        def retry(conn: Connection) -> int:
            row = runs.get(conn, run_id, lock=True)
            status = RunStatus(row.status)
            if status is RunStatus.CANCELLED:
                raise IllegalMove("The run was cancelled; launch another one instead.")
            back = items.retry_failed(conn, run_id)
            if not back and status is not RunStatus.FAILED:
                raise UsageError("None of the run's items failed: there is nothing to send again.")
            if status.is_final:
                moves.move(
                    conn,
                    run_id,
                    RunStatus.PAUSED,
                    reason=PauseReason.RETRY,
                    message="Its failed items are to be sent again.",
                )
                moves.recover(conn, run_id)
            return back

        return await self._transactions().run(retry)

    async def list_runs(self, *, limit: int = 100) -> list[RunProgress]:
        """How the latest runs stand, newest first."""

        def read(conn: Connection) -> list[RunProgress]:
            ids = conn.execute(
                select(collection_runs.c.id)
                .order_by(collection_runs.c.created_at.desc())
                .limit(limit)
            ).scalars()
            return [progress.read(conn, run_id) for run_id in list(ids)]

        return await self._transactions().run(read)

    async def close(self) -> None:
        """Close the service's own connections. Runs at work have theirs."""
        transactions, self._own_transactions = self._own_transactions, None
        if transactions is not None:
            await transactions.close()

    def _transactions(self) -> Transactions:
        if self._own_transactions is None:
            self._own_transactions = Transactions(
                self._database, connections=2, patience_s=COMMAND_PATIENCE_S
            )
        return self._own_transactions


def _check_allowed(status: RunStatus, command: moves.Command) -> None:
    targets: dict[str, RunStatus] = {
        "pause": RunStatus.PAUSED,
        "resume": RunStatus.RUNNING,
        "cancel": RunStatus.CANCELLED,
    }
    to: Any = targets[command]
    if status.is_final or (to is not status and to not in MOVES[status]):
        raise IllegalMove(f"The run is {status}: it cannot {command} from there.")


def _suggested_name(categories: Sequence[Category]) -> str:
    first = categories[0].name or categories[0].department
    more = len({c.node_id for c in categories}) - 1
    return f"{first} and {more} more" if more else first
