"""The sandbox as a process of its own: `python -m collector.sandbox`.

The first line of its output is `{"url": …, "port": …}`, once it listens.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from collector.errors import SandboxError
from collector.sandbox.faults import parse_faults
from collector.sandbox.market import MAX_DAY
from collector.sandbox.options import SandboxOptions
from collector.sandbox.server import serve

_DEFAULTS = SandboxOptions()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="collector sandbox",
        description="A local server that speaks the Oxylabs protocol over an invented market.",
    )

    def add(name: str, kind: type, default: object, text: str) -> None:
        parser.add_argument(name, type=kind, default=default, help=f"{text} (default: %(default)s)")

    add("--port", int, _DEFAULTS.port, "port on loopback, 0 for a free one")
    add("--seed", int, _DEFAULTS.seed, "which market")
    add("--day", int, None, "day of the market; without it each request chooses, by x-sandbox-day")
    add("--latency", float, _DEFAULTS.latency_s, "mean seconds until an answer, 0 for none")
    add("--faults", str, "", "rates such as 429=0.05,500=0.1 or all=0.3")
    add("--timeout-s", float, _DEFAULTS.timeout_s, "how long the fault `timeout` holds on")
    add("--rate-limit", int, _DEFAULTS.rate_limit, "jobs a second before 429, 0 for no limit")
    add("--list-length", int, _DEFAULTS.list_length, "places of a best-seller list, 2 to 100")
    add("--page-cap", int, _DEFAULTS.page_cap, "most listings on a page of a search")
    add("--page-kb", int, _DEFAULTS.page_kb, "pad search pages to this many kilobytes")
    add("--recordings", Path, None, "serve this folder of recorded pages")
    add("--username", str, _DEFAULTS.username, "user of basic auth")
    add("--password", str, _DEFAULTS.password, "password of basic auth")
    parser.add_argument(
        "--with-parent", action="store_true", help="end when standard input is closed"
    )
    return parser


def _options(given: argparse.Namespace) -> SandboxOptions:
    checks = {
        "--port must be from 0 to 65535": 0 <= given.port <= 65535,
        f"--day must be from 0 to {MAX_DAY}": given.day is None or 0 <= given.day <= MAX_DAY,
        "--latency must be from 0 to 600 seconds": 0 <= given.latency <= 600,
        "--timeout-s must be from 0 to 3600 seconds": 0 <= given.timeout_s <= 3600,
        "--rate-limit must not be negative": given.rate_limit >= 0,
        "--list-length must be from 2 to 100": 2 <= given.list_length <= 100,
        "--page-cap must be from 1 to 240": 1 <= given.page_cap <= 240,
        "--page-kb must be from 0 to 20000": 0 <= given.page_kb <= 20_000,
    }
    for text, holds in checks.items():
        if not holds:
            raise SandboxError(f"{text}.")
    return SandboxOptions(
        port=given.port,
        seed=given.seed,
        day=given.day,
        latency_s=given.latency,
        faults=parse_faults(given.faults),
        timeout_s=given.timeout_s,
        rate_limit=given.rate_limit,
        list_length=given.list_length,
        page_cap=given.page_cap,
        page_kb=given.page_kb,
        recordings=given.recordings,
        username=given.username,
        password=given.password,
    )


def _announce(url: str, port: int) -> None:
    print(json.dumps({"url": url, "port": port}), flush=True)


async def _run(options: SandboxOptions, *, with_parent: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if with_parent:

        def watch() -> None:
            while os.read(sys.stdin.fileno(), 4096):
                pass
            loop.call_soon_threadsafe(stop.set)

        # A thread, for not everything that can be standard input can be polled.
        threading.Thread(target=watch, name="parent", daemon=True).start()
    await serve(options, announce=_announce, stop=stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sandbox until it is told to end. Returns the exit code: 0, or 1 with a line on stderr.

    Usage errors that argparse finds end with code 2.
    """
    given = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(_options(given), with_parent=given.with_parent))
    except SandboxError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
