"""Where requests go: Oxylabs, the address the environment names, or a sandbox of our own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

from pydantic import SecretStr

from collector.errors import SettingsError
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
            SettingsError: a real run, and no credentials for it.
        """
        settings = self._settings
        if source is Source.OXYLABS:
            if settings.source is not Source.OXYLABS:
                raise SettingsError(
                    "This run needs Oxylabs: set OXYLABS_USERNAME and OXYLABS_PASSWORD, and leave "
                    "OXYLABS_URL unset."
                )
            return self._client(settings.oxylabs_url, connections=connections)
        headers = {} if sandbox_day is None else {DAY_HEADER: str(sandbox_day)}
        if settings.source is Source.SANDBOX and not settings.starts_sandbox:
            return self._client(settings.oxylabs_url, connections=connections, headers=headers)
        # Also where credentials are set: a run of the sandbox must not spend them.
        return OxylabsClient(
            url=await asyncio.to_thread(self._sandbox_url),
            username=SANDBOX_ACCOUNT,
            password=SecretStr(SANDBOX_ACCOUNT),
            headers=headers,
            connections=connections,
        )

    def _client(
        self, url: str, *, connections: int, headers: Mapping[str, str] | None = None
    ) -> OxylabsClient:
        return OxylabsClient(
            url=url,
            username=self._settings.oxylabs_username or SANDBOX_ACCOUNT,
            password=self._settings.oxylabs_password or SecretStr(SANDBOX_ACCOUNT),
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
