"""A Jupyter Server extension whose author forgot the decorators. A test asks it without a token."""

from __future__ import annotations

from typing import Any

from collector.server.handlers import CollectorHandler
from collector.server.open_logs import OpenLogs


class Undecorated(CollectorHandler):
    """Answers whoever gets this far."""

    def get(self) -> None:
        self.answer({"message": "anybody is welcome"})


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "undecorated"}]


def _load_jupyter_server_extension(app: Any) -> None:
    address = f"{app.base_url}collector/undecorated"
    app.web_app.add_handlers(".*$", [(address, Undecorated, {"logs": OpenLogs(app.log)})])
