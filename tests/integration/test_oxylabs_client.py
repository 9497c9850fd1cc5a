"""The client against real local servers that are slow, cut, refuse, and answer nonsense."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from collector.errors import (
    BadRequest,
    MalformedAnswer,
    Refused,
    TargetFailed,
    Throttled,
    TimedOut,
    Unavailable,
    Unreachable,
    UpstreamError,
)
from collector.sources.oxylabs import OxylabsClient, RateLimit

USERNAME, PASSWORD = "operator-7", "s3cret/päss"
TOKEN = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
GOOD = json.dumps({"results": [{"content": "<p>page</p>", "status_code": 200}]}).encode()

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Served:
    """A server under way: where it listens, and what it was asked."""

    url: str
    requests: list[tuple[bytes, dict[str, Any]]] = field(default_factory=list, repr=False)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def server(reply: Reply) -> AsyncIterator[Served]:
    """Answer every request on a socket of this machine as `reply` writes it."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                served.requests.append((head, json.loads(await reader.readexactly(length))))
                served.asked.set()
                await reply(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            served.hung_up.set()
        except asyncio.CancelledError:
            return  # the server is closing; asyncio would report it as an accident
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    served = Served(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/queries")
    try:
        yield served
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answers(body: bytes, *, status: int = 200, headers: str = "") -> Reply:
    async def reply(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        writer.write(head.encode() + body)

    return reply


def sends(raw: bytes, *, then_wait_s: float = 0) -> Reply:
    """Write these bytes, wait, and hang up."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        await asyncio.sleep(then_wait_s)
        writer.close()

    return reply


async def drip(writer: asyncio.StreamWriter) -> None:
    """Begin an answer, and go on with it for five seconds."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(250):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


def client(url: str, **options: Any) -> OxylabsClient:
    options = {"timeout_s": 5, **options}
    return OxylabsClient(url=url, username=USERNAME, password=SecretStr(PASSWORD), **options)


async def failure(reply: Reply, **options: Any) -> UpstreamError:
    async with server(reply) as served, client(served.url, **options) as oxylabs:
        with pytest.raises(UpstreamError) as caught:
            await oxylabs.fetch({"source": "ebay", "url": "https://www.ebay.com/"})
    return caught.value


async def test_a_request_carries_payload_credentials_and_headers() -> None:
    payload = {"source": "ebay", "url": "https://www.ebay.com/sch/i.html?_nkw=tea+pot"}
    async with server(answers(GOOD)) as served:
        async with client(served.url, headers={"x-sandbox-day": "3"}) as oxylabs:
            answer = await oxylabs.fetch(payload)
        head, sent = served.requests[0]
    assert sent == payload
    assert f"authorization: basic {TOKEN}".lower() in head.decode().lower()
    assert b"x-sandbox-day: 3" in head
    assert answer.content == "<p>page</p>"
    assert not answer.from_sandbox
    assert answer.duration_ms >= 0


async def test_a_mark_and_the_limits_are_read_from_the_headers() -> None:
    headers = (
        "X-Collector-Sandbox: 1\r\nX-RateLimit-All-Limit: 50\r\nX-RateLimit-All-Remaining: 9\r\n"
        "x-ratelimit-render-limit: 13\r\nx-ratelimit-render-remaining: 13\r\n"
    )
    limits = (RateLimit("all", 50, 9), RateLimit("render", 13, 13))
    async with server(answers(GOOD, headers=headers)) as served, client(served.url) as oxylabs:
        assert oxylabs.rate_limits == ()
        answer = await oxylabs.fetch({})
        assert answer.from_sandbox
        assert answer.rate_limits == oxylabs.rate_limits == limits


async def test_limits_of_a_refusal_are_read_too() -> None:
    headers = "x-ratelimit-all-limit: 50\r\nx-ratelimit-all-remaining: 0\r\nRetry-After: 3\r\n"
    reply = answers(b"", status=429, headers=headers)
    async with server(reply) as served, client(served.url) as oxylabs:
        with pytest.raises(Throttled) as caught:
            await oxylabs.fetch({})
        assert caught.value.retry_after_s == 3
        assert oxylabs.rate_limits == (RateLimit("all", 50, 0),)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Refused), (400, BadRequest), (500, Unavailable), (524, Unavailable), (612, Unavailable)],
)
async def test_a_status_is_told_apart(status: int, kind: type[UpstreamError]) -> None:
    assert type(await failure(answers(b'{"message": "no"}', status=status))) is kind


async def test_a_redirect_is_not_followed() -> None:
    """Following it would hand the credentials to whoever it leads to."""
    async with server(answers(GOOD)) as elsewhere:
        reply = answers(b"", status=307, headers=f"Location: {elsewhere.url}\r\n")
        assert isinstance(await failure(reply), BadRequest)
        assert elsewhere.requests == []


async def test_a_result_that_failed_is_told_from_one_that_came() -> None:
    body = json.dumps({"results": [{"content": "", "status_code": 404}]}).encode()
    assert isinstance(await failure(answers(body)), TargetFailed)


async def test_an_answer_that_is_no_json_is_malformed() -> None:
    error = await failure(answers(b"<html>\x00"))
    assert isinstance(error, MalformedAnswer)
    assert error.page == "<html>"


