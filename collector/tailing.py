"""Follows the activity log of one database for any number of viewers.

One LISTEN connection serves all of them; each run that is watched is read once, however many watch
it, and its newest entries are kept framed. Whoever falls further behind, or came to see all of it,
reads pages of the log at their own pace. So nothing is lost to a slow viewer, nobody waits for
one, and memory is bounded: a window a run and a page a viewer.

Notices only wake. What they announce is looked for once a second anyway, so that a lost notice or
a broken LISTEN connection costs a second and no entry.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from collector.connections import Database
from collector.errors import DatabaseError
from collector.events import KEEPALIVE, LoggedEntry, end_frame, frames_after, gap_frame
from collector.refusals import explain
from collector.run_tail import RunTail, Viewer
from collector.store import activity_log
from collector.words import RunStatus

POLL_S = 1.0
PAGE_ENTRIES = 200
PAGE_BYTES = 256 * 1024
# Small enough that the slowest reader worth serving takes one within a write timeout.
CHUNK_BYTES = 64 * 1024
NEWCOMERS_ENTRIES = 100
# Connections: for the looks at watched runs, and for whoever reads pages.
LOOKS_AT_ONCE, PAGES_AT_ONCE = 2, 4

T = TypeVar("T")


class LogTailing:
    """The log of one database, followed as long as somebody watches. All on one event loop.

    Args:
        database: opened.
        log: told once when the database goes away, and when it is back.
    """

    def __init__(self, database: Database, *, log: logging.Logger) -> None:
        self.database = database
        self._log = log
        self._engine = database.async_engine(pool_size=LOOKS_AT_ONCE + PAGES_AT_ONCE)
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._pages = asyncio.Semaphore(PAGES_AT_ONCE)
        self._tails: dict[UUID, tuple[RunTail, asyncio.Task[None]]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_away = False

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run `function` over a connection, when it is its turn.

        Raises:
            DatabaseError: PostgreSQL does not answer.
        """
        async with self._pages:
            return await self._run(function)

    async def place(self, run_id: UUID, *, after: int | None) -> tuple[int, bytes]:
        """Where a reader begins, and what to tell them first.

        A newcomer (None) gets the newest 100 entries. An id that the run has not reached is of
        another run or of a log that is gone: such a reader begins like a newcomer and is told of
        everything before that as a gap, so that they know what they do not have.
        """

        def read(conn: Connection) -> tuple[int, bytes]:
            if after is not None and after <= activity_log.last_id(conn, run_id):
                return after, b""
            start = activity_log.before_latest(conn, run_id, count=NEWCOMERS_ENTRIES)
            return start, b"" if after is None else gap_frame(start, last_id=start)

        return await self.read(read)

    def watch(self, run_id: UUID) -> Viewer:
        """Begin to watch a run; `unwatch` has to follow."""
        if run_id not in self._tails or self._tails[run_id][1].done():
            tail = RunTail(run_id)
            self._tails[run_id] = tail, self._spawn(self._keep_up(tail), name=f"tail {run_id}")
        if self._listening is None or self._listening.done():
            self._listening = self._spawn(self._listen(), name="activity notices")
        viewer = Viewer(self._tails[run_id][0])
        viewer.tail.viewers.add(viewer)
        return viewer

    def unwatch(self, viewer: Viewer) -> None:
        """Watch no more. What nobody watches is not read, nor listened for."""
        viewer.close()
        tail = viewer.tail
        tail.viewers.discard(viewer)
        kept, task = self._tails.get(tail.run_id, (None, None))
        if kept is tail and task is not None and not tail.viewers:
            task.cancel()
            del self._tails[tail.run_id]
        if not self._tails and self._listening is not None:
            self._listening.cancel()
            self._listening = None

    async def frames(
        self, viewer: Viewer, *, after: int, keepalive_s: float
    ) -> AsyncGenerator[bytes]:
        """The stream from that id on, in chunks, until the run's end or the viewer's.

        The next chunk is made when it is asked for: a slow reader is never written ahead of.
        """
        tail = viewer.tail
        told_at = time.monotonic()
        while not viewer.closed:
            viewer.wake.clear()
            # Asked before the entries: of an ended run all of them are there.
            final = tail.final
            entries, wait_s = tail.since(after), keepalive_s
            if entries is None:
                try:
                    entries = await self._page(tail.run_id, after)
                except DatabaseError:
                    # Whoever keeps the tail up tells it; this viewer tries again soon.
                    entries, final, wait_s = [], None, POLL_S
            if entries:
                frames, after = frames_after(entries, after=after)
                joined = b"".join(frames)
                for start in range(0, len(joined), CHUNK_BYTES):
                    yield joined[start : start + CHUNK_BYTES]
                told_at = time.monotonic()
                continue
            if final is not None:
                yield end_frame(final)
                return
            until_keepalive_s = max(0.0, told_at + keepalive_s - time.monotonic())
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, until_keepalive_s)):
                    await viewer.wake.wait()
            if time.monotonic() - told_at >= keepalive_s and not viewer.closed:
                yield KEEPALIVE
                told_at = time.monotonic()

    async def close(self) -> None:
        """End every stream and let go of the database."""
        self._close_viewers()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._engine.dispose()

    async def _page(self, run_id: UUID, after: int) -> list[LoggedEntry]:
        rows = await self.read(
            lambda conn: activity_log.page(
                conn, run_id, after=after, limit=PAGE_ENTRIES, max_bytes=PAGE_BYTES
            )
        )
        return [LoggedEntry.of(*row) for row in rows]

    async def _keep_up(self, tail: RunTail) -> None:
        while True:
            await tail.stale.wait()
            tail.stale.clear()
            try:
                async with self._looks:
                    while not await self._look(tail):
                        pass
            except DatabaseError as exc:
                if not self._is_away:
                    self._log.warning("Streams stand still: %s", exc)
                self._is_away = True
            else:
                if self._is_away:
                    self._log.warning("PostgreSQL is back; streams go on.")
                self._is_away = False

    async def _look(self, tail: RunTail) -> bool:
        """Take over what has come; returns whether that was all."""

        def read(conn: Connection) -> tuple[RunStatus | None, int, list[tuple[int, str, str]]]:
            final = activity_log.ended(conn, tail.run_id)
            last = tail.last_id
            if last is None:
                last = activity_log.last_id(conn, tail.run_id)
            rows = activity_log.page(
                conn, tail.run_id, after=last, limit=PAGE_ENTRIES, max_bytes=PAGE_BYTES
            )
            return final, last, rows

        final, last, rows = await self._run(read)
        if tail.last_id is None:
            tail.start(last)
        entries = [LoggedEntry.of(*row) for row in rows]
        tail.add(entries)
        is_all = len(entries) < PAGE_ENTRIES and sum(len(e.frame) for e in entries) < PAGE_BYTES
        tail.final = final if is_all else None
        if entries or tail.final is not None:
            tail.wake()
        return is_all

    async def _run(self, function: Callable[[Connection], T]) -> T:
        try:
            async with self._engine.connect() as conn:
                return await conn.run_sync(function)
        except (DBAPIError, psycopg.Error) as exc:
            original = exc.orig if isinstance(exc, DBAPIError) else exc
            if self.database.is_embedded and isinstance(original, psycopg.OperationalError):
                raise DatabaseError(
                    "The PostgreSQL that comes along does not answer: where it was stopped, "
                    "`collector runs` starts it again."
                ) from exc
            raise explain(exc, self.database) from exc
        except OSError as exc:
            raise DatabaseError(f"PostgreSQL does not answer ({exc.strerror}): try again.") from exc

    async def _listen(self) -> None:
        while True:
            with suppress(psycopg.Error, OSError):
                # A host that cannot be reached is told by whoever looks into the log.
                await self._listen_while_connected()
            self._mark_all()
            await asyncio.sleep(POLL_S)

    async def _listen_while_connected(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self.database.conninfo(), autocommit=True, application_name="collector listener"
        ) as connection:
            await connection.execute(f"LISTEN {activity_log.ACTIVITY_CHANNEL}")
            while True:
                self._mark_all()
                async for notice in connection.notifies(timeout=POLL_S):
                    self._mark(notice.payload)
                # Silence alone does not tell that the server is gone: ask.
                await connection.execute("SELECT 1")

    def _mark(self, payload: str) -> None:
        # Anybody who may connect to the database can send any text.
        with suppress(ValueError):
            watched = self._tails.get(UUID(payload))
            if watched is not None:
                watched[0].stale.set()

    def _mark_all(self) -> None:
        for tail, _ in self._tails.values():
            tail.stale.set()

    def _spawn(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._log.error("%s ended: its streams are closed.", task.get_name(), exc_info=exc)
            self._close_viewers()

    def _close_viewers(self) -> None:
        for tail, _ in self._tails.values():
            for viewer in tail.viewers:
                viewer.close()
