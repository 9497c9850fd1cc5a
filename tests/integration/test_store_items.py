"""Items in real PostgreSQL: claimed in order by one at a time, settled once, fenced by owner."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from stored import COFFEE, TEA, Booked, Store, opened_store, products, sellers_page

from collector.database import Database
from collector.errors import BudgetExhausted, OwnershipLost, Unavailable
from collector.models import Item, NewItem, Product, ProductPage, RunOptions
from collector.settling import book_failure
from collector.store import items, moves, requests
from collector.words import ItemKind, PauseReason, RunStatus


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with opened_store(database) as store:
        yield store


def add_lists(store: Store, run_id: object, count: int) -> None:
    """Further items, the later ones the more urgent."""
    added = [
        NewItem(ItemKind.BEST_SELLERS, f"extra {n:03}", 1, COFFEE.node_id, "Coffee", 1000 - n)
        for n in range(count)
    ]
    assert store(lambda c: items.add(c, run_id, added)) == count  # type: ignore[arg-type]


def keys(store: Store, claimed: list[Item]) -> list[str]:
    return [
        store.value("SELECT key FROM collection_items WHERE id = :id", id=item.id)
        for item in claimed
    ]


def test_items_are_claimed_by_priority_and_then_by_age(store: Store) -> None:
    run_id, owner_id = store.running(COFFEE, TEA)
    add_lists(store, run_id, 5)
    claimed = store.claim(run_id, owner_id, 4)
    assert keys(store, claimed) == ["289754:1", "3610841:1", "extra 004", "extra 003"]
    assert claimed[0] == Item(
        id=claimed[0].id,
        run_id=run_id,
        kind=ItemKind.BEST_SELLERS,
        page=1,
        node_id="289754",
        category="Home & Kitchen › Coffee",
    )
    assert keys(store, store.claim(run_id, owner_id, 100)) == [
        "extra 002",
        "extra 001",
        "extra 000",
    ]
    assert store.claim(run_id, owner_id) == []


def test_two_connections_never_claim_the_same_item_nor_wait_for_each_other(store: Store) -> None:
    run_id, owner_id = store.running()
    add_lists(store, run_id, 9)
    with store.engine.connect() as one, store.engine.connect() as other:
        first = items.claim(one, run_id, owner_id=owner_id, limit=6)
        other.execute(text("SET lock_timeout = '1s'"))
        second = items.claim(other, run_id, owner_id=owner_id, limit=6)
        one.commit()
        other.commit()
    assert (len(first), len(second)) == (6, 4)
    assert len({item.id for item in [*first, *second]}) == 10


def test_many_claims_at_once_take_every_item_exactly_once(store: Store) -> None:
    run_id, owner_id = store.running()
    add_lists(store, run_id, 199)
    taken: list[int] = []

    def take() -> None:
        while claimed := store.claim(run_id, owner_id, 7):
            assert len(claimed) <= 7
            taken.extend(item.id for item in claimed)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(take) for _ in range(6)]:
            done.result()
    assert len(taken) == len(set(taken)) == 200


def test_a_claim_takes_no_more_than_its_limit_whatever_the_plan(store: Store) -> None:
    """A subquery that locks rows may be run again for each row that it is joined with."""
    run_id, owner_id = store.running()
    store(lambda c: c.execute(text("ANALYZE collection_items")))
    add_lists(store, run_id, 60)
    with store.engine.begin() as conn:
        for way in ("hashagg", "sort", "hashjoin", "mergejoin", "material"):
            conn.execute(text(f"SET LOCAL enable_{way} = off"))
        taken = [len(items.claim(conn, run_id, owner_id=owner_id, limit=7)) for _ in range(9)]
    assert taken == [7] * 8 + [5]


@pytest.mark.parametrize("status", ["paused", "taken over"])
def test_nothing_is_claimed_by_whoever_does_not_work_on_a_running_run(
    store: Store, status: str
) -> None:
    run_id, owner_id = store.running()
    if status == "paused":
        move_to = RunStatus.PAUSED
        reason = PauseReason.OPERATOR
        store(lambda c: moves.move(c, run_id, move_to, reason=reason, owner_id=owner_id))
        assert store.claim(run_id, owner_id) == []
    else:
        assert store.claim(run_id, store.new_owner()[0]) == []


def test_a_run_is_exhausted_when_nothing_is_pending_or_under_way(store: Store) -> None:
    options = RunOptions(pages_per_list=1)
    run_id, owner_id = store.running(options=options)

    def exhausted() -> bool:
        return store(lambda c: items.is_exhausted(c, run_id))

    assert not exhausted()
    (page,) = store.claim(run_id, owner_id)
    assert not exhausted()
    store.settle(page, owner_id, products(), options=options)
    assert exhausted()


def test_a_settled_list_adds_its_searches_and_its_next_page(store: Store) -> None:
    run_id, owner_id = store.running()
    (page,) = store.claim(run_id, owner_id)
    settled = store.settle(page, owner_id, products("B01", "B02"))
    assert settled is not None
    assert (settled.products, settled.items_added) == (2, 3)
    assert store.statuses(run_id) == {
        "289754:1": "done",
        "B01:1": "pending",
        "B02:1": "pending",
        "289754:2": "pending",
    }
    run = store.run(run_id)
    assert (run.products_total, run.lists_done, run.requests, run.requests_billed) == (2, 0, 1, 1)
    second = next(i for i in store.claim(run_id, owner_id) if i.kind is ItemKind.BEST_SELLERS)
    store.settle(second, owner_id, products("B03"))
    assert store.run(run_id).lists_done == 1
    assert "289754:3" not in store.statuses(run_id)


def test_a_search_asks_for_the_prices_of_dropshippers(store: Store) -> None:
    _, _, (search,) = store.searching("B01")
    assert (search.price_from_cents, search.price_to_cents) == (3600, 4400)


def test_a_product_of_two_categories_is_searched_once(store: Store) -> None:
    options = RunOptions(pages_per_list=1)
    run_id, owner_id = store.running(COFFEE, TEA, options=options)
    one, other = store.claim(run_id, owner_id)
    store.settle(one, owner_id, products("B01", "B02"), options=options)
    settled = store.settle(other, owner_id, products("B02", "B03"), options=options)
    assert settled is not None
    assert (settled.items_added, settled.products_elsewhere) == (1, 1)
    assert store.run(run_id).products_total == 3
    assert [k for k in store.statuses(run_id) if k.startswith("B")] == ["B01:1", "B02:1", "B03:1"]
    assert store.value("SELECT count(*) FROM run_products WHERE run_id = :id", id=run_id) == 4


def test_two_lists_that_share_products_can_be_settled_at_once(store: Store) -> None:
    """Both name the same products in another order: neither waits in a circle."""
    options = RunOptions(pages_per_list=1)
    asins = [f"B{n:02}" for n in range(40)]
    for _ in range(5):
        run_id, owner_id = store.running(COFFEE, TEA, options=options)
        claimed = store.claim(run_id, owner_id)
        together = threading.Barrier(2)

        def settle(
            item: Item,
            order: list[str],
            owner_id: int = owner_id,
            together: threading.Barrier = together,
        ) -> None:
            together.wait()
            store.settle(item, owner_id, products(*order), options=options)

        with ThreadPoolExecutor(2) as pool:
            both = [
                pool.submit(settle, claimed[0], asins),
                pool.submit(settle, claimed[1], asins[::-1]),
            ]
            for done in both:
                done.result()
        assert store.run(run_id).products_total == 40
        assert list(store.statuses(run_id).values()).count("pending") == 40


def test_a_product_without_a_dollar_price_is_kept_and_not_searched(store: Store) -> None:
    options = RunOptions(pages_per_list=1)
    run_id, owner_id = store.running(options=options)
    (page,) = store.claim(run_id, owner_id)
    skipped = Product("B02", "Dear", 2, None, "EUR", skip_reason="priced in EUR")
    settled = store.settle(
        page,
        owner_id,
        ProductPage(1, (*products("B01").products, skipped)),
        options=options,
    )
    assert settled is not None
    assert (settled.products, settled.products_skipped, settled.items_added) == (2, 1, 1)
    run = store.run(run_id)
    assert (run.products_total, run.products_skipped) == (1, 1)


def test_an_item_settled_twice_counts_once(store: Store) -> None:
    """A commit whose answer was lost with the connection is sent again."""
    run_id, owner_id, (search,) = store.searching("B01")
    booked = store.reserve(search, owner_id)
    assert store.settle(search, owner_id, sellers_page("ann", "bob"), booked=booked) is not None
    before = store.run(run_id)
    assert store.settle(search, owner_id, sellers_page("ann", "bob"), booked=booked) is None
    assert store.run(run_id) == before
    assert (before.sellers_found, before.sellers_new, before.products_searched) == (2, 2, 1)
    assert store.value("SELECT count(*) FROM seller_audit_log") == 1
    assert store.value("SELECT sum(listings) FROM seller_sightings") == 2


def test_a_search_goes_on_to_its_next_page_and_counts_the_product_at_its_end(store: Store) -> None:
    run_id, owner_id, (search,) = store.searching("B01")
    options = RunOptions(pages_per_search=2)
    store.settle(search, owner_id, sellers_page("ann", has_more=True), options=options)
    assert store.run(run_id).products_searched == 0
    (second,) = store.claim(run_id, owner_id)
    assert (second.page, second.title, second.price_from_cents) == (2, search.title, 3600)
    store.settle(second, owner_id, sellers_page("bob", has_more=True), options=options)
    assert store.run(run_id).products_searched == 1
    assert store.claim(run_id, owner_id) == []


def test_what_an_item_brings_commits_with_its_status_or_not_at_all(store: Store) -> None:
    run_id, owner_id, (search,) = store.searching("B01")
    before = store.run(run_id)
    # A page that cannot be kept: its last statement but one fails.
    broken = replace(search, run_id=uuid4())
    booked = store.reserve(search, owner_id)
    with pytest.raises(DBAPIError):
        store.settle(broken, owner_id, sellers_page("ann"), booked=booked)
    assert store.statuses(run_id)["B01:1"] == "running"
    assert store.value("SELECT count(*) FROM sellers") == 0
    assert store.run(run_id).sellers_found == before.sellers_found


def test_the_items_of_an_owner_that_lost_the_run_cannot_be_settled(store: Store) -> None:
    run_id, old_id = store.running()
    (page,) = store.claim(run_id, old_id)
    booked = store.reserve(page, old_id)
    store.close()
    new_id, _ = store.new_owner()
    store(lambda c: moves.take_over(c, run_id, owner_id=new_id))
    (again,) = store.claim(run_id, new_id)
    assert again.id == page.id
    with pytest.raises(OwnershipLost):
        store.settle(page, old_id, products("B01"), booked=booked)
    with pytest.raises(OwnershipLost):
        store.reserve(page, old_id)
    with pytest.raises(OwnershipLost):
        store(
            lambda c: items.fail(
                c,
                page,
                owner_id=old_id,
                error_type="x",
                error_stage="fetch",
                error_message="x",
                page=None,
            )
        )
    assert store(lambda c: items.release(c, [page], owner_id=old_id)) == 0
    assert store.claim(run_id, old_id) == []
    # The refused settling has left nothing behind.
    assert store.value("SELECT count(*) FROM run_products") == 0
    assert store.run(run_id).requests_billed == 0
    assert store.settle(again, new_id, products("B01")) is not None


def test_only_the_items_of_dead_owners_are_put_back(store: Store) -> None:
    run_id, owner_id = store.running(COFFEE, TEA)
    dead_id, session = store.new_owner()
    (mine,) = store.claim(run_id, owner_id, 1)
    (theirs,) = store(
        lambda c: items.claim(c, run_id, owner_id=dead_id, run_owner_id=owner_id, limit=1)
    )
    assert store(lambda c: moves.recover(c, run_id)) == 0
    session.close()
    # The server notices a moment later that a client has hung up.
    deadline = time.monotonic() + 10
    while not (recovered := store(lambda c: moves.recover(c, run_id))):
        assert time.monotonic() < deadline
    assert recovered == 1
    assert store.statuses(run_id) == {"289754:1": "running", "3610841:1": "pending"}
    assert [i.id for i in store.claim(run_id, owner_id)] == [theirs.id]
    assert mine.id != theirs.id


def test_a_claim_that_was_lost_with_the_connection_is_put_back(store: Store) -> None:
    run_id, owner_id = store.running(COFFEE, TEA)
    known, lost = store.claim(run_id, owner_id)
    assert store(lambda c: items.release_strays(c, run_id, owner_id=owner_id, held=[known.id])) == 1
    assert [i.id for i in store.claim(run_id, owner_id)] == [lost.id]


def fail(store: Store, item: Item, owner_id: int, *, kind: str = "blocked", page: str = "") -> None:
    store(
        lambda c: items.fail(
            c,
            item,
            owner_id=owner_id,
            error_type=kind,
            error_stage="parse",
            error_message="A wall.",
            page=page or None,
        )
    )


def test_a_failed_item_is_kept_with_its_error_and_can_be_put_back(store: Store) -> None:
    run_id, owner_id, searches = store.searching("B01", "B02")
    for search in searches:
        store.reserve(search, owner_id)
        fail(store, search, owner_id)
    row = store.rows("SELECT * FROM collection_items WHERE key = 'B01:1'")[0]
    assert (row.status, row.error_type, row.error_stage, row.error_message, row.attempts) == (
        "failed",
        "blocked",
        "parse",
        "A wall.",
        1,
    )
    assert row.settled_at is not None
    assert store(lambda c: items.release(c, searches[:1], owner_id=owner_id)) == 1
    assert store(lambda c: items.retry_failed(c, run_id)) == 1
    again = store.claim(run_id, owner_id)
    assert {item.id for item in again} == {item.id for item in searches}
    assert store.value("SELECT count(*) FROM collection_items WHERE error_type IS NOT NULL") == 0


def test_one_failed_page_is_kept_of_each_kind_of_error(store: Store) -> None:
    run_id, owner_id, searches = store.searching("B01", "B02", "B03")
    for search, kind in zip(searches, ("blocked", "blocked", "page_not_understood"), strict=True):
        fail(store, search, owner_id, kind=kind, page=f"<p>{kind} \x00 {search.asin}</p>")
    pages = store.rows("SELECT error_type, item_id, page FROM failed_pages ORDER BY error_type")
    assert [(p.error_type, p.item_id) for p in pages] == [
        ("blocked", searches[0].id),
        ("page_not_understood", searches[2].id),
    ]
    assert "\x00" not in pages[0].page
    assert run_id is not None


def test_a_failed_page_is_cut_where_it_is_endless(store: Store) -> None:
    _, owner_id, (search,) = store.searching("B01")
    fail(store, search, owner_id, page="x" * (items.KEPT_PAGE_CHARACTERS + 10))
    assert store.value("SELECT length(page) FROM failed_pages") == items.KEPT_PAGE_CHARACTERS


def test_a_budget_is_a_ceiling_for_twenty_reservations_at_once(store: Store) -> None:
    run_id, owner_id = store.running(budget=7)
    (page,) = store.claim(run_id, owner_id)
    together = threading.Barrier(20)
    refused: list[str] = []
    engine = create_engine(store.database.url, pool_size=20)

    def reserve() -> int:
        together.wait()
        try:
            with engine.begin() as conn:
                return requests.reserve_request(conn, page, owner_id=owner_id).request_id or -1
        except BudgetExhausted as error:
            refused.append(str(error))
            return 0

    with ThreadPoolExecutor(20) as pool:
        reserved = [done.result() for done in [pool.submit(reserve) for _ in range(20)]]
    engine.dispose()
    assert len({each for each in reserved if each}) == 7
    assert len(refused) == 13
    assert all("7 requests" in message for message in refused)
    assert store.run(run_id).requests == 7
    assert store.value("SELECT count(*) FROM collection_requests") == 7
    assert store.value("SELECT attempts FROM collection_items WHERE id = :id", id=page.id) == 7


def test_no_statement_can_push_the_requests_over_the_budget(store: Store) -> None:
    run_id, _ = store.running(budget=3)
    with pytest.raises(DBAPIError, match="budget_is_a_ceiling"):
        store(
            lambda c: c.execute(
                text("UPDATE collection_runs SET requests = 4 WHERE id = :id"), {"id": run_id}
            )
        )


@pytest.mark.parametrize(("billed", "count"), [(True, 1), (False, 0)])
def test_a_failed_request_is_booked_once_and_billed_as_the_provider_does(
    store: Store, billed: bool, count: int
) -> None:
    run_id, owner_id = store.running()
    (page,) = store.claim(run_id, owner_id)
    booked = store.reserve(page, owner_id)
    error = Unavailable("500", billed=billed)
    for _ in range(2):
        store(
            lambda c: book_failure(
                c, page, error, request_id=booked.request_id, duration_ms=booked.duration_ms
            )
        )
    assert store.run(run_id).requests_billed == count
    row = store.rows("SELECT * FROM collection_requests")[0]
    assert (row.outcome, row.billed, row.duration_ms) == ("unavailable", billed, 5)


def test_a_request_that_never_left_is_given_back_once(store: Store) -> None:
    run_id, owner_id = store.running(budget=3)
    (page,) = store.claim(run_id, owner_id)
    kept, unsent = store.reserve(page, owner_id), store.reserve(page, owner_id)
    for _ in range(2):
        store(lambda c: requests.give_back(c, unsent.request_id))
    assert store.run(run_id).requests == 1
    assert store.value("SELECT attempts FROM collection_items WHERE id = :id", id=page.id) == 1
    assert store.value("SELECT id FROM collection_requests") == kept.request_id


def test_booking_a_request_twice_tells_so(store: Store) -> None:
    run_id, owner_id = store.running()
    (page,) = store.claim(run_id, owner_id)
    booked: Booked = store.reserve(page, owner_id)

    def book() -> bool:
        return store(
            lambda c: requests.book(c, booked.request_id, outcome="ok", billed=True, duration_ms=1)
        )

    assert [book(), book()] == [True, False]
    assert run_id is not None
