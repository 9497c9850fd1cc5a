"""How a sandbox plays: everything that its command line may say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How a sandbox plays.

    Attributes:
        port: 0 takes a free one.
        seed: which market.
        day: a fixed day of the market; None lets each request choose by header.
        latency_s: seconds an answer takes on average; 0 for none.
        faults: rate by kind.
        timeout_s: how long the fault `timeout` holds a connection.
        rate_limit: jobs a second before 429; 0 for no limit.
        list_length: places of a best-seller list.
        page_cap: most listings on a page of a search.
        page_kb: kilobytes a search page has at least.
        recordings: serve this folder instead of the invented market.
        username: of basic auth.
        password: of basic auth.
    """

    port: int = 0
    seed: int = 1
    day: int | None = None
    latency_s: float = 0.15
    faults: dict[str, float] = field(default_factory=dict)
    timeout_s: float = 200
    rate_limit: int = 0
    list_length: int = 60
    page_cap: int = 24
    page_kb: int = 0
    recordings: Path | None = None
    username: str = "sandbox"
    password: str = "sandbox"  # noqa: S105 - the sandbox guards nothing
