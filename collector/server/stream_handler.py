"""A run's activity as server-sent events, over one HTTP connection to each reader."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import tornado.web
from jupyter_server.auth.decorator import authorized
from tornado.iostream import StreamClosedError

from collector.events import OPENING, position
from collector.server.handlers import CollectorHandler
from collector.server.open_logs import OpenLogs

if TYPE_CHECKING:
    from collector.run_tail import Viewer
    from collector.tailing import LogTailing

KEEPALIVE_S = 15.0
# A connection that takes nothing for this long is dropped; its reader can go on where it was.
WRITE_TIMEOUT_S = 30.0
# What the operating system may hold for a reader who does not read.
SEND_BUFFER_BYTES = 64 * 1024
CONTENT_TYPE = "text/event-stream; charset=utf-8"


class ActivityHandler(CollectorHandler):
    """`runs/{run_id}/activity`: the run's activity as server-sent events."""

    def initialize(self, logs: OpenLogs, **settings: Any) -> None:
        """Take what the extension hands over."""
        super().initialize(logs)
        self._keepalive_s: float = settings["keepalive_s"]
        self._write_timeout_s: float = settings["write_timeout_s"]
        self._viewer: Viewer | None = None

    @tornado.web.authenticated
    @authorized
    async def get(self, given: str) -> None:
        """Send what is kept, then what comes, until the run has ended or the reader goes."""
        after = position(
            last_event_id=self.request.headers.get("Last-Event-ID"),
            after=self.get_query_argument("after", None),
        )
        tailing = await self.log_of_source()
        run_id = await self.run_id(tailing, given)
        with self.logs.stream():
            start, told = await tailing.place(run_id, after=after)
            self._describe()
            if self.request.method == "HEAD":
                self._finish()
                return
            if self._connection.closed():
                return  # the reader did not wait for the database
            self._bound_socket()
            self._viewer = tailing.watch(run_id)
            try:
                await self._send_all(tailing, self._viewer, start=start, told=told)
            finally:
                tailing.unwatch(self._viewer)

    head = get

    def on_connection_close(self) -> None:
        """The reader has gone: so ends the stream."""
        if self._viewer is not None:
            self._viewer.close()

    async def _send_all(
        self, tailing: LogTailing, viewer: Viewer, *, start: int, told: bytes
    ) -> None:
        frames = tailing.frames(viewer, after=start, keepalive_s=self._keepalive_s)
        try:
            await self._send(OPENING + told)
            async with aclosing(frames) as chunks:
                async for chunk in chunks:
                    await self._send(chunk)
        except StreamClosedError:
            return  # the reader has gone, which is how most streams end
        except TimeoutError:
            self.log.info("A reader of %s took nothing: dropped.", self.request.path)
            self._drop()
            return
        self._finish()

    async def _send(self, chunk: bytes) -> None:
        self.write(chunk)
        # Waits until the operating system has taken it: the next chunk is not made before.
        await asyncio.wait_for(self.flush(), self._write_timeout_s)

    def _describe(self) -> None:
        self.set_header("Content-Type", CONTENT_TYPE)
        # Proxies (nginx by that name) would collect a stream before they hand it on.
        self.set_header("X-Accel-Buffering", "no")

    def _finish(self) -> None:
        self.finish(set_content_type=CONTENT_TYPE)

    @property
    def _connection(self) -> Any:
        return cast(Any, self.request.connection).stream

    def _drop(self) -> None:
        """Reset the connection: closed politely, what it never took would stay with the system."""
        at_once = struct.pack("ii", 1, 0)
        self._connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._connection.close()

    def _bound_socket(self) -> None:
        """Keep little for a reader who does not read, and notice one who vanished."""
        sock: socket.socket = self._connection.socket
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT") and sock.family != getattr(socket, "AF_UNIX", None):
            timeout_ms = int(self._write_timeout_s * 1000)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
