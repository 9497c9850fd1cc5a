"""The Web Scraper API's realtime endpoint: a payload out, one result in, or one clear error.

Source of the facts: developers.oxylabs.io (integration methods, response codes, rate limits). The
only room that sends the credentials: they reach no exception, representation or log, redirects
are not followed, and errors of the HTTP library, which carry the request, are never chained.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from collector.addresses import is_loopback, without_credentials
from collector.errors import MalformedAnswer, TimedOut, Unreachable, UpstreamError
from collector.sources.oxylabs_answer import Answer, error_of_status, read_result
from collector.sources.oxylabs_headers import RateLimit, rate_limits

__all__ = ["Answer", "OxylabsClient", "RateLimit"]

_CONNECT_TIMEOUT_S = 20.0
# One pool of the HTTP library looks at all of its connections for every request: from some fifty
# on that is what limits (measured: benchmarks/overhead.py).
_CONNECTIONS_A_POOL = 10
_MOST_BYTES = 20 * 1024 * 1024
_MOST_BYTES_OF_ERROR = 64 * 1024


class OxylabsClient:
    """Connections to the API. Use it as an async context manager, or call `aclose`.

    Args:
        url: the realtime endpoint (or the sandbox's).
        username: user of the API.
        password: its password.
        headers: sent with every request.
        timeout_s: how long one request may take in all. The API holds a connection up to 150 s,
            and an answer that nobody waits for is billed all the same.
        connections: the most requests in flight; further ones wait their turn.
    """

    def __init__(
        self,
        *,
        url: str,
        username: str,
        password: SecretStr,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 180,
        connections: int = 5,
    ) -> None:
        self._url = without_credentials(url)
        self._timeout_s = timeout_s
        self._password = password
        pair = f"{username}:{password.get_secret_value()}"
        self._token = SecretStr(base64.b64encode(pair.encode()).decode("ascii"))
        self._latest: tuple[RateLimit, ...] = ()
        self._pools = [
            httpx.AsyncClient(
                auth=httpx.BasicAuth(username, password.get_secret_value()),
                headers={"Accept": "application/json", **(headers or {})},
                # The whole exchange has one deadline (see `fetch`); connecting has its own.
                timeout=httpx.Timeout(None, connect=min(_CONNECT_TIMEOUT_S, timeout_s)),
                limits=httpx.Limits(max_connections=size, max_keepalive_connections=size),
                follow_redirects=False,
                # What runs on this machine is not reached through a proxy.
                trust_env=not is_loopback(self._url),
            )
            for size in _pool_sizes(connections)
        ]
        # One turn a connection; those of different pools alternate.
        self._turns: asyncio.Queue[httpx.AsyncClient] = asyncio.Queue()
        for turn in range(_CONNECTIONS_A_POOL):
            for pool, size in zip(self._pools, _pool_sizes(connections), strict=True):
                if turn < size:
                    self._turns.put_nowait(pool)

    def __repr__(self) -> str:
        return f"OxylabsClient(url={self._url!r})"

    @property
    def url(self) -> str:
        """Where requests go; it holds no secret."""
        return self._url

    @property
    def rate_limits(self) -> tuple[RateLimit, ...]:
        """The limits as the latest answer that named any told them."""
        return self._latest

    async def fetch(self, payload: Mapping[str, Any]) -> Answer:
        """Send one request and wait for its result. Cancelling closes its connection.

        Raises:
            UpstreamError: one of its kinds, for whatever goes wrong out there.
        """
        pool = await self._turns.get()
        try:
            started = time.monotonic()
            exchange = await self._exchange(pool, payload)
            if isinstance(exchange, UpstreamError):
                raise exchange
            response, body = exchange
            duration_ms = round((time.monotonic() - started) * 1000)
        finally:
            self._turns.put_nowait(pool)
        limits = rate_limits(response.headers)
        self._latest = limits or self._latest
        if response.status_code != 200:
            raise error_of_status(response.status_code, response.headers, body, hide=self._password)
        return read_result(
            body, headers=response.headers, duration_ms=duration_ms, rate_limits=limits
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _exchange(
        self, pool: httpx.AsyncClient, payload: Mapping[str, Any]
    ) -> tuple[httpx.Response, bytes] | UpstreamError:
        """The answer with its body, or the error; returned so that it is raised unchained."""
        response: httpx.Response | None = None
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                pool.stream("POST", self._url, json=dict(payload)) as response,
            ):
                body = await _body(response)
                # A wrong address may lead to what echoes requests; pages are kept.
                return response, body.replace(self._token.get_secret_value().encode(), b"***")
        except UpstreamError as exc:
            return exc
        except httpx.ConnectTimeout:
            return Unreachable(f"No connection to {self._host} in time. {_CHECK_NETWORK}")
        except (TimeoutError, httpx.TimeoutException):
            return TimedOut(
                f"{self._host} gave no answer within {self._timeout_s:g} s. Ask again later."
            )
        except httpx.DecodingError:
            return MalformedAnswer(f"The answer of {self._host} could not be unpacked. Ask again.")
        except httpx.ProxyError:
            return Unreachable(f"The proxy did not pass the request on. {_CHECK_PROXY}")
        except httpx.ConnectError as exc:
            return Unreachable(f"Cannot reach {self._host}: {_reason(exc)}. {_CHECK_NETWORK}")
        except (httpx.TransportError, OSError) as exc:
            return Unreachable(
                f"The connection to {self._host} broke before the answer was whole "
                f"({type(exc).__name__}). Ask again.",
                # What had begun to answer with a result has most likely been billed.
                billed=response is not None and response.status_code == 200,
            )

    @property
    def _host(self) -> str:
        return httpx.URL(self._url).netloc.decode("ascii", "replace")


_CHECK_NETWORK = "Check the network and OXYLABS_URL."
_CHECK_PROXY = "Check HTTPS_PROXY and NO_PROXY."


def _pool_sizes(connections: int) -> list[int]:
    full, rest = divmod(connections, _CONNECTIONS_A_POOL)
    return [_CONNECTIONS_A_POOL] * full + ([rest] if rest else [])


async def _body(response: httpx.Response) -> bytes:
    """The body, up to a bound: a hostile answer must not eat the memory."""
    wanted = response.status_code == 200
    most = _MOST_BYTES if wanted else _MOST_BYTES_OF_ERROR
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > most:
            if not wanted:
                break
            raise MalformedAnswer(
                f"The answer is larger than {most // 1024**2} MB; it was cut off. "
                "Check OXYLABS_URL.",
                status_code=response.status_code,
            )
        parts.append(part)
    return b"".join(parts)


def _reason(error: BaseException) -> str:
    """The operating system's own words, found under what the libraries wrapped round them."""
    cause: BaseException | None = error
    for _ in range(10):
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    with suppress(ValueError):
        return str(error).splitlines()[0][:120].rstrip(".")
    return "no connection"
