"""Seeing a run through from a terminal: shown while it goes on, paused by Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING

from collector.cli.terms import LEFT_AT_ONCE, program, say
from collector.errors import CollectorError, IllegalMove

if TYPE_CHECKING:
    from rich.console import Console

    from collector.progress import RunProgress
    from collector.run import Run


async def follow(
    start: Callable[[], Run], *, console: Console, quiet: bool
) -> tuple[Run, RunProgress]:
    """Start a run, show it, and return it once it is paused or has ended.

    The first SIGINT or SIGTERM pauses it; what is in flight finishes and is kept. The second
    one ends this process at once, which leaves the run interrupted but resumable.
    """
    from collector.terminal import shown

    run = start()
    interruptions = 0

    def interrupt() -> None:
        nonlocal interruptions
        interruptions += 1
        if interruptions > 1:
            console.show_cursor(True)
            say(f"\nLeft at once. To go on: {program()} resume {run.short_id}")
            os._exit(LEFT_AT_ONCE)
        say("\nFinishing what is under way; Ctrl-C again leaves at once.")
        try:
            run.pause()
        except IllegalMove:
            # It has ended or is paused already, which is what was wanted.
            return

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, interrupt)
    view: AbstractAsyncContextManager[None] = (
        nullcontext() if quiet else shown(run, console=console)
    )
    try:
        async with view:
            await run
        return run, await run.leave()
    except CollectorError:
        say(f"Nothing is lost. To go on: {program()} resume {run.short_id}")
        raise
