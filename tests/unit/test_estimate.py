"""What a run may cost, as a table of facts and figures."""

from __future__ import annotations

from typing import Any

import pytest

from collector.estimate import ANSWER_S, EarlierRun, Estimate, History, estimate
from collector.panel.launching import estimate_words


def estimated(**given: Any) -> Estimate:
    return estimate(
        **{
            "categories": 3,
            "pages_per_list": 2,
            "pages_per_search": 3,
            "workers": 5,
            **given,
        }
    )


def earlier(*runs: tuple[int, int], answer_s: float | None = None) -> History:
    return History(tuple(EarlierRun(*run) for run in runs), answer_s)


@pytest.mark.parametrize(
    ("given", "requests"),
    [
        ({}, (6 + 210, 6 + 900)),
        ({"pages_per_search": 1}, (6 + 210, 6 + 300)),
        ({"pages_per_list": 1}, (3 + 105, 3 + 450)),
        ({"categories": 1, "pages_per_list": 1}, (1 + 35, 1 + 150)),
        ({"budget": 500}, (216, 500)),
        ({"budget": 50}, (50, 50)),
        ({"history": earlier((6, 300))}, (300, 300)),
        ({"history": earlier((6, 300), (10, 600), (2, 80))}, (240, 360)),
        ({"history": earlier((6, 300), (2, 80)), "budget": 290}, (240, 290)),
        # A run whose lists all failed tells nothing.
        ({"history": earlier((0, 12))}, (216, 906)),
    ],
)
def test_requests_are_lists_and_the_searches_they_bring(
    given: dict[str, Any], requests: tuple[int, int]
) -> None:
    assert estimated(**given).requests == requests


@pytest.mark.parametrize(
    ("history", "requests"),
    [
        (History(not_due=40, not_due_requests=50), (166, 856)),
        # The lists are read all the same.
        (History(not_due=900, not_due_requests=900), (6, 6)),
        # Half of the products were not due then: all of them would have cost twice the searches.
        (History((EarlierRun(6, 106, searched=80, covered=80),)), (206, 206)),
        # Nothing was due then: that tells nothing of the searches.
        (History((EarlierRun(6, 6, searched=0, covered=160),)), (216, 906)),
    ],
)
def test_what_is_not_due_costs_nothing_and_hides_nothing(
    history: History, requests: tuple[int, int]
) -> None:
    assert estimated(history=history).requests == requests


def test_the_time_is_shared_by_the_workers() -> None:
    slow, quick = estimated(workers=1), estimated(workers=10)
    assert slow.duration_s == (216 * ANSWER_S, 906 * ANSWER_S)
    assert quick.duration_s == pytest.approx((21.6 * ANSWER_S, 90.6 * ANSWER_S))


def test_answers_take_as_long_as_in_the_latest_run() -> None:
    found = estimated(history=earlier((6, 300), answer_s=2.0))
    assert found.duration_s == (120.0, 120.0)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (estimated(), "About 216 to 906 requests, 4 min to 15 min with 5 workers."),
        (
            estimated(history=earlier((6, 300))),
            "About 300 requests, 5 min with 5 workers, as in 1 earlier run.",
        ),
        (
            estimated(history=earlier((6, 300), (6, 1200)), budget=1000),
            "About 300 to 1,000 requests, 5 min to 17 min with 5 workers, as in 2 earlier runs. "
            "The budget of 1,000 ends it.",
        ),
        (
            estimated(history=History(not_due=40, not_due_requests=50)),
            "About 166 to 856 requests, 3 min to 14 min with 5 workers. 40 products are not due: "
            "left out of it.",
        ),
    ],
)
def test_an_estimate_says_what_it_rests_on(found: Estimate, words: str) -> None:
    assert estimate_words(found) == words
