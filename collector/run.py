"""`Run`: a run in the operator's hands, whether this process works on it or another does."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Generator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from uuid import UUID

from collector.activity import Subscription, get_activity_stream
from collector.background import BackgroundLoop
from collector.blocking import wait_nested
from collector.collection import CollectionService
from collector.database import Database
from collector.engine import Engine
from collector.errors import IllegalMove, RunInProgress
from collector.execution import RunExecution
from collector.follower import Follower
from collector.models import ActivityEntry
from collector.progress import RunProgress

if TYPE_CHECKING:
    from collector.panel.live import LivePanel

SHORT_ID_CHARACTERS = 8


class Run:
    """One run: how it stands, what it does, and the commands it takes.

    As the last expression of a cell it shows its panel. `await run` waits until it is paused or
    has ended; `run.wait()` does the same for code that cannot await. Nobody has to do either.

    Args:
        run_id: the run.
        database: where it stands.
        service: carries commands out.
        background: the loop for what must not depend on the kernel's.
        loop: the loop to work on it on, should this process do so.

    Attributes:
        id: the run's id.
        engine: has its workers, should this process work on it again; None: this process.
    """

    def __init__(
        self,
        run_id: UUID,
        *,
        database: Database,
        service: CollectionService,
        background: BackgroundLoop,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.id = run_id
        self.engine: Engine | None = None
        self._database = database
        self._service = service
        self._background = background
        self._loop = loop
        self._context = contextvars.copy_context()
        self._stream = get_activity_stream().stream(run_id)
        self._lock = threading.Lock()
        self._execution: RunExecution | None = None
        self._task: asyncio.Task[RunProgress] | None = None
        self._following: Future[Follower] | None = None
        self._watching = True
        self._follower = self._new_follower()
        # First of all what the database says: `progress` never does I/O.
        background.call(self._follower.begin())

    @property
    def short_id(self) -> str:
        """The beginning of the id, enough to name the run to `attach` or a terminal."""
        return str(self.id)[:SHORT_ID_CHARACTERS]

    @property
    def name(self) -> str:
        """The run's name."""
        return self.progress().name

    @property
    def is_current(self) -> bool:
        """Whether this process works on the run, or watches it; not once it was seen to end."""
        return self._own() is not None or self._follower.is_watching

    def progress(self) -> RunProgress:
        """How the run stands, as far as this process knows. Does no I/O."""
        with self._lock:
            own = self._execution.progress() if self._execution is not None else None
            return own or self._follower.progress()

    def subscribe(self, after: int | None = None) -> Subscription:
        """Receive the run's entries: the latest 100, then what comes."""
        return self._stream.subscribe(after=after)

    async def activity(self, after: int | None = None) -> AsyncIterator[ActivityEntry]:
        """The run's entries as they come, until it has ended."""
        subscription = self.subscribe(after)
        try:
            async for entry in subscription:
                yield entry
        finally:
            subscription.close()

    def pause(self) -> None:
        """Begin no new request. What is in flight finishes and is kept. Returns at once.

        Raises:
            IllegalMove: the run has ended.
        """
        execution = self._own()
        if execution is None:
            self._background.call(self._service.pause(self.id))
        else:
            self._refuse_if_ended()
            self._call_soon(execution.pause)

    def resume(self, *, budget: int | None = None) -> None:
        """Go on after a pause or an interruption, with another budget where one is given.

        A run that nobody works on any more is worked on here. Returns at once.

        Raises:
            IllegalMove: the run has ended.
            UsageError: the budget is spent, or smaller than what was spent.
        """
        execution = self._own()
        if execution is not None:
            self._background.call(self._service.allow_resume(self.id, budget=budget))
            self._call_soon(execution.resume)
        elif self._background.call(self._service.resume(self.id, budget=budget)):
            self._follower.expect_change()
        else:
            self._work_here()

    def cancel(self) -> None:
        """End the run. What is in flight finishes and is kept. Returns at once.

        Raises:
            IllegalMove: the run has ended.
        """
        execution = self._own()
        if execution is None:
            self._background.call(self._service.cancel(self.id))
            self._follower.expect_change()
        else:
            self._refuse_if_ended()
            self._call_soon(execution.cancel)

    def retry(self) -> None:
        """Send the run's failed items again. Returns at once.

        Raises:
            IllegalMove: the run was cancelled.
            UsageError: none of its items failed.
        """
        self._background.call(self._service.retry(self.id))
        if self._own() is None:
            self.resume()

    async def leave(self) -> RunProgress:
        """Stop working on the run so that it can be resumed anywhere.

        Returns how it stands once what was in flight has finished.
        """
        execution = self._own()
        if execution is not None:
            self._call_soon(execution.stop)
            await self._until(self._end_there())
        return self.progress()

    async def rest(self) -> RunProgress:
        """Wait until the run is paused, is interrupted, or has ended.

        Raises:
            CollectorError: what made this process drop the run.
        """
        return await self._until(self._rest_there())

    def __await__(self) -> Generator[Any, None, RunProgress]:
        return self.rest().__await__()

    def wait(self, timeout_s: float | None = None) -> RunProgress:
        """Block until the run is paused or has ended, from code that cannot await.

        Args:
            timeout_s: seconds after which to give up waiting; the run goes on.

        Raises:
            TimeoutError: it did not end in time.
            KeyboardInterrupt: somebody interrupted the waiting; the run goes on.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            rested: RunProgress = self._submit(self._rest_there()).result(timeout_s)
            return rested
        told = (
            f"The waiting has ended, the run goes on. Pause it by `run.pause()`; have it again by "
            f"`bench.attach({self.short_id!r})`."
        )
        return wait_nested(self.rest(), loop=loop, timeout_s=timeout_s, if_interrupted=told)

    def panel(self) -> LivePanel:
        """The run's live panel; any number of them show the same."""
        from collector.panel.live import LivePanel, RunControls

        controls = RunControls(
            pause=self.pause, resume=self.resume, cancel=self.cancel, retry=self.retry
        )
        return LivePanel(self, controls, loop=self._loop)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.panel())  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return f"<Run {self.short_id} {self.progress().status}>"

    def close(self) -> None:
        """Stop watching the run. One that is worked on here is left as soon as its loop turns."""
        self._watching = False
        execution = self._own()
        if execution is not None and not self._loop.is_closed():
            self._call_soon(execution.stop)
        self._follower.close()

    def _new_follower(self) -> Follower:
        return Follower(self._database, self.id, stream=self._stream, background=self._background)

    def _own(self) -> RunExecution | None:
        with self._lock:
            working = self._task is not None and not self._task.done()
            return self._execution if working else None

    def _refuse_if_ended(self) -> None:
        status = self.progress().status
        if status.is_final:
            raise IllegalMove(f"The run is {status} already.")

    def _call_soon(self, function: Any, *args: Any) -> None:
        # Widget messages may be delivered on any thread: only this is safe from all of them.
        self._loop.call_soon_threadsafe(function, *args, context=self._context)

    def _work_here(self) -> None:
        """Begin to work on the run, on its loop. Returns once it has begun."""
        self._follower.close()

        def start() -> None:
            with self._lock:
                self._execution, self._task = self._service.start(self.id, engine=self.engine)
            self._task.add_done_callback(self._worked)

        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            start()
        else:
            started: Future[None] = Future()

            def start_and_tell() -> None:
                try:
                    start()
                except BaseException as exc:
                    started.set_exception(exc)
                else:
                    started.set_result(None)

            self._call_soon(start_and_tell)
            started.result(timeout=60)

    def _worked(self, task: asyncio.Task[RunProgress]) -> None:
        """This process works on the run no more: from now on it watches what becomes of it."""
        follower = self._new_follower()

        async def follow() -> Follower:
            await follower.begin()
            with self._lock:
                self._follower, self._execution = follower, None
            return follower

        # Also of one that ended: its failed items may be sent again by somebody else.
        if not task.cancelled() and self._watching:
            # Looked at, for asyncio complains otherwise; whoever waits for the run is told.
            task.exception()
            self._following = asyncio.run_coroutine_threadsafe(follow(), self._background.loop)

    def _submit(self, coroutine: Any) -> Future[Any]:
        """Run a coroutine where the run's own things live."""
        own = self._execution is not None
        return asyncio.run_coroutine_threadsafe(
            coroutine, self._loop if own else self._background.loop
        )

    async def _until(self, coroutine: Any) -> RunProgress:
        # Interrupting whoever waits here ends the waiting, never the run.
        result: RunProgress = await asyncio.wrap_future(self._submit(coroutine))
        return result

    async def _end_there(self) -> RunProgress:
        if self._task is not None:
            await asyncio.wait({self._task})
        return self.progress()

    async def _rest_there(self) -> RunProgress:
        if self._execution is None or self._task is None:
            return await self._follower.rest()
        rest = asyncio.ensure_future(self._execution.rest())
        done, _ = await asyncio.wait({rest, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task not in done:
            return await rest or self.progress()
        rest.cancel()
        try:
            return self._task.result()
        except RunInProgress:
            if self._following is None:
                raise
        # Of two who resumed it at once the other was faster: the run is watched like any other's.
        follower = await asyncio.wrap_future(self._following)
        resting = asyncio.run_coroutine_threadsafe(follower.rest(), self._background.loop)
        return await asyncio.wrap_future(resting)
