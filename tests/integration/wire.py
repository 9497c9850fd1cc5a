"""PostgreSQL servers and poolers of which there is none at hand, as they look on the wire.

`Pooler` stands before a real server and lends its connections by transaction or by session.
`answering` is a server that only introduces itself. Message formats: PostgreSQL's documentation,
"Frontend/Backend Protocol".
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SSL_REQUEST, GSS_REQUEST = 80_877_103, 80_877_104


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve each connection in a thread of its own; the port it listens on."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def serve_one(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            connections.append(connection)
            threads.append(threading.Thread(target=serve_one, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    acceptor.join()
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()


@contextmanager
def answering(*, version: str, encoding: str = "UTF8") -> Iterator[int]:
    """A server that lets everybody in, says its version, and has nothing more to say."""

    def serve(client: socket.socket) -> None:
        read_startup(client)
        client.sendall(_message(b"R", struct.pack("!i", 0)))
        for name, value in (
            ("server_version", version),
            ("server_encoding", encoding),
            ("client_encoding", "UTF8"),
        ):
            client.sendall(_message(b"S", f"{name}\0{value}\0".encode()))
        client.sendall(_message(b"K", struct.pack("!ii", 1, 1)) + _message(b"Z", b"I"))
        client.recv(1)

    with listening(serve) as port:
        yield port


@contextmanager
def pooling(socket_path: Path, *, by_transaction: bool) -> Iterator[int]:
    """A pooler before the server at `socket_path`; the port it listens on."""
    pool = _Pool(socket_path)

    def serve(client: socket.socket) -> None:
        startup = read_startup(client)
        lent, greeting = pool.lend(startup)
        client.sendall(greeting)
        kept: socket.socket | None = lent
        if by_transaction:
            pool.take_back(lent, greeting)
            kept = None
        while True:
            kind, message = read_message(client)
            if kind == b"X":
                break
            if kept is None:
                kept, greeting = pool.lend(startup)
            kept.sendall(message)
            if kind not in (b"Q", b"S"):
                continue
            answer_kind = b""
            while answer_kind != b"Z":
                answer_kind, answer = read_message(kept)
                client.sendall(answer)
            if by_transaction and answer.endswith(b"I"):
                pool.take_back(kept, greeting)
                kept = None
        if kept is not None:
            kept.close()

    with listening(serve) as port:
        yield port
    pool.close()


class _Pool:
    """Connections to the server, the latest returned lent first, as PgBouncer does."""

    def __init__(self, socket_path: Path) -> None:
        self._path = str(socket_path)
        self._idle: list[tuple[socket.socket, bytes]] = []
        self._lock = threading.Lock()

    def lend(self, startup: bytes) -> tuple[socket.socket, bytes]:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._path)
        server.sendall(startup)
        greeting, kind = b"", b""
        while kind != b"Z":
            kind, message = read_message(server)
            greeting += message
        return server, greeting

    def take_back(self, server: socket.socket, greeting: bytes) -> None:
        with self._lock:
            self._idle.append((server, greeting))

    def close(self) -> None:
        for server, _ in self._idle:
            server.close()


def read_startup(client: socket.socket) -> bytes:
    """The startup message; encryption is declined first, where it is asked for."""
    while True:
        size = _read(client, 4)
        rest = _read(client, struct.unpack("!i", size)[0] - 4)
        if struct.unpack("!i", rest[:4])[0] not in (SSL_REQUEST, GSS_REQUEST):
            return size + rest
        client.sendall(b"N")


def read_message(source: socket.socket) -> tuple[bytes, bytes]:
    """The kind of the next message, and all of it."""
    head = _read(source, 5)
    return head[:1], head + _read(source, struct.unpack("!i", head[1:])[0] - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _read(source: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        more = source.recv(size - len(got))
        if not more:
            raise ConnectionResetError
        got += more
    return got
