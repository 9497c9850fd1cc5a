"""File locks among processes: taken without waiting for ever, let go by the system at death."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.errors import EmbeddedServerError

if sys.platform != "win32":
    import fcntl

POLL_S = 0.03


@contextmanager
def opened(path: Path, *, append: bool = False) -> Iterator[int]:
    """A descriptor of a file, made where it is missing; links are not followed."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags | os.O_APPEND if append else flags, 0o600)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def locked(path: Path, *, deadline: float, late: str) -> Iterator[None]:
    """Hold the lock of `path`; `late` is said when it was not free by `deadline`."""
    with opened(path) as file:
        while not try_lock(file):
            pause(deadline, late=late)
        yield


def try_lock(file: int) -> bool:
    """Take the lock of an open file for oneself, and for whoever inherits the descriptor."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Whether any process holds the lock of `path`."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who look at once do not take each other for a holder.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def pause(deadline: float, *, late: str) -> None:
    """Sleep for a moment.

    Raises:
        EmbeddedServerError: `deadline`, by the monotonic clock, has passed; it says `late`.
    """
    if time.monotonic() > deadline:
        raise EmbeddedServerError(late)
    time.sleep(POLL_S)
