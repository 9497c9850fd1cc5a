"""The gauge of the upstream's patience, on a clock given by the test."""

from __future__ import annotations

from dataclasses import dataclass

from collector.policy import SUCCESS_WINDOW_S, Pressure
from collector.pressure import PressureGauge


@dataclass
class Limit:
    limit: int
    remaining: int


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_counts_what_was_usable_and_what_was_not() -> None:
    gauge = PressureGauge()
    for succeeded in (True, True, False, True):
        gauge.count(succeeded=succeeded)
    assert gauge.pressure() == Pressure(succeeded=3, failed=1)


def test_it_forgets_what_is_older_than_five_minutes() -> None:
    clock = Clock()
    gauge = PressureGauge(clock)
    gauge.count(succeeded=False)
    clock.now += SUCCESS_WINDOW_S - 1
    gauge.count(succeeded=True)
    assert gauge.pressure() == Pressure(succeeded=1, failed=1)
    clock.now += 2
    assert gauge.pressure() == Pressure(succeeded=1, failed=0)
    clock.now += SUCCESS_WINDOW_S
    assert gauge.pressure() == Pressure()


def test_of_several_limits_the_one_nearest_to_its_end_counts() -> None:
    limits = [Limit(10_000, 9_000), Limit(50, 4), Limit(0, 0)]
    assert PressureGauge().pressure(limits) == Pressure(limit=50, remaining=4)


def test_without_limits_none_is_known() -> None:
    assert PressureGauge().pressure([Limit(0, 0)]) == Pressure()
