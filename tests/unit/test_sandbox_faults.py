"""Faults on purpose: read from a text, drawn per request, the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest

from collector.errors import SandboxError
from collector.sandbox.faults import BILLED, KINDS, FaultDraw, parse_faults
from collector.sandbox.request_log import KEPT, RequestLog


def test_rates_are_read_from_a_list() -> None:
    assert parse_faults("429=0.05, 500=0.1") == {"429": 0.05, "500": 0.1}
    assert parse_faults("") == {}


def test_all_spreads_its_rate_over_every_kind() -> None:
    rates = parse_faults("all=0.9,429=0.1")
    assert set(rates) == set(KINDS) == set(BILLED)
    assert rates["429"] == pytest.approx(0.2)
    assert rates["wall"] == pytest.approx(0.1)
    assert sum(parse_faults("all=1").values()) == pytest.approx(1)


@pytest.mark.parametrize("text", ["429", "429=x", "429=-1", "429=2", "418=0.1", "=0.1", "500=nan"])
def test_a_rate_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(SandboxError, match="kind=rate"):
        parse_faults(text)


def test_rates_beyond_certainty_are_refused() -> None:
    with pytest.raises(SandboxError, match="exceed 1"):
        parse_faults("429=0.6,500=0.6")


def test_faults_come_as_often_as_asked_and_a_retry_draws_anew() -> None:
    draw = FaultDraw(parse_faults("all=0.3"), seed=1)
    queries = [f"query {n}" for n in range(1000)]
    first = [draw.next(query) for query in queries]
    again = [draw.next(query) for query in queries]
    assert 0.26 < sum(fault is not None for fault in first) / 1000 < 0.34
    assert set(filter(None, first)) == set(KINDS)
    assert any(one and not other for one, other in zip(first, again, strict=True))


def test_the_same_seed_draws_the_same_whatever_came_in_between() -> None:
    one, other = (FaultDraw({"500": 0.5}, seed=4) for _ in range(2))
    expected = [one.next("a") for _ in range(20)]
    got = []
    for n in range(20):
        other.next(f"noise {n}")
        got.append(other.next("a"))
    assert got == expected
    assert Counter(expected)["500"]


def test_without_rates_nothing_fails() -> None:
    draw = FaultDraw({}, seed=1)
    assert [draw.next("a") for _ in range(50)] == [None] * 50


def test_the_log_keeps_the_last_hundred_thousand_and_counts_them_all() -> None:
    log = RequestLog()
    for _ in range(KEPT + 5):
        log.end(log.begin(day=0))
    assert log.total == KEPT + 5
    assert len(log.entries()) == KEPT
    assert log.entries(after=KEPT)[0]["number"] == KEPT + 1
    log.clear()
    assert (log.total, log.entries()) == (0, [])
