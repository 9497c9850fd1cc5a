"""What a live panel is given (a feed and controls), where it lives, and its half in the browser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import anywidget
import traitlets
from IPython.core.getipython import get_ipython

from collector.activity import Subscription
from collector.panel.static_picture import stylesheet
from collector.progress import RunProgress


class RunFeed(Protocol):
    """What a panel is given to show."""

    @property
    def id(self) -> UUID:
        """The run's id."""

    @property
    def short_id(self) -> str:
        """The beginning of the id, as people write it."""

    def progress(self) -> RunProgress:
        """How the run stands; cheap, never does I/O."""

    def subscribe(self, after: int | None = None) -> Subscription:
        """Begin to receive the run's activity entries."""


@dataclass(frozen=True, slots=True)
class RunControls:
    """What the buttons call: thread-safe, returns at once, may raise `CollectorError`."""

    pause: Callable[[], None]
    resume: Callable[[], None]
    cancel: Callable[[], None]
    retry: Callable[[], None]


def script(*names: str) -> str:
    """Files of this package as one script: what a widget loads can import nothing beside it."""
    return "\n".join(Path(__file__).with_name(n).read_text(encoding="utf-8") for n in names)


class PanelWidget(anywidget.AnyWidget):
    """The panel's half in the browser. `LivePanel` owns it and alone changes it."""

    _esm = script("elements.js", "feed.js", "workers.js", "panel.js")
    _css = stylesheet()
    look = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    entries: traitlets.List[Any] = traitlets.List().tag(sync=True)


def in_kernel() -> bool:
    """Whether there is a Jupyter kernel to show something in."""
    return hasattr(get_ipython(), "kernel")


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs on this thread, if any does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
