"""How a run stands at one moment: the figures that panels, terminals and servers show."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from collector.words import PauseReason, Phase, RunStatus, Source


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What one worker is doing now, and what it did so far."""

    worker_id: int
    phase: Phase | None = None
    text: str = ""
    detail: str = ""
    since: datetime | None = None
    attempt: int = 0
    last_outcome: str = ""
    last_ok: bool = True
    requests: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    median_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How often one kind of error happened at one stage, and its last message."""

    error_type: str
    stage: str
    count: int
    last_message: str


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Everything a header, a bar or a summary says about a run at one moment.

    `seller_count_before` is the snapshot of the latest run finished before this one began;
    None for a first run. `interrupted` is true when the run should be running but nobody
    living owns it. `plan_per_second` is how many jobs a second the plan allows, as answers name
    it; None where none has, or where they name none. `eta_s` and `median_ms` are None where
    unknown.
    """

    run_id: UUID
    name: str
    status: RunStatus
    source: Source
    interrupted: bool = False
    pause_reason: PauseReason | None = None
    message: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    eta_s: float | None = None
    budget: int | None = None
    requests: int = 0
    requests_billed: int = 0
    plan_per_second: int | None = None
    categories: int = 0
    lists_total: int = 0
    lists_done: int = 0
    lists_failed: int = 0
    products_total: int = 0
    products_searched: int = 0
    products_failed: int = 0
    products_skipped: int = 0
    products_covered: int = 0
    sellers_found: int = 0
    sellers_new: int = 0
    failed_items: int = 0
    seller_count: int = 0
    seller_count_before: int | None = None
    seller_count_snapshot: int | None = None
    holds: int = 0
    hold_until: datetime | None = None
    hold_message: str = ""
    median_ms: int | None = None
    loop_lag_ms: float | None = None
    errors: tuple[ErrorCount, ...] = ()
    workers: tuple[WorkerState, ...] = ()

    @property
    def requests_per_new_seller(self) -> float | None:
        """What a new seller cost; None where none was new."""
        return self.requests / self.sellers_new if self.sellers_new else None
