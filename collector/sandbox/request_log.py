"""What the sandbox was asked: a bounded log that anyone can hold a run against."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

KEPT = 100_000
# The plans' figures are the provider's; an unlimited sandbox says that there is plenty.
_PLENTY, _A_MONTH = 10_000, 622_500


@dataclass(slots=True)
class LoggedRequest:
    """One request. Times are epoch seconds; `ended_at` and `status` are None while it lasts.

    `status` is the HTTP status (None as well where no answer was sent), `result_status` that of
    the first result in the envelope.
    """

    number: int
    began_at: float
    source: str | None = None
    query: str | None = None
    page: int | None = None
    day: int = 0
    fault: str | None = None
    status: int | None = None
    result_status: int | None = None
    billed: bool = False
    ended_at: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry with its times in both forms."""
        entry = asdict(self)
        for name in ("began", "ended"):
            seconds = entry[f"{name}_at"]
            entry[f"{name}_iso"] = (
                None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
            )
        return entry


class RequestLog:
    """The last `KEPT` requests, the number of all, and what the rate limits look at."""

    def __init__(self) -> None:
        self.total = 0
        self.billed = 0
        self._kept: deque[LoggedRequest] = deque(maxlen=KEPT)
        self._accepted: deque[float] = deque()

    def begin(self, *, day: int) -> LoggedRequest:
        """Enter a request that has just come."""
        self.total += 1
        entry = LoggedRequest(number=self.total, began_at=time.time(), day=day)
        self._kept.append(entry)
        return entry

    def end(self, entry: LoggedRequest) -> None:
        """Note that a request has its answer, or will never have one."""
        entry.ended_at = time.time()
        self.billed += entry.billed

    def clear(self) -> None:
        """Forget everything."""
        self.total = self.billed = 0
        self._kept.clear()

    def entries(self, *, after: int = 0) -> list[dict[str, Any]]:
        """The requests kept, oldest first, beyond the one numbered `after`."""
        return [entry.as_json() for entry in self._kept if entry.number > after]

    def admit(self, rate_limit: int) -> bool:
        """Whether one more job fits into this second; 0 admits any number."""
        if rate_limit and self._in_this_second() >= rate_limit:
            return False
        self._accepted.append(time.monotonic())
        return True

    def _in_this_second(self) -> int:
        horizon = time.monotonic() - 1
        while self._accepted and self._accepted[0] < horizon:
            self._accepted.popleft()
        return len(self._accepted)

    def rate_limit_headers(self, rate_limit: int) -> dict[str, str]:
        """Limits and what remains of them: jobs a second, results a month."""
        a_second = rate_limit or _PLENTY
        return {
            "x-ratelimit-jobs-limit": str(a_second),
            "x-ratelimit-jobs-remaining": str(max(0, a_second - self._in_this_second())),
            "x-ratelimit-monthly-limit": str(_A_MONTH),
            "x-ratelimit-monthly-remaining": str(max(0, _A_MONTH - self.billed)),
        }
