"""The sandbox's HTTP server: the realtime endpoint, and a few addresses that tell on it.

    POST /v1/queries (or /)      as the Oxylabs documentation has it
    GET  /_sandbox/health        {"status": "ok", …}
    GET  /_sandbox/requests      what it was asked, oldest first; ?after=N for the rest of them
    GET  /_sandbox/truth         what a run must find; ?day=N&nodes=A,B&low=1.8&high=2.2&pages=3
    POST /_sandbox/reset         clears the log

It listens on loopback alone and marks every answer, so that nobody takes it for the real one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web

from collector.errors import SandboxError
from collector.sandbox.answers import Answers, InventedAnswers, envelope, results
from collector.sandbox.asked import Asked, BadBody, read_body
from collector.sandbox.categories import department_of
from collector.sandbox.chance import log_normal
from collector.sandbox.faults import BILLED, FaultDraw
from collector.sandbox.handlers import MARK, Insight, NoSuchAddress, Sandbox, SandboxHandler
from collector.sandbox.market import MAX_DAY, Market
from collector.sandbox.options import SandboxOptions
from collector.sandbox.pages import COULD_NOT_PARSE, wall_html
from collector.sandbox.recordings import RecordedMarket
from collector.sandbox.request_log import LoggedRequest

DAY_HEADER = "x-sandbox-day"
_RETRY_AFTER_S = 1
_MESSAGES = {429: "Too many requests.", 500: "Internal error.", 612: "Undefined internal error."}


async def serve(
    options: SandboxOptions, *, announce: Callable[[str, int], None], stop: asyncio.Event
) -> None:
    """Answer requests until `stop` is set; `announce` is told the URL and port once it listens.

    Raises:
        SandboxError: the port is taken, or the recordings cannot be served.
    """
    sandbox = Sandbox(
        options=options,
        answers=_answers(options),
        faults=FaultDraw(options.faults, seed=options.seed),
    )
    try:
        sockets = tornado.netutil.bind_sockets(options.port, "127.0.0.1")
    except OSError as exc:
        reason = "is taken" if exc.errno == errno.EADDRINUSE else f"cannot be used ({exc.strerror})"
        raise SandboxError(
            f"Port {options.port} {reason}: choose another one, or 0 for any free one."
        ) from exc
    server = tornado.httpserver.HTTPServer(_application(sandbox))
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    announce(f"http://127.0.0.1:{port}/v1/queries", port)
    try:
        await stop.wait()
    finally:
        server.stop()
        await server.close_all_connections()


def _answers(options: SandboxOptions) -> Answers:
    if options.recordings is not None:
        return RecordedMarket(options.recordings)
    market = Market(
        options.seed,
        list_length=options.list_length,
        page_cap=options.page_cap,
        department_of=department_of,
    )
    return InventedAnswers(market, page_kb=options.page_kb)


def _application(sandbox: Sandbox) -> tornado.web.Application:
    given = {"sandbox": sandbox}
    return tornado.web.Application(
        [
            (r"/(?:v1/queries/?)?", _Queries, given),
            (r"/_sandbox/(health|requests|truth|reset)", Insight, given),
        ],
        default_handler_class=NoSuchAddress,
        default_handler_args=given,
        # Requests are told by /_sandbox/requests; a pipe that nobody reads must not fill up.
        log_function=lambda handler: None,
    )


class _Queries(SandboxHandler):
    def initialize(self, sandbox: Sandbox) -> None:
        super().initialize(sandbox)
        self._client_gone = asyncio.Event()

    def on_connection_close(self) -> None:
        self._client_gone.set()

    async def post(self) -> None:
        sandbox = self.sandbox
        day = self.day_of(self.request.headers.get(DAY_HEADER))
        entry = sandbox.log.begin(day=day or 0)
        try:
            await self._answer(entry, day)
        finally:
            sandbox.log.end(entry)

    async def _answer(self, entry: LoggedRequest, day: int | None) -> None:
        sandbox, options = self.sandbox, self.sandbox.options
        if not self._is_welcome():
            self.set_header("WWW-Authenticate", 'Basic realm="sandbox"')
            return self._status(entry, 401, "Unauthorized: username or password is wrong.")
        try:
            if day is None:
                raise BadBody(f"{DAY_HEADER} must be a whole number from 0 to {MAX_DAY}.")
            try:
                body = json.loads(self.request.body)
            except ValueError as exc:
                raise BadBody("The body must be JSON.") from exc
            asked = read_body(body)
        except BadBody as exc:
            return self._status(entry, 400, str(exc))
        entry.source, entry.query, entry.page = asked.source, asked.query, asked.page
        if asked.source == "amazon_bestsellers":
            sandbox.nodes_asked[asked.query] = None
        if not sandbox.log.admit(options.rate_limit):
            return self._status(entry, 429, _MESSAGES[429])
        entry.fault = sandbox.faults.next(f"{asked.source} {asked.query} {asked.page} {day}")
        if options.latency_s:
            delay = log_normal(options.latency_s, 0.35, options.seed, "latency", entry.number)
            await asyncio.sleep(delay)
        if entry.fault is None:
            found = results(asked, sandbox.answers, day=day)
            entry.billed = True
            return self._send(entry, asked, found)
        entry.billed = BILLED[entry.fault]
        await self._fail(entry, asked, day)

    async def _fail(self, entry: LoggedRequest, asked: Asked, day: int) -> None:
        match entry.fault:
            case "429" | "500" | "612":
                self._status(entry, int(entry.fault), _MESSAGES[int(entry.fault)])
            case "timeout":
                try:
                    async with asyncio.timeout(self.sandbox.options.timeout_s):
                        await self._client_gone.wait()
                except TimeoutError:
                    self.detach().close()
            case "cut":
                self.detach().close()
            case "half" | "malformed":
                found = results(asked, self.sandbox.answers, day=day)
                began = datetime.fromtimestamp(entry.began_at, UTC)
                text = json.dumps(envelope(asked, found, number=entry.number, began=began))
                entry.status = 200
                if entry.fault == "malformed":
                    self._head(entry)
                    self.finish(text[: len(text) // 2])
                else:
                    await self._send_half(text.encode())
            case "wall":
                wall = wall_html(asked.query, entry.number)
                content = {"parse_status_code": COULD_NOT_PARSE} if asked.parse else wall
                self._send(entry, asked, [(content, 200, asked.url or "")])
            case _:
                self._send(entry, asked, [])

    async def _send_half(self, body: bytes) -> None:
        stream = self.detach()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{MARK}: 1\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        await stream.write(head.encode() + body[: len(body) // 2])
        stream.close()

    def _is_welcome(self) -> bool:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return False
        options = self.sandbox.options
        expected = f"{options.username}:{options.password}".encode()
        return scheme.casefold() == "basic" and hmac.compare_digest(given, expected)

    def _head(self, entry: LoggedRequest) -> None:
        self.set_status(entry.status or 200, _MESSAGES.get(entry.status or 200))
        for name, value in self.sandbox.log.rate_limit_headers(
            self.sandbox.options.rate_limit
        ).items():
            self.set_header(name, value)

    def _status(self, entry: LoggedRequest, status: int, message: str) -> None:
        entry.status = status
        self._head(entry)
        if status == 429:
            self.set_header("Retry-After", str(_RETRY_AFTER_S))
        self.finish({"message": message})

    def _send(self, entry: LoggedRequest, asked: Asked, found: list[tuple[Any, int, str]]) -> None:
        entry.status = 200
        entry.result_status = found[0][1] if found else None
        self._head(entry)
        began = datetime.fromtimestamp(entry.began_at, UTC)
        self.finish(json.dumps(envelope(asked, found, number=entry.number, began=began)))
