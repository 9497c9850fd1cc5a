"""One thread of a panel's own, for what reads the database.

A widget's message may arrive on the kernel's loop, where a run may be worked on: whoever handles
it there must not wait. What is handed over here is done in order, one after the other.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from collector.errors import CollectorError
from collector.panel.sentences import printable

_log = logging.getLogger(__name__)


class Aside:
    """Does one thing after the other, on a thread.

    Args:
        name: of the thread.
        on_error: told in words what went wrong, on that thread.
    """

    def __init__(self, name: str, *, on_error: Callable[[str], None]) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._on_error = on_error
        # What a widget sends belongs to the cell that made it.
        self._context = contextvars.copy_context()

    def do(self, function: Callable[..., None], *args: object) -> Future[None]:
        """Have a function called there; returns at once."""
        return self._threads.submit(self._context.copy().run, self._guarded, function, args)

    def _guarded(self, function: Callable[..., None], args: tuple[object, ...]) -> None:
        try:
            function(*args)
        except Exception as exc:
            # Nothing raised here would reach a cell: the panel is where it can be seen.
            _log.warning("%s failed", getattr(function, "__name__", function), exc_info=exc)
            self._on_error(in_words(exc))

    def close(self) -> None:
        """Do no more; what is going on finishes."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def in_words(exc: Exception) -> str:
    """What an error says to a person."""
    text = printable(str(exc), longest=400)
    return text if isinstance(exc, CollectorError) and text else f"{type(exc).__name__}: {text}"
