"""The environment, read once. The only room that knows the names of environment variables.

Secrets are `SecretStr`: they print as stars, and only the client that sends them unwraps them.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from collector.addresses import is_loopback
from collector.errors import SettingsError
from collector.words import Source

OXYLABS_REALTIME_URL = "https://realtime.oxylabs.io/v1/queries"


def _home() -> Path:
    return Path(platformdirs.user_data_dir("collector", appauthor=False))


class Settings(BaseSettings):
    """Everything the environment may say. `Settings.read()` gives clear errors.

    Attributes:
        database_url: a PostgreSQL of your own; without it the embedded one is used.
        collector_home: where the embedded PostgreSQL keeps its data.
        oxylabs_username: user of the Web Scraper API.
        oxylabs_password: its password.
        oxylabs_url: another address of the API (the sandbox's, a proxy's).
        collector_budget: the budget of a run that is not given one.
        collector_workers: workers of a run that is not given a number.
        collector_search_again_days: after how many days a product is due again, for a run that is
            not told; 0: every run searches every product.
        collector_activity_days: days that the activity of ended runs is kept.
        collector_streams: the most activity streams that one server has open at once.
        collector_sandbox_seed: which invented market the sandbox plays.
        collector_sandbox_latency: seconds the sandbox takes to answer, on average.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    database_url: SecretStr | None = None
    collector_home: Path = Field(default_factory=_home)
    oxylabs_username: str | None = None
    oxylabs_password: SecretStr | None = None
    oxylabs_url: str = OXYLABS_REALTIME_URL
    collector_budget: int | None = Field(default=None, ge=1)
    collector_workers: int = Field(default=5, ge=1, le=100)
    collector_search_again_days: int = Field(default=0, ge=0, le=365)
    collector_activity_days: int = Field(default=90, ge=1, le=36_500)
    collector_streams: int = Field(default=200, ge=1, le=10_000)
    collector_sandbox_seed: int = 1
    collector_sandbox_latency: float = Field(default=0.15, ge=0, le=60)

    @field_validator("oxylabs_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// address")
        return value if parts.path.strip("/") else f"{value.rstrip('/')}/v1/queries"

    @model_validator(mode="after")
    def _both_or_none(self) -> Settings:
        if bool(self.oxylabs_username) != bool(self.oxylabs_password):
            raise ValueError(
                "OXYLABS_USERNAME and OXYLABS_PASSWORD belong together: set both, or neither "
                "to work in the sandbox"
            )
        return self

    @classmethod
    def read(cls) -> Settings:
        """Read the environment.

        Raises:
            SettingsError: names each variable that cannot be used, never its value.
        """
        try:
            return cls()
        except ValidationError as exc:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])).upper() or 'environment'}: {e['msg']}"
                for e in exc.errors(include_input=False, include_url=False)
            )
            # The original carries the input, which may be a secret: it is not chained.
            raise SettingsError(f"Check the environment: {problems}.") from None

    @property
    def run_options(self) -> dict[str, Any]:
        """The options that a run has unless it is told others."""
        return {
            "workers": self.collector_workers,
            "search_again_days": self.collector_search_again_days,
        }

    @property
    def has_credentials(self) -> bool:
        """Whether credentials for the API are set."""
        return bool(self.oxylabs_username and self.oxylabs_password)

    @property
    def starts_sandbox(self) -> bool:
        """Whether a run needs a sandbox of its own: no credentials, and nothing to send them to."""
        return not self.has_credentials and self.oxylabs_url == OXYLABS_REALTIME_URL

    @cached_property
    def source(self) -> Source:
        """`sandbox` without credentials or where `OXYLABS_URL` stays on this machine.

        Oxylabs is never on a loopback address, so what answers there is invented, and its
        sellers must not reach the real list. A sandbox elsewhere marks its answers instead.
        """
        if not self.has_credentials or is_loopback(self.oxylabs_url):
            return Source.SANDBOX
        return Source.OXYLABS
