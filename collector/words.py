"""The words that are stored, shown and compared: statuses, reasons, kinds and actions.

Their meaning stands in the glossary. The database holds the same lists as checks.
"""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run stands. The moves between them are `MOVES`."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the run has ended; only sending its failed items again can wake it."""
        return self in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}


# An ended run moves once more only where its failed items are sent again: it is paused first,
# so that whatever resumes a paused run resumes this one.
MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.CANCELLED}),
    RunStatus.RUNNING: frozenset(
        {RunStatus.PAUSED, RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}
    ),
    RunStatus.PAUSED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
    RunStatus.COMPLETED: frozenset({RunStatus.PAUSED}),
    RunStatus.FAILED: frozenset({RunStatus.PAUSED}),
    RunStatus.CANCELLED: frozenset(),
}


class PauseReason(StrEnum):
    """Why a run is paused."""

    OPERATOR = "operator"
    FAILURES = "failures"
    CREDENTIALS = "credentials"
    BUDGET = "budget"
    RETRY = "retry"


class Source(StrEnum):
    """Where a run's answers come from."""

    OXYLABS = "oxylabs"
    SANDBOX = "sandbox"


class ItemKind(StrEnum):
    """The two kinds of item."""

    BEST_SELLERS = "best_sellers"
    SELLER_SEARCH = "seller_search"


class Phase(StrEnum):
    """What a worker is at; `SYSTEM` for entries of worker 0."""

    BEST_SELLERS = "best_sellers"
    SELLER_SEARCH = "seller_search"
    SYSTEM = "system"


class Action(StrEnum):
    """What an activity entry tells."""

    FETCHING = "fetching"
    FOUND = "found"
    ERROR = "error"
    RATE_LIMITED = "rate_limited"
    UPLOADING = "uploading"
    DEDUPED = "deduped"
    INSERTED = "inserted"
    UPDATED = "updated"
    PAUSED = "paused"
    RESUMED = "resumed"
    CANCELLED = "cancelled"
    COMPLETE = "complete"
    GAP = "gap"
