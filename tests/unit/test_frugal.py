"""When a product is due, and when a search goes on: facts to decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.frugal import goes_on, is_due, price_window
from collector.models import PageOn, RunOptions
from collector.store.product_searches import EarlierSearch

OPTIONS = RunOptions(search_again_days=4)
EARLIER = EarlierSearch(
    run_id=UUID(int=1),
    title="A kettle",
    price_from_cents=1800,
    price_to_cents=2200,
    results_per_page=240,
    geo_location="90210",
    pages=1,
    has_more=False,
    days_ago=1,
)


def due(options: RunOptions = OPTIONS, **changed: Any) -> bool:
    return is_due("A kettle", (1800, 2200), replace(EARLIER, **changed), options)


def test_a_product_that_was_never_searched_is_due() -> None:
    assert is_due("A kettle", (1800, 2200), None, OPTIONS)


def test_every_product_is_due_where_nothing_else_was_asked_for() -> None:
    """Also after a search that seems to lie ahead, for days and clocks can be set back."""
    assert due(RunOptions())
    assert due(RunOptions(), days_ago=-1)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, False),
        ({"days_ago": 3.999}, False),
        ({"days_ago": 4}, True),
        ({"days_ago": float("inf")}, True),
        ({"title": "A kettle, red"}, True),
        ({"price_from_cents": 1801}, True),
        ({"price_to_cents": 2199}, True),
        ({"results_per_page": 60}, True),
        ({"geo_location": "10001"}, True),
        # Three pages are allowed now: one is enough where no further one followed.
        ({"pages": 1, "has_more": True}, True),
        ({"pages": 2, "has_more": True}, True),
        ({"pages": 3, "has_more": True}, False),
        ({"pages": 2, "has_more": False}, False),
    ],
)
def test_a_product_is_due_unless_the_same_was_asked_lately_and_as_deep(
    changed: dict[str, Any], expected: bool
) -> None:
    assert due(**changed) is expected


def test_fewer_pages_are_covered_by_more() -> None:
    shallow = OPTIONS.model_copy(update={"pages_per_search": 2})
    assert not due(shallow, pages=2, has_more=True)
    assert not due(shallow, pages=3, has_more=True)


@pytest.mark.parametrize(
    ("rule", "new_to_run", "new_to_list", "expected"),
    [
        ("always", 0, 0, True),
        ("while_new_to_run", 1, 0, True),
        ("while_new_to_run", 0, 0, False),
        ("while_new", 3, 1, True),
        ("while_new", 3, 0, False),
    ],
)
def test_a_search_goes_on_while_its_page_brought_somebody(
    rule: PageOn, new_to_run: int, new_to_list: int, expected: bool
) -> None:
    assert goes_on(rule, new_to_run=new_to_run, new_to_list=new_to_list) is expected


@given(st.integers(0, 5), st.integers(0, 5))
def test_each_rule_stops_no_later_than_the_one_before_it(to_run: int, to_list: int) -> None:
    """Who is new to the list is new to the run."""
    to_list = min(to_run, to_list)
    on = [goes_on(rule, new_to_run=to_run, new_to_list=to_list) for rule in get_args(PageOn)]
    assert on == sorted(on, reverse=True)


def test_the_price_window_rounds_half_cents_up() -> None:
    assert price_window(1999, RunOptions()) == (3598, 4398)
    assert price_window(1, RunOptions(price_from_factor=0.1, price_to_factor=0.2)) == (1, 2)
