"""Who works on a run: a PostgreSQL session that holds an advisory lock.

When the owner's process dies PostgreSQL lets go of the lock at once; when a cell merely blocks the
loop, the lock stays. No heartbeat can be wrong. Owner ids come from a sequence, fresh at every
start, so that nobody is mistaken for a dead predecessor.

The same session listens for commands that other processes leave for the run.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg
from sqlalchemy import Connection, text

from collector.errors import DatabaseError

# The first half of the two-part lock key; "coll" in ASCII. The second is the owner id.
LOCK_CLASS = 0x636F6C6C
COMMAND_CHANNEL = "collector_commands"
UNLOCK_WITHIN_S = 2.0
REOPEN_EVERY_S = 1.0


def owner_is_alive(owner: str) -> str:
    """SQL that tells whether somebody living holds the lock of `owner`, a column or parameter."""
    # A lock of another database of the same server has the same key: only ours counts.
    return f"""EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 2
          AND classid = {LOCK_CLASS} AND objid = {owner}
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )"""  # noqa: S608 - constants of this package


# Of a run `r`: it should be running, and nobody living works on it.
INTERRUPTED = f"(r.status = 'running' AND NOT {owner_is_alive('r.owner_id')})"

_WENT_AWAY = (
    "PostgreSQL went away while a run was being taken over: once it is back, resume the run."
)
_ALIVE = text(f"SELECT {owner_is_alive(':owner_id')}")


def is_alive(conn: Connection, owner_id: int | None) -> bool:
    """Whether a living session holds that owner's lock."""
    if owner_id is None:
        return False
    return bool(conn.execute(_ALIVE, {"owner_id": owner_id}).scalar_one())


class OwnerSession:
    """A database session of its own that holds an owner's lock for as long as it lives.

    It needs a direct or session-mode connection: a transaction-mode pooler would give the lock
    to a stranger.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection | None = None
        self.owner_id = 0

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, draw a fresh owner id and lock it.

        Raises:
            DatabaseError: PostgreSQL cannot be reached.
        """
        connection = await self._connect()
        try:
            cursor = await connection.execute("SELECT nextval('collection_owner_ids')")
            self.owner_id = int((await cursor.fetchone() or (0,))[0])
        except psycopg.Error as exc:
            raise DatabaseError(_WENT_AWAY) from exc
        await self._lock(connection)

    async def reopen(self) -> None:
        """Connect again after the session was lost, as the same owner.

        Raises:
            DatabaseError: PostgreSQL cannot be reached yet, or has not noticed the loss.
        """
        await self.close()
        await self._lock(await self._connect())

    async def regain(self, *, patience_s: float) -> None:
        """Hold the lock again after the database went away, as the same owner.

        Raises:
            DatabaseError: it stayed away for longer than `patience_s` seconds.
        """
        until = time.monotonic() + patience_s
        while True:
            try:
                await self.reopen()
            except DatabaseError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(REOPEN_EVERY_S)
            else:
                return

    async def _connect(self) -> psycopg.AsyncConnection:
        try:
            connection = self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                connect_timeout=10,
                application_name="collector owner",
                # A host that vanished is noticed, and its lock released, within about a minute.
                keepalives_idle=20,
                keepalives_interval=10,
                keepalives_count=3,
            )
            await connection.execute(
                "SELECT set_config('tcp_keepalives_idle', '20', false), "
                "set_config('tcp_keepalives_interval', '10', false), "
                "set_config('tcp_keepalives_count', '3', false)"
            )
            await connection.execute(f"LISTEN {COMMAND_CHANNEL}")
        except psycopg.Error as exc:
            raise DatabaseError(
                "PostgreSQL does not answer: check that it runs and can be reached, "
                "then resume the run."
            ) from exc
        return connection

    async def _lock(self, connection: psycopg.AsyncConnection) -> None:
        try:
            cursor = await connection.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, self.owner_id)
            )
            row = await cursor.fetchone()
        except psycopg.Error as exc:
            raise DatabaseError(_WENT_AWAY) from exc
        if row is None or not row[0]:
            # Owner ids are never drawn twice: it is our own former session, of which the server
            # does not know yet that it is gone.
            raise DatabaseError("PostgreSQL still holds the session that was lost: wait a minute.")

    async def wait_for_command(self, run_id: UUID, *, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds for a sign that somebody left this run a command.

        Returns whether there was one. A lost sign does no harm: whoever calls this looks for
        the command itself after every wait.

        Raises:
            DatabaseError: the session is gone, and with it the lock.
        """
        if self._connection is None:
            raise DatabaseError("The owner's database session is closed.")
        try:
            async for notice in self._connection.notifies(timeout=timeout_s, stop_after=1):
                return notice.payload == str(run_id)
            # Notices alone do not tell that the server is gone: ask.
            await self._connection.execute("SELECT 1")
        except psycopg.Error as exc:
            raise DatabaseError("The owner's database session was cut.") from exc
        return False

    async def close(self) -> None:
        """Release the lock and end the session."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        # Ending the session releases the lock as well, but a moment after `close` has returned:
        # whoever resumed the run right then would find it owned by the dead. A session that is
        # cut already holds none.
        try:
            with suppress(psycopg.Error, TimeoutError):
                async with asyncio.timeout(UNLOCK_WITHIN_S):
                    await connection.execute("SELECT pg_advisory_unlock_all()")
        finally:
            # Also where the waiting is cancelled: a session left open would keep the lock.
            await connection.close()