async def test_an_answer_that_does_not_come_times_out() -> None:
    error = await failure(sends(b"", then_wait_s=5), timeout_s=0.2)
    assert isinstance(error, TimedOut)
    assert error.billed


async def test_an_answer_that_drips_times_out_as_a_whole() -> None:
    """Each byte comes in time; the answer does not."""
    assert isinstance(await failure(drip, timeout_s=0.3), TimedOut)


@pytest.mark.parametrize(
    ("raw", "billed"),
    [
        (b"", False),
        (b"HTTP/1.1 200 O", False),
        (b"nonsense\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", True),
        (b"HTTP/1.1 500 X\r\nContent-Length: 500\r\n\r\n{", False),
    ],
)
async def test_a_connection_that_breaks_is_told(raw: bytes, billed: bool) -> None:
    error = await failure(sends(raw))
    assert isinstance(error, Unreachable)
    assert error.billed is billed
    assert "Ask again" in str(error)


async def test_an_answer_that_cannot_be_unpacked_is_malformed() -> None:
    reply = answers(b"not gzip", headers="Content-Encoding: gzip\r\n")
    assert isinstance(await failure(reply), MalformedAnswer)


async def test_a_packed_answer_without_end_is_cut_off() -> None:
    """40 MB of spaces pack into 40 kB."""
    packed = gzip.compress(b" " * 40_000_000, 6)
    error = await failure(answers(packed, headers="Content-Encoding: gzip\r\n"))
    assert isinstance(error, MalformedAnswer)
    assert "20 MB" in str(error)


async def test_a_long_error_page_is_read_no_further_than_needed() -> None:
    error = await failure(answers(b"x" * 3_000_000, status=500))
    assert isinstance(error, Unavailable)


async def test_a_refused_connection_says_what_to_check() -> None:
    async with server(answers(GOOD)) as served:
        pass
    async with client(served.url) as oxylabs:
        with pytest.raises(Unreachable, match=r"connection refused\. Check the network and OXY"):
            await oxylabs.fetch({})


async def test_a_name_that_does_not_exist_is_unreachable() -> None:
    async with client("http://nowhere.invalid/v1/queries") as oxylabs:
        with pytest.raises(Unreachable, match=r"nowhere\.invalid"):
            await oxylabs.fetch({})


async def test_cancelling_hangs_up_and_leaves_the_client_usable() -> None:
    hold = asyncio.Event()

    async def reply(writer: asyncio.StreamWriter) -> None:
        if not hold.is_set():
            hold.set()
            await drip(writer)
        await answers(GOOD)(writer)

    async with server(reply) as served, client(served.url, connections=1) as oxylabs:
        waiting = asyncio.create_task(oxylabs.fetch({}))
        await served.asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await oxylabs.fetch({})).content == "<p>page</p>"
        assert len(served.requests) == 2
        await asyncio.wait_for(served.hung_up.wait(), 2)


async def test_more_requests_than_connections_wait_their_turn() -> None:
    under_way = most = 0

    async def slowly(writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.1)
        under_way -= 1
        await answers(GOOD)(writer)

    # Waiting for a turn does not count against the deadline.
    async with server(slowly) as served, client(served.url, connections=2, timeout_s=0.3) as ox:
        await asyncio.gather(*(ox.fetch({}) for _ in range(8)))
    assert most == 2


def everything(error: BaseException) -> str:
    """All that a report of an error could show: its chain, its frames' locals, its parts."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format(chain=True)) + repr(vars(error)) + repr(error.__context__)


@pytest.mark.parametrize(
    "reply",
    [
        answers(b"", status=401),
        answers(json.dumps({"message": f"bad {PASSWORD}"}).encode(), status=400),
        answers(json.dumps({"message": f"Basic {TOKEN}"}).encode(), status=400),
        answers(b"<html>"),
        sends(b"nonsense"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
        answers(b"not gzip", headers="Content-Encoding: gzip\r\n"),
        sends(b"", then_wait_s=3),
    ],
)
async def test_no_error_reveals_the_credentials(
    reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = await failure(reply, timeout_s=0.5)
    for secret in (PASSWORD, TOKEN):
        assert secret not in str(error)
        assert secret not in repr(error)
        assert secret not in caplog.text
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = everything(error)
    assert PASSWORD not in shown
    assert TOKEN not in shown


async def test_what_echoes_the_request_is_kept_without_the_credentials() -> None:
    """A wrong address may lead to a service that answers with the headers it was sent."""
    error = await failure(answers(f"<pre>Authorization: Basic {TOKEN}</pre>".encode()))
    assert error.page == "<pre>Authorization: Basic ***</pre>"


async def test_the_client_prints_without_credentials_even_those_in_its_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with server(answers(GOOD)) as served:
        address = served.url.replace("://", "://someone:hidden@")
        async with client(address) as oxylabs:
            await oxylabs.fetch({})
            assert repr(oxylabs) == f"OxylabsClient(url={served.url!r})"
    assert TOKEN.encode() in served.requests[0][0]
    assert "hidden" not in caplog.text
    assert TOKEN not in caplog.text


async def test_a_proxy_is_not_asked_for_what_runs_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with server(answers(GOOD)) as served, client(served.url) as oxylabs:
        assert (await oxylabs.fetch({})).content == "<p>page</p>"
