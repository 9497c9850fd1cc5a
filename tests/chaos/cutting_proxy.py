"""A TCP proxy before a PostgreSQL that cuts connections: at once, or in the middle of an answer."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Self


class CuttingProxy:
    """Passes connections on to a Unix socket until it is told to cut them.

    Args:
        socket: PostgreSQL's.
        moment: decides where an answer is cut.
    """

    def __init__(self, socket: Path, moment: random.Random) -> None:
        self._socket = socket
        self._moment = moment
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._half_next = False
        self._away = False
        self.port = 0
        self.cut = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut_all()
        await asyncio.gather(*self._tasks)

    def cut_all(self) -> None:
        """Reset every connection."""
        for writer in self._open:
            writer.transport.abort()
        self.cut += len(self._open) // 2

    def cut_the_next_answer(self) -> None:
        """Pass on only a part of what PostgreSQL says next, then reset that connection."""
        self._half_next = True

    async def be_away(self, for_s: float) -> None:
        """Reset every connection and every new one, for a while."""
        self._away = True
        self.cut_all()
        await asyncio.sleep(for_s)
        self._away = False

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self._away:
                writer.transport.abort()
                return
            there, back = await asyncio.open_unix_connection(self._socket)
            self._open |= {writer, back}
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._copy(reader, back, is_answer=False))
                    group.create_task(self._copy(there, writer, is_answer=True))
            finally:
                self._open -= {writer, back}
                writer.transport.abort()
                back.transport.abort()
        except* (OSError, _Cut):
            # Cut by the test, or by whoever was at one of the ends.
            pass

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        while chunk := await source.read(65536):
            if is_answer and self._half_next:
                self._half_next = False
                self.cut += 1
                # From nothing at all to all but the last byte.
                target.write(chunk[: self._moment.randrange(len(chunk))])
                await target.drain()
                raise _Cut
            target.write(chunk)
            await target.drain()
        raise _Cut


class _Cut(Exception):
    """One end is gone: so is the other."""
