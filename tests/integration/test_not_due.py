"""Products that are not due: what a run leaves out, counts, and keeps consistent."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from stored import COFFEE, TEA, Store, opened_store, products, sellers_page

from collector.database import Database
from collector.models import Item, RunOptions
from collector.settling import settle_list
from collector.store import items, moves
from collector.words import RunStatus, Source

WHOLE = RunOptions(pages_per_list=1)
FRUGAL = RunOptions(pages_per_list=1, search_again_days=2)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with opened_store(database) as store:
        yield store


def begun(
    store: Store,
    *asins: str,
    options: RunOptions = FRUGAL,
    listed: Mapping[str, Any] | None = None,
    **given: Any,
) -> tuple[UUID, int, list[Item]]:
    """A run whose one list holds these products, and the searches that it comes to."""
    run_id, owner_id = store.running(options=options, **given)
    (page,) = store.claim(run_id, owner_id)
    store.settle(page, owner_id, products(*asins, **(listed or {})), options=options)
    return run_id, owner_id, store.claim(run_id, owner_id, 100)


def ended(
    store: Store, run_id: UUID, owner_id: int, status: RunStatus = RunStatus.COMPLETED
) -> UUID:
    store(lambda c: moves.move(c, run_id, status, owner_id=owner_id))
    return run_id


def walked(
    store: Store,
    seen: Mapping[str, Sequence[str]],
    *,
    options: RunOptions = WHOLE,
    **given: Any,
) -> UUID:
    """A whole run: by product, the sellers that its search sees, should it be searched."""
    run_id, owner_id, searches = begun(store, *seen, options=options, **given)
    for search in searches:
        page = sellers_page(*seen[search.asin or ""])
        store.settle(search, owner_id, page, options=options)
    return ended(store, run_id, owner_id)


def covered(store: Store, run_id: UUID) -> dict[str, UUID]:
    """By product and list, the run whose search covers it."""
    return {
        f"{row.asin} on {row.node_id}": row.covered_by_run_id
        for row in store.rows(
            "SELECT * FROM run_products WHERE run_id = :id AND covered_by_run_id IS NOT NULL",
            id=run_id,
        )
    }


def searched(items: Sequence[Item]) -> list[str]:
    return sorted(item.asin or "" for item in items)


def counted(store: Store, run_id: UUID) -> tuple[int, int]:
    run = store.run(run_id)
    return run.products_total, run.products_covered


def test_a_product_searched_lately_is_left_out_and_counted(store: Store) -> None:
    first = walked(store, {"B1": ["ann"], "B2": []})
    run_id, owner_id = store.running(options=FRUGAL, day=1)
    (page,) = store.claim(run_id, owner_id)

    settled = store.settle(page, owner_id, products("B1", "B2", "B3"), options=FRUGAL)

    assert settled is not None
    assert (settled.products, settled.products_covered, settled.products_elsewhere) == (3, 2, 0)
    assert searched(store.claim(run_id, owner_id)) == ["B3"]
    node = COFFEE.node_id
    assert covered(store, run_id) == {f"B1 on {node}": first, f"B2 on {node}": first}
    assert counted(store, run_id) == (1, 2)


def test_without_the_option_every_product_is_searched(store: Store) -> None:
    walked(store, {"B1": ["ann"]})
    run_id, _, searches = begun(store, "B1", options=WHOLE)
    assert searched(searches) == ["B1"]
    assert counted(store, run_id) == (1, 0)


@pytest.mark.parametrize(
    ("first", "then", "given", "is_due"),
    [
        ({}, {}, {"day": 1}, False),
        ({}, {}, {"day": 2}, True),
        ({}, {}, {"day": 1, "listed": {"titled": "Another"}}, True),
        ({}, {}, {"day": 1, "listed": {"cents": 2001}}, True),
        ({}, {"price_to_factor": 2.3}, {"day": 1}, True),
        ({"results_per_page": 60}, {}, {"day": 1}, True),
        ({"geo_location": "10001"}, {}, {"day": 1}, True),
        ({"workers": 9}, {}, {"day": 1}, False),
        ({"pages_per_search": 1}, {}, {"day": 1}, False),
    ],
)
def test_what_makes_a_product_due(
    store: Store,
    first: dict[str, Any],
    then: dict[str, Any],
    given: dict[str, Any],
    is_due: bool,
) -> None:
    walked(store, {"B1": ["ann"]}, options=WHOLE.model_copy(update=first))
    _, _, searches = begun(store, "B1", options=FRUGAL.model_copy(update=then), **given)
    assert searched(searches) == (["B1"] if is_due else [])


def test_a_shallower_search_does_not_cover_a_deeper_one(store: Store) -> None:
    one_page = WHOLE.model_copy(update={"pages_per_search": 1})
    run_id, owner_id, (search,) = begun(store, "B1", options=one_page)
    store.settle(search, owner_id, sellers_page("ann", has_more=True), options=one_page)
    ended(store, run_id, owner_id)
    _, _, deep = begun(store, "B1", day=1)
    assert searched(deep) == ["B1"]
    shallow = FRUGAL.model_copy(update={"pages_per_search": 1})
    _, _, none = begun(store, "B1", options=shallow, day=1)
    assert none == []


def test_a_search_that_failed_is_due_again_and_covers_once_it_was_retried(store: Store) -> None:
    first, owner_id, (search,) = begun(store, "B1", options=WHOLE)
    store.settle(search, owner_id, sellers_page("ann", has_more=True), options=WHOLE)
    (second_page,) = store.claim(first, owner_id)
    store(
        lambda c: items.fail(
            c,
            second_page,
            owner_id=owner_id,
            error_type="blocked",
            error_stage="parse",
            error_message="A wall.",
            page=None,
        )
    )
    _, _, searches = begun(store, "B1", day=1)
    assert searched(searches) == ["B1"]

    store(lambda c: items.retry_failed(c, first))
    (again,) = store.claim(first, owner_id)
    store.settle(again, owner_id, sellers_page("bob"), options=WHOLE)
    run_id, _, searches = begun(store, "B1", day=1)
    assert searches == []
    assert set(covered(store, run_id).values()) == {first}


def test_a_capped_run_covers_what_it_searched_to_the_end(store: Store) -> None:
    first, owner_id, (search, _) = begun(store, "B1", "B2", options=WHOLE)
    store.settle(search, owner_id, sellers_page("ann"), options=WHOLE)
    ended(store, first, owner_id, RunStatus.CANCELLED)
    run_id, _, searches = begun(store, "B1", "B2", day=1)
    assert searched(searches) == ["B2"]
    assert set(covered(store, run_id).values()) == {first}


def test_the_latest_complete_search_counts_and_not_a_chain(store: Store) -> None:
    """Who is covered today does not cover tomorrow: the search itself grows old."""
    first = walked(store, {"B1": ["ann"]})
    walked(store, {"B1": ["ann"]}, options=FRUGAL, day=1)
    third, owner_id, searches = begun(store, "B1", day=2)
    assert searched(searches) == ["B1"]
    store.settle(searches[0], owner_id, sellers_page("ann"), options=FRUGAL)
    fourth, _, none = begun(store, "B1", day=3)
    assert none == []
    assert set(covered(store, fourth).values()) == {third} != {first}


def test_real_runs_count_days_by_the_clock_and_sources_do_not_mix(store: Store) -> None:
    walked(store, {"B1": ["ann"]})
    _, _, searches = begun(store, "B1", source=Source.OXYLABS)
    assert searched(searches) == ["B1"]
    real = walked(store, {"B1": ["ann"]}, source=Source.OXYLABS)
    ago = "UPDATE product_searches SET searched_at = clock_timestamp() - interval '47 hours'"
    store(lambda c: c.execute(text(ago)))
    run_id, _, none = begun(store, "B1", source=Source.OXYLABS)
    assert none == []
    assert set(covered(store, run_id).values()) == {real}
    store(lambda c: c.execute(text(ago.replace("47", "49"))))
    _, _, searches = begun(store, "B1", source=Source.OXYLABS)
    assert searched(searches) == ["B1"]


def two_lists(store: Store) -> tuple[UUID, int, Item, Item]:
    run_id, owner_id = store.running(COFFEE, TEA, options=FRUGAL, day=1)
    first, second = store.claim(run_id, owner_id)
    return run_id, owner_id, first, second


def test_a_product_on_two_lists_is_covered_once(store: Store) -> None:
    """Also where the second list calls it otherwise: one run decides once."""
    first_run = walked(store, {"B1": ["ann"]})
    run_id, owner_id, coffee, tea = two_lists(store)
    store.settle(coffee, owner_id, products("B1"), options=FRUGAL)
    settled = store.settle(tea, owner_id, products("B1", titled="Tea"), options=FRUGAL)
    assert settled is not None
    assert (settled.products_covered, settled.products_elsewhere) == (1, 0)
    assert store.claim(run_id, owner_id) == []
    assert counted(store, run_id) == (0, 1)
    assert list(covered(store, run_id).values()) == [first_run, first_run]


def test_a_product_on_two_lists_is_searched_once(store: Store) -> None:
    walked(store, {"B1": ["ann"]})
    run_id, owner_id, coffee, tea = two_lists(store)
    store.settle(coffee, owner_id, products("B1", titled="Coffee"), options=FRUGAL)
    settled = store.settle(tea, owner_id, products("B1"), options=FRUGAL)
    assert settled is not None
    assert (settled.products_covered, settled.products_elsewhere) == (0, 1)
    assert searched(store.claim(run_id, owner_id)) == ["B1"]
    assert counted(store, run_id) == (1, 0)
    assert covered(store, run_id) == {}


@pytest.mark.parametrize("first_title", ["Product", "Coffee"])
def test_two_lists_that_are_settled_at_once_decide_alike(store: Store, first_title: str) -> None:
    walked(store, {"B1": ["ann"], "B2": ["bob"]})
    run_id, owner_id, coffee, tea = two_lists(store)
    bookings = [store.reserve(item, owner_id) for item in (coffee, tea)]
    second_begins, pages = (
        threading.Event(),
        (
            products("B2", "B1", titled=first_title),
            products("B1", "B2", titled="Product" if first_title == "Coffee" else "Tea"),
        ),
    )

    def settle_second() -> None:
        second_begins.set()
        store.settle(tea, owner_id, pages[1], booked=bookings[1], options=FRUGAL)

    second = threading.Thread(target=settle_second)
    with store.engine.begin() as conn:
        settle_list(conn, coffee, pages[0], booking=bookings[0], owner_id=owner_id, options=FRUGAL)
        second.start()
        second_begins.wait(10)
        # The other one has come to the products, and waits for this one's commit.
        _until_blocked(store)
    second.join(30)
    assert not second.is_alive()
    if first_title == "Product":
        assert (counted(store, run_id), len(covered(store, run_id))) == ((0, 2), 4)
    else:
        assert (counted(store, run_id), len(covered(store, run_id))) == ((2, 0), 0)


def _until_blocked(store: Store) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    for _ in range(200):
        if store.value(waiting):
            return
        threading.Event().wait(0.05)
    raise AssertionError("the second list never waited for the first")


def test_a_run_resumed_in_the_middle_counts_each_product_once(store: Store) -> None:
    walked(store, {"B1": ["ann"], "B2": ["bob"]})
    options = FRUGAL.model_copy(update={"pages_per_list": 2})
    run_id, owner_id = store.running(options=options, day=1)
    (first,) = store.claim(run_id, owner_id)
    booked = store.reserve(first, owner_id)
    store.settle(first, owner_id, products("B1", "B3"), booked=booked, options=options)
    # The answer to that commit was lost with the connection: it is settled once more, in vain.
    again = store.settle(first, owner_id, products("B1", "B3"), booked=booked, options=options)
    assert again is None
    store.close()
    heir, _ = store.new_owner()
    store(lambda c: moves.take_over(c, run_id, owner_id=heir))
    left = {item.key_page: item for item in map(Left, store.claim(run_id, heir))}
    store.settle(left["list 2"].item, heir, products("B1", "B2"), options=options)
    store.settle(left["B3 1"].item, heir, sellers_page("carl"), options=options)
    assert store.claim(run_id, heir) == []
    assert counted(store, run_id) == (1, 2)
    assert store.run(run_id).products_searched == 1


class Left:
    """An item that was left, and what to call it."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.key_page = f"{item.asin or 'list'} {item.page}"


