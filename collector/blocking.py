"""The one blocking door: code on a loop's thread that has to wait for a coroutine of that loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def wait_nested(
    coroutine: Coroutine[Any, Any, T],
    *,
    loop: asyncio.AbstractEventLoop,
    timeout_s: float | None,
    if_interrupted: str,
) -> T:
    """Run a loop, from within it, until a coroutine of it has ended.

    It alone nests event loops, by the kept fork of nest-asyncio, and only when it is called.

    Args:
        coroutine: what to wait for.
        loop: the running loop.
        timeout_s: seconds after which to give up waiting.
        if_interrupted: what to tell somebody who interrupts the waiting.

    Raises:
        TimeoutError: it did not end in time.
        KeyboardInterrupt: somebody interrupted the waiting.
    """
    import nest_asyncio2

    nest_asyncio2.apply(loop)
    waiting = loop.create_task(asyncio.wait_for(coroutine, timeout_s))
    with _interrupting(waiting, if_interrupted):
        return loop.run_until_complete(waiting)


@contextmanager
def _interrupting(waiting: asyncio.Task[Any], told: str) -> Iterator[None]:
    """Let an interrupt end the waiting: raised wherever the loop is, it would end a worker."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        waiting.get_loop().call_soon_threadsafe(waiting.cancel)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except asyncio.CancelledError:
        if not interrupted:
            raise
        raise KeyboardInterrupt(told) from None
    finally:
        signal.signal(signal.SIGINT, before)
