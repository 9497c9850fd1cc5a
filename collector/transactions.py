"""Transactions that wait for a database that went away, and retry what may be retried.

They run on threads of their own that no cell can block. A transaction that stood still in the
middle, because the loop that carries its run is busy, would keep its rows locked for whoever keeps
that loop busy: an edit made in a cell would wait for itself for ever. Threads and the synchronous
driver also cost half of what its asynchronous twin does (measured: 4 ms of CPU an item against
8, 10 ms of waiting against 20).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from psycopg import OperationalError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from collector.background import BackgroundThreads
from collector.connections import Database
from collector.errors import DatabaseError

# A restart with crash recovery takes seconds to minutes; nothing is lost by waiting this long.
PATIENCE_S = 120.0
# They take milliseconds: all workers of a run share these, and a server's limit is kept.
MOST_CONNECTIONS = 8
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 3.0
# Deadlock and serialization failure: PostgreSQL asks to run the transaction again.
_RUN_AGAIN = {"40P01", "40001"}
# Administrator's shutdown, crash, starting up: the connection is gone, the server will be back.
_AWAY = ("57P", "08")
# Disk full, too many connections, read-only: until somebody makes room. (Hosted databases turn
# read-only when their disk is nearly full.)
_UNFIT = {"53100", "53300", "25006"}

T = TypeVar("T")


class Transactions:
    """Runs functions over a connection, each in a transaction of its own, on threads of its own.

    A function may be run more than once: where the connection broke during the commit nobody
    knows whether it went through. Functions that must not count twice check that themselves.

    Args:
        database: where to.
        connections: how many transactions may be under way at once.
        patience_s: how long to wait for a database that went away.
    """

    def __init__(
        self, database: Database, *, connections: int, patience_s: float = PATIENCE_S
    ) -> None:
        self._engine = database.engine_for(connections)
        # The same connections, of which each statement is a transaction.
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._threads = BackgroundThreads(connections, name="collector transactions")
        self._patience_s = patience_s

    async def run(self, function: Callable[[Connection], T], *, single: bool = False) -> T:
        """Run `function` in a transaction and return what it returns.

        Cancelling waits until what is under way has ended.

        Args:
            function: what to do.
            single: each of its statements is to be a transaction by itself. Where there is but
                one, that saves two of three round trips.

        Raises:
            DatabaseError: the database stayed away.
        """
        given_up = threading.Event()
        return await self._aside(lambda: self._until_it_works(function, single, given_up), given_up)

    async def run_once(self, function: Callable[[Connection], T], *, single: bool = False) -> T:
        """Run `function` in a transaction, without a second try. Arguments as `run` has them.

        Raises:
            DBAPIError: it failed; `may_pass` tells whether it may work later.
            OSError: likewise.
        """
        return await self._aside(lambda: self._transaction(function, single), threading.Event())

    async def close(self) -> None:
        """Close the connections and end the threads."""
        try:
            await self._aside(self._engine.dispose, threading.Event())
        finally:
            self._threads.close()

    async def _aside(self, call: Callable[[], T], given_up: threading.Event) -> T:
        waiting = asyncio.wrap_future(self._threads.submit(call))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            given_up.set()
            await asyncio.wait({waiting})
            if not waiting.cancelled():
                # Looked at, for asyncio complains otherwise: whoever cancelled has its own reason.
                waiting.exception()
            raise

    def _transaction(self, function: Callable[[Connection], T], single: bool) -> T:
        with self._single.connect() if single else self._engine.begin() as conn:
            return function(conn)

    def _until_it_works(
        self, function: Callable[[Connection], T], single: bool, given_up: threading.Event
    ) -> T:
        until = time.monotonic() + self._patience_s
        wait_s = FIRST_WAIT_S
        while True:
            try:
                return self._transaction(function, single)
            except (DBAPIError, OperationalError, OSError) as exc:
                if not may_pass(exc) or given_up.is_set():
                    raise
                if time.monotonic() > until:
                    raise DatabaseError(
                        "PostgreSQL has been away for too long. Nothing that was found is lost: "
                        "start it again, then resume the run."
                    ) from exc
            given_up.wait(wait_s)
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
