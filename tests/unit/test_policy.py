"""The policy as a table: what follows which error, how long to wait, how fast to go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import (
    BadRequest,
    Blocked,
    BudgetExhausted,
    MalformedAnswer,
    OwnershipLost,
    PageNotUnderstood,
    Refused,
    TargetFailed,
    Throttled,
    TimedOut,
    Unavailable,
    Unreachable,
    UpstreamError,
)
from collector.policy import (
    LIMITED_INTERVAL_S,
    LONGEST_HOLD_S,
    MAX_ATTEMPTS,
    MAX_ATTEMPTS_BILLED,
    MAX_ATTEMPTS_THROTTLED,
    Decision,
    Pressure,
    Step,
    decide,
    interval_s,
    speaks_of_the_target,
)
from collector.words import PauseReason

FREE = [Unavailable("500"), Unavailable("612"), Unreachable("no network")]
BILLED = [
    TimedOut("180 s"),
    MalformedAnswer("cut"),
    TargetFailed("520"),
    PageNotUnderstood("?"),
    Blocked("a wall"),
    Unreachable("cut in the middle", billed=True),
]


def by_name(value: object) -> str | None:
    return f"{type(value).__name__}" if isinstance(value, Exception) else None


@pytest.mark.parametrize(
    ("error", "attempt", "throttled", "step", "delay_s", "reason"),
    [
        (Unavailable("500"), 1, 1, Step.RETRY, 1.0, None),
        (Unavailable("500"), 2, 1, Step.RETRY, 2.0, None),
        (Unavailable("500"), 3, 1, Step.RETRY, 4.0, None),
        (Unavailable("500"), 4, 1, Step.FAIL, 0.0, None),
        (Unavailable("503", retry_after_s=9), 1, 1, Step.RETRY, 9.0, None),
        (Unreachable("no network"), 1, 1, Step.RETRY, 1.0, None),
        (TimedOut("180 s"), 2, 1, Step.RETRY, 2.0, None),
        (TimedOut("180 s"), 3, 1, Step.FAIL, 0.0, None),
        (MalformedAnswer("cut"), 3, 1, Step.FAIL, 0.0, None),
        (PageNotUnderstood("?"), 3, 1, Step.FAIL, 0.0, None),
        (Blocked("a wall"), 2, 1, Step.RETRY, 2.0, None),
        (BadRequest("400"), 1, 1, Step.FAIL, 0.0, None),
        (BadRequest("422"), 1, 1, Step.FAIL, 0.0, None),
        (Refused("401"), 1, 1, Step.PAUSE, 0.0, PauseReason.CREDENTIALS),
        (Refused("403"), 3, 1, Step.PAUSE, 0.0, PauseReason.CREDENTIALS),
        (BudgetExhausted("spent"), 1, 1, Step.PAUSE, 0.0, PauseReason.BUDGET),
        (Throttled("429", retry_after_s=20), 1, 1, Step.HOLD, 21.0, None),
        (Throttled("429", retry_after_s=20), 9, 11, Step.HOLD, 21.0, None),
        (Throttled("429", retry_after_s=0), 1, 1, Step.HOLD, 0.105, None),
        (Throttled("429", retry_after_s=99999), 1, 1, Step.HOLD, 315.0, None),
        (Throttled("429"), 1, 1, Step.HOLD, 5.0, None),
        (Throttled("429"), 1, 2, Step.HOLD, 10.0, None),
        (Throttled("429"), 1, 11, Step.HOLD, 300.0, None),
        (Throttled("429"), 1, 12, Step.FAIL, 0.0, None),
        (OwnershipLost("gone"), 1, 1, Step.ABORT, 0.0, None),
        (RuntimeError("a bug"), 1, 1, Step.ABORT, 0.0, None),
    ],
    ids=by_name,
)
def test_what_follows_a_failed_attempt(
    error: Exception,
    attempt: int,
    throttled: int,
    step: Step,
    delay_s: float,
    reason: PauseReason | None,
) -> None:
    decision = decide(error, attempt=attempt, throttled=throttled, jitter=0.5)
    assert decision == Decision(step, pytest.approx(delay_s), reason)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", FREE, ids=by_name)
def test_free_answers_are_asked_for_four_times(error: Exception) -> None:
    steps = [decide(error, attempt=n, throttled=1, jitter=0).step for n in range(1, 6)]
    assert steps == [Step.RETRY] * (MAX_ATTEMPTS - 1) + [Step.FAIL] * 2


@pytest.mark.parametrize("error", BILLED, ids=by_name)
def test_billed_answers_are_asked_for_three_times(error: Exception) -> None:
    steps = [decide(error, attempt=n, throttled=1, jitter=0).step for n in range(1, 5)]
    assert steps == [Step.RETRY] * (MAX_ATTEMPTS_BILLED - 1) + [Step.FAIL] * 2


@given(
    attempt=st.integers(1, 3),
    jitter=st.floats(0, 1, exclude_max=True),
    told_s=st.one_of(st.none(), st.floats(0, 1e6)),
)
def test_a_wait_before_a_retry_is_spread_and_never_shorter_than_told(
    attempt: int, jitter: float, told_s: float | None
) -> None:
    error = Unavailable("500", retry_after_s=told_s)
    delay_s = decide(error, attempt=attempt, throttled=1, jitter=jitter).delay_s
    mean_s = 2.0 ** (attempt - 1)
    assert delay_s >= min(told_s or 0, LONGEST_HOLD_S)
    if not told_s:
        assert 0.5 * mean_s <= delay_s <= 1.5 * mean_s


@given(
    throttled=st.integers(1, MAX_ATTEMPTS_THROTTLED - 1),
    jitter=st.floats(0, 1, exclude_max=True),
    told_s=st.one_of(st.none(), st.floats(0, 1e6)),
)
def test_a_hold_is_never_shorter_than_told_and_has_an_end(
    throttled: int, jitter: float, told_s: float | None
) -> None:
    error = Throttled("429", retry_after_s=told_s)
    decision = decide(error, attempt=1, throttled=throttled, jitter=jitter)
    assert decision.step is Step.HOLD
    assert min(told_s or 0, LONGEST_HOLD_S) <= decision.delay_s <= LONGEST_HOLD_S * 1.5


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (Unavailable("500"), True),
        (TargetFailed("520"), True),
        (TimedOut("180 s"), True),
        (PageNotUnderstood("?"), True),
        (Blocked("a wall"), True),
        (Unreachable("cut in the middle", billed=True), True),
        (Unreachable("no network"), False),
        (Throttled("429"), False),
        (Refused("401"), False),
    ],
    ids=by_name,
)
def test_which_failures_count_against_the_success_rate(error: UpstreamError, counts: bool) -> None:
    assert speaks_of_the_target(error) is counts


@pytest.mark.parametrize(
    ("pressure", "seconds"),
    [
        (Pressure(), 0.0),
        (Pressure(succeeded=0, failed=19), 0.0),
        (Pressure(succeeded=0, failed=20), 1.0),
        (Pressure(succeeded=100, failed=0), 0.0),
        (Pressure(succeeded=65, failed=35), 0.0),
        (Pressure(succeeded=60, failed=40), 0.2),
        (Pressure(succeeded=50, failed=50), 0.6),
        (Pressure(succeeded=40, failed=60), 1.0),
        (Pressure(succeeded=10, failed=90), 1.0),
        (Pressure(limit=50, remaining=50), 0.0),
        (Pressure(limit=50, remaining=6), 0.0),
        (Pressure(limit=50, remaining=5), 0.02),
        (Pressure(limit=50, remaining=0), 0.02),
        (Pressure(limit=5, remaining=1), 0.0),
        (Pressure(limit=5, remaining=0), 0.2),
        (Pressure(limit=0, remaining=0), 0.0),
        (Pressure(limit=10, remaining=None), 0.0),
        (Pressure(succeeded=50, failed=50, limit=1, remaining=0), 1.0),
    ],
)
def test_how_far_requests_stand_apart(pressure: Pressure, seconds: float) -> None:
    assert interval_s(pressure) == pytest.approx(seconds)


@given(succeeded=st.integers(0, 10**6), failed=st.integers(0, 10**6))
def test_the_pace_never_falls_under_what_the_provider_limits_to(
    succeeded: int, failed: int
) -> None:
    assert 0 <= interval_s(Pressure(succeeded=succeeded, failed=failed)) <= LIMITED_INTERVAL_S