@pytest.mark.parametrize(
    ("rule", "first", "second", "pages"),
    [
        ("always", ["ann"], ["ann"], 3),
        ("while_new_to_run", ["ann"], ["ann"], 2),
        ("while_new_to_run", ["ann"], ["bob"], 3),
        ("while_new", ["old"], ["zoe"], 1),
        ("while_new", ["ann"], ["old"], 2),
    ],
)
def test_a_paging_rule_ends_a_search(
    store: Store, rule: str, first: list[str], second: list[str], pages: int
) -> None:
    """Its last page says that more follows, and the product counts as searched."""
    walked(store, {"B0": ["old"]})
    options = RunOptions.model_validate({"pages_per_list": 1, "page_on": rule})
    run_id, owner_id, claimed = begun(store, "B1", options=options)
    for names in (first, second, ["last"]):
        if claimed:
            page = sellers_page(*names, has_more=True)
            store.settle(claimed[0], owner_id, page, options=options)
            claimed = store.claim(run_id, owner_id)
    found = store.rows(
        "SELECT page, has_more FROM collection_items WHERE run_id = :id AND asin = 'B1' "
        "ORDER BY page",
        id=run_id,
    )
    assert [tuple(row) for row in found] == [(page, True) for page in range(1, pages + 1)]
    assert store.run(run_id).products_searched == 1
    ended(store, run_id, owner_id)
    # A search that a rule ended excuses none that may go deeper.
    _, _, searches = begun(store, "B1", day=1)
    assert searched(searches) == ([] if pages == 3 else ["B1"])
