"""The extension as Jupyter Server knows it: its addresses, its settings, its end."""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Float

from collector.server.handlers import PageFileHandler, PageHandler, RunHandler, RunsHandler
from collector.server.open_logs import OpenLogs
from collector.server.stream_handler import KEEPALIVE_S, WRITE_TIMEOUT_S, ActivityHandler


class CollectorServer(ExtensionApp):
    """Serves runs and their activity. Opens no database before somebody asks."""

    name = "collector"
    description = "Serves the collector's runs and their activity."
    extension_url = "/collector/runs"
    load_other_extensions = False

    keepalive_s = Float(
        KEEPALIVE_S, min=0.05, help="Seconds of silence until a stream says that it is alive."
    ).tag(config=True)
    write_timeout_s = Float(
        WRITE_TIMEOUT_S, min=0.1, help="Seconds until a reader who takes nothing is dropped."
    ).tag(config=True)

    _logs: OpenLogs | None = None

    def initialize_handlers(self) -> None:
        """Add what is answered under `{base_url}collector/`."""
        self._logs = OpenLogs(self.log)
        shared: dict[str, Any] = {"logs": self._logs}
        times = {"keepalive_s": self.keepalive_s, "write_timeout_s": self.write_timeout_s}
        self.handlers.extend(
            [
                (r"/collector/runs", RunsHandler, shared),
                (r"/collector/runs/([^/]+)", RunHandler, shared),
                (r"/collector/runs/([^/]+)/", PageHandler, shared),
                (r"/collector/runs/([^/]+)/activity", ActivityHandler, {**shared, **times}),
                (r"/collector/page/([^/]+)", PageFileHandler, shared),
            ]
        )

    async def stop_extension(self) -> None:
        """Release every open stream, so that the server can end."""
        if self._logs is not None:
            await self._logs.close()
