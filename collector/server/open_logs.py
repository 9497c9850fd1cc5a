"""The logs that this server follows: opened when somebody first asks, one a source of data."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from collector.errors import DatabaseError, TooManyStreams
from collector.settings import Settings
from collector.words import Source

if TYPE_CHECKING:
    from collector.tailing import LogTailing


class OpenLogs:
    """What the handlers share, on the server's event loop.

    Args:
        log: Jupyter's.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._opened: dict[Source, LogTailing] = {}
        self._opening = asyncio.Lock()
        self._streams = 0
        self._closed = False

    @cached_property
    def settings(self) -> Settings:
        """The environment, read when somebody first asks.

        Raises:
            SettingsError: it holds something unusable.
        """
        return Settings.read()

    async def get(self, source: Source | None) -> LogTailing:
        """The log of a source's database, which is found or started at the first call.

        Raises:
            SettingsError: the environment holds something unusable.
            DatabaseError: PostgreSQL cannot be reached or started; the next call tries again.
        """
        source = self.settings.source if source is None else source
        async with self._opening:
            if self._closed:
                raise DatabaseError("This server is stopping: ask again once it is back.")
            if source not in self._opened:
                # It waits for processes, locks and networks; Jupyter's loop must not.
                opened = await asyncio.to_thread(self._open, source)
                self._opened[source] = opened
            return self._opened[source]

    def _open(self, source: Source) -> LogTailing:
        # Imported here: Jupyter starts a third of a second sooner.
        from collector.database import open_database
        from collector.tailing import LogTailing

        return LogTailing(open_database(self.settings, source=source), log=self._log)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count a stream as open.

        Raises:
            TooManyStreams: as many are open as may be.
        """
        most = self.settings.collector_streams
        if self._streams >= most:
            raise TooManyStreams(
                f"{most} activity streams are open on this server: close one and try again, or "
                "raise COLLECTOR_STREAMS."
            )
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    async def close(self) -> None:
        """End every stream and let go of the databases."""
        # One that is being opened just now is not waited for: it may take minutes.
        self._closed = True
        for tailing in self._opened.values():
            await tailing.close()
        self._opened.clear()
