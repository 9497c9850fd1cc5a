"""Facts to decisions: whether to retry, wait, slow down or pause. Pure; whoever asks obeys.

The figures come from the provider's documentation: 429 asks to wait, 5xx, 612 and 613 may be
retried at no cost, 400, 401, 403, 404 and 422 must not be retried, and a domain whose success rate
falls under 40 % over five minutes is limited to one request a second (Oxylabs Web Scraper API,
"Response codes" and "Rate limits").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from collector.errors import (
    BudgetExhausted,
    PageNotUnderstood,
    Refused,
    Throttled,
    TimedOut,
    Unreachable,
    UpstreamError,
)
from collector.words import PauseReason

MAX_ATTEMPTS = 4
MAX_ATTEMPTS_BILLED = 3
MAX_ATTEMPTS_THROTTLED = 12

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
DEFAULT_HOLD_S = 5.0
LONGEST_HOLD_S = 300.0

SUCCESS_WINDOW_S = 300.0
SUCCESS_SAMPLES_NEEDED = 20
# Slowing begins well above the provider's 40 %, so that its limit is not reached.
COMFORTABLE_SUCCESS_RATE = 0.65
LIMITED_SUCCESS_RATE = 0.40
LIMITED_INTERVAL_S = 1.0


class Step(StrEnum):
    """What to do after a failed attempt."""

    RETRY = "retry"
    HOLD = "hold"
    FAIL = "fail"
    PAUSE = "pause"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Decision:
    """A step, with the seconds to wait first or the reason to pause."""

    step: Step
    delay_s: float = 0.0
    reason: PauseReason | None = None


def decide(error: Exception, *, attempt: int, throttled: int, jitter: float) -> Decision:
    """Decide what follows a failed attempt.

    Args:
        error: what the attempt raised.
        attempt: how many attempts of this item have failed, throttled ones left out.
        throttled: how many attempts of this item were throttled (429).
        jitter: a number in [0, 1) that spreads the waits, so that workers do not return at once.
    """
    match error:
        case BudgetExhausted():
            return Decision(Step.PAUSE, reason=PauseReason.BUDGET)
        case Refused():
            return Decision(Step.PAUSE, reason=PauseReason.CREDENTIALS)
        case Throttled():
            if throttled >= MAX_ATTEMPTS_THROTTLED:
                return Decision(Step.FAIL)
            return Decision(Step.HOLD, delay_s=_hold_s(error.retry_after_s, throttled, jitter))
        case UpstreamError() if not error.retryable:
            return Decision(Step.FAIL)
        case UpstreamError():
            limit = MAX_ATTEMPTS_BILLED if _costs(error) else MAX_ATTEMPTS
            if attempt >= limit:
                return Decision(Step.FAIL)
            return Decision(Step.RETRY, delay_s=_delay_s(attempt, error.retry_after_s, jitter))
        case _:
            # Not the upstream's doing: a fault of ours or of the database. Trying on would
            # spend requests whose answers cannot be kept.
            return Decision(Step.ABORT)


def speaks_of_the_target(error: UpstreamError) -> bool:
    """Whether a failure counts against the success rate at the target, by which we are limited.

    What was refused or throttled was no job, and what never arrived nobody counted: a network
    that was away for a while is no reason to crawl afterwards.
    """
    if isinstance(error, Refused | Throttled):
        return False
    return error.billed or not isinstance(error, Unreachable)


def _costs(error: UpstreamError) -> bool:
    return error.billed or isinstance(error, PageNotUnderstood | TimedOut)


def _delay_s(attempt: int, retry_after_s: float | None, jitter: float) -> float:
    delay = min(FIRST_DELAY_S * 2.0 ** (attempt - 1), LONGEST_DELAY_S) * (0.5 + jitter)
    return max(delay, min(retry_after_s or 0.0, LONGEST_HOLD_S))


def _hold_s(retry_after_s: float | None, throttled: int, jitter: float) -> float:
    if retry_after_s is not None:
        # Never earlier than told; a little later, so that five workers are not one burst.
        return min(max(retry_after_s, 0.1), LONGEST_HOLD_S) * (1 + 0.1 * jitter)
    return min(DEFAULT_HOLD_S * 2.0 ** (throttled - 1), LONGEST_HOLD_S) * (0.5 + jitter)


@dataclass(frozen=True, slots=True)
class Pressure:
    """What is known of the upstream's patience.

    Attributes:
        succeeded: answers of the last five minutes that were usable.
        failed: answers of the last five minutes that were not.
        limit: jobs a second that the plan allows, from the rate-limit headers; None if unknown.
        remaining: what of them was left at the latest answer; None if unknown.
    """

    succeeded: int = 0
    failed: int = 0
    limit: int | None = None
    remaining: int | None = None


def interval_s(pressure: Pressure) -> float:
    """Seconds to leave between two requests; 0 where nothing speaks for slowing down."""
    return max(_interval_for_success(pressure), _interval_for_limit(pressure))


def _interval_for_success(pressure: Pressure) -> float:
    total = pressure.succeeded + pressure.failed
    if total < SUCCESS_SAMPLES_NEEDED:
        return 0.0
    rate = pressure.succeeded / total
    if rate >= COMFORTABLE_SUCCESS_RATE:
        return 0.0
    span = COMFORTABLE_SUCCESS_RATE - LIMITED_SUCCESS_RATE
    return min(LIMITED_INTERVAL_S, (COMFORTABLE_SUCCESS_RATE - rate) / span * LIMITED_INTERVAL_S)


def _interval_for_limit(pressure: Pressure) -> float:
    if not pressure.limit or pressure.remaining is None:
        return 0.0
    # With a tenth left, keep to the plan's own pace until the next second begins.
    return 1.0 / pressure.limit if pressure.remaining <= pressure.limit // 10 else 0.0
