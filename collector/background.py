"""Threads beside the kernel's loop, for what must go on while a cell blocks it.

All are daemons: a process that ends waits for none of them. (Those of `ThreadPoolExecutor` are
joined at exit, and one that waits for a database that is away would hold a kernel up for minutes.)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """A loop that runs on a daemon thread, started by the first call.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, running."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name=self._name, daemon=True
                )
                self._thread.start()
            return self._loop

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for what it returns. Not from that loop itself."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def close(self) -> None:
        """Cancel what still runs there and end the thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return

        async def cancel_all() -> None:
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await loop.shutdown_asyncgens()
            await loop.shutdown_default_executor()

        asyncio.run_coroutine_threadsafe(cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class BackgroundThreads:
    """Daemon threads that run functions, started as they are needed.

    Args:
        limit: how many at most.
        name: of each thread.
    """

    def __init__(self, limit: int, *, name: str) -> None:
        self._limit = limit
        self._name = name
        self._lock = threading.Lock()
        # None ends a thread.
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads = 0
        self._busy = 0
        self._closed = False

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Have `function` run on one of the threads, in its turn.

        Raises:
            RuntimeError: the threads were ended by `close`.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the threads of {self._name!r} have ended")
            self._busy += 1
            if self._threads < min(self._busy, self._limit):
                self._threads += 1
                threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        self._waiting.put((future, function))
        return future

    def close(self) -> None:
        """End the threads once they have run what was submitted."""
        with self._lock:
            self._closed = True
            for _ in range(self._threads):
                self._waiting.put(None)

    def _serve(self) -> None:
        while (taken := self._waiting.get()) is not None:
            future, function = taken
            if future.set_running_or_notify_cancel():
                try:
                    outcome = function()
                except BaseException as exc:
                    future.set_exception(exc)
                else:
                    future.set_result(outcome)
                    del outcome
            # Not kept until the next one comes: they may hold much.
            del taken, future, function
            with self._lock:
                self._busy -= 1
