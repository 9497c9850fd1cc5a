"""A comm whose other side writes down what it is sent, for widgets without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comm
from comm.base_comm import BaseComm
from ipywidgets import DOMWidget


class RecordingComm(BaseComm):
    """Writes down every message."""

    sent: list[dict[str, Any]]

    def publish_msg(self, msg_type: str, data: Any = None, **_: Any) -> None:
        """Write it down."""
        if "sent" not in self.__dict__:
            self.sent = []
        self.sent.append({"type": msg_type, **(data or {})})


@contextmanager
def recording_comms() -> Iterator[None]:
    """Widgets made meanwhile have one: the comm package asks for its factory to be replaced."""
    factory = comm.create_comm
    comm.create_comm = RecordingComm
    try:
        yield
    finally:
        comm.create_comm = factory


def sent(widget: DOMWidget, kind: str | None = None) -> list[dict[str, Any]]:
    """The custom messages that a widget sent, of one `type` or all."""
    messages = [m["content"] for m in widget.comm.sent if m.get("method") == "custom"]
    return [m for m in messages if kind in (None, m["type"])]


def states(widget: DOMWidget) -> list[dict[str, Any]]:
    """The trait updates that a widget sent."""
    return [m["state"] for m in widget.comm.sent if m.get("method") == "update"]


def click(widget: DOMWidget, **content: Any) -> None:
    """A message from the browser, by the way that Jupyter delivers it."""
    _deliver(widget, {"method": "custom", "content": content})


def write(widget: DOMWidget, **state: Any) -> None:
    """Traits written in the browser."""
    _deliver(widget, {"method": "update", "state": state, "buffer_paths": []})


def _deliver(widget: DOMWidget, data: dict[str, Any]) -> None:
    widget.comm.handle_msg({"content": {"data": data}, "buffers": []})
