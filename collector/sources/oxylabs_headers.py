"""What the headers of an answer tell: how long to wait, and how much is left. Pure.

Source of the facts: developers.oxylabs.io, "Rate limits"; RFC 9110 for `Retry-After`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# An hour of waiting is longer than any rate limit lasts; more would be a mistake or malice.
_LONGEST_RETRY_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit that an answer's headers named: jobs allowed, and jobs left."""

    name: str
    limit: int
    remaining: int


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait as `Retry-After` tells, from 0 to an hour; None where it tells nothing.

    A date is taken relative to the answer's own `Date`, so that a wrong clock here does no harm;
    relative to `now` where there is none.
    """
    stated = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", stated, re.ASCII):
        return min(float(stated), _LONGEST_RETRY_AFTER_S)
    until = _date(stated)
    if until is None:
        return None
    since = _date(headers.get("date", "")) or now or datetime.now(UTC)
    wait = (until - since).total_seconds()
    return min(max(math.ceil(wait), 0.0), _LONGEST_RETRY_AFTER_S)


def rate_limits(headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
    """The limits in `x-ratelimit-<name>-limit` and `-remaining`, by name, where both are there."""
    found: dict[str, dict[str, int]] = {}
    for header, value in headers.items():
        match = re.fullmatch(r"x-ratelimit-(.{1,100})-(limit|remaining)", header.casefold())
        if match and re.fullmatch(r"\d{1,15}", value.strip(), re.ASCII):
            found.setdefault(match[1], {})[match[2]] = int(value)
    return tuple(
        RateLimit(name, pair["limit"], pair["remaining"])
        for name, pair in sorted(found.items())
        if len(pair) == 2
    )


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
