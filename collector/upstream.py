"""Where requests go: Oxylabs, the address the environment names, or a sandbox of our own."""

from __future__ import annotations

import asyncio
import threading

from pydantic import SecretStr

from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.sources.oxylabs import OxylabsClient
from collector.words import Source

SANDBOX_ACCOUNT = "sandbox"
DAY_HEADER = "x-sandbox-day"


class Upstream:
    """Gives clients, and starts the sandbox once somebody needs it.

    Args:
        settings: the environment.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sandbox: SandboxProcess | None = None
        self._starting = threading.Lock()

    async def connect(
        self, source: Source, sandbox_day: int | None, connections: int
    ) -> OxylabsClient:
        """A client for a run of that source.

        Args:
            source: where the run's answers come from.
            sandbox_day: the day the sandbox shall play, for a run of the sandbox.
            connections: how many requests are under way at once.

        Raises:
            SandboxError: the sandbox could not be started.
        """
        settings = self._settings
        url = settings.oxylabs_url
        if settings.starts_sandbox:
            url = await asyncio.to_thread(self._sandbox_url)
        headers = {}
        if source is Source.SANDBOX and sandbox_day is not None:
            headers[DAY_HEADER] = str(sandbox_day)
        return OxylabsClient(
            url=url,
            username=settings.oxylabs_username or SANDBOX_ACCOUNT,
            password=settings.oxylabs_password or SecretStr(SANDBOX_ACCOUNT),
            headers=headers,
            connections=connections,
        )

    def _sandbox_url(self) -> str:
        with self._starting:
            if self._sandbox is not None and not self._sandbox.is_running:
                self._sandbox.stop()
                self._sandbox = None
            if self._sandbox is None:
                self._sandbox = SandboxProcess(
                    seed=self._settings.collector_sandbox_seed,
                    latency_s=self._settings.collector_sandbox_latency,
                )
                self._sandbox.start()
            return self._sandbox.url

    def close(self) -> None:
        """End the sandbox, if it was started."""
        with self._starting:
            if self._sandbox is not None:
                self._sandbox.stop()
                self._sandbox = None
