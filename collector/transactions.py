"""Transactions that wait for a database that went away, and retry what may be retried.

They run apart, on one loop of this process' own that no cell can block. A transaction that stood
still in the middle, because the loop that carries its run is busy, would keep its rows locked for
whoever keeps that loop busy: an edit made in a cell would wait for itself for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from psycopg import OperationalError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from collector.background import BackgroundLoop
from collector.errors import DatabaseError

# A restart with crash recovery takes seconds to minutes; nothing is lost by waiting this long.
PATIENCE_S = 120.0
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 3.0
# Deadlock and serialization failure: PostgreSQL asks to run the transaction again.
_RUN_AGAIN = {"40P01", "40001"}
# Administrator's shutdown, crash, starting up: the connection is gone, the server will be back.
_AWAY = ("57P", "08")
# Disk full, too many connections, read-only: until somebody makes room. (Hosted databases turn
# read-only when their disk is nearly full.)
_UNFIT = {"53100", "53300", "25006"}

_APART = BackgroundLoop("collector transactions")

T = TypeVar("T")


async def apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine on the loop of the transactions. Cancelling waits until it has ended."""
    loop = _APART.loop
    outcome: Future[T] = Future()
    tasks: list[asyncio.Task[T]] = []

    def begin() -> None:
        tasks.append(loop.create_task(coroutine))
        tasks[0].add_done_callback(tell)

    def tell(task: asyncio.Task[T]) -> None:
        if task.cancelled():
            outcome.cancel()
        elif error := task.exception():
            outcome.set_exception(error)
        else:
            outcome.set_result(task.result())

    loop.call_soon_threadsafe(begin)
    waiting = asyncio.wrap_future(outcome)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        loop.call_soon_threadsafe(lambda: tasks[0].cancel())
        await asyncio.wait({waiting})
        if not waiting.cancelled():
            # Looked at, for asyncio complains otherwise: whoever cancelled has its own reason.
            waiting.exception()
        raise


class Transactions:
    """Runs functions over a connection, each in a transaction of its own.

    A function may be run more than once: where the connection broke during the commit nobody
    knows whether it went through. Functions that must not count twice check that themselves.

    Args:
        engine: used and disposed of `apart` alone.
        patience_s: how long to wait for a database that went away.
    """

    def __init__(self, engine: AsyncEngine, *, patience_s: float = PATIENCE_S) -> None:
        self._engine = engine
        self._patience_s = patience_s

    async def run(self, function: Callable[[Connection], T]) -> T:
        """Run `function` in a transaction and return what it returns.

        Raises:
            DatabaseError: the database stayed away.
        """
        return await apart(self._run(function))

    async def _run(self, function: Callable[[Connection], T]) -> T:
        until = time.monotonic() + self._patience_s
        wait_s = FIRST_WAIT_S
        while True:
            try:
                async with self._engine.begin() as conn:
                    return await conn.run_sync(function)
            except (DBAPIError, OperationalError, OSError) as exc:
                if not may_pass(exc):
                    raise
                if time.monotonic() > until:
                    raise DatabaseError(
                        "PostgreSQL has been away for too long. Nothing that was found is lost: "
                        "start it again, then resume the run."
                    ) from exc
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)


def may_pass(exc: Exception) -> bool:
    """Whether the same transaction may work later."""
    if not isinstance(exc, DBAPIError):
        return True
    if exc.connection_invalidated or isinstance(exc.orig, OSError):
        return True
    state = getattr(exc.orig, "sqlstate", None)
    if state is None:
        # No answer from the server at all: it could not be reached.
        return isinstance(exc.orig, OperationalError)
    return state in _RUN_AGAIN or state.startswith(_AWAY) or state in _UNFIT
