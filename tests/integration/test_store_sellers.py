"""The seller list in real PostgreSQL: each seller once, whoever names it and how often."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from stored import COFFEE, TEA, Store, opened_store, products, sellers_page

from collector.database import Database
from collector.models import Item, RunOptions, Seller
from collector.sources.ebay import Card, SearchPage
from collector.store import audit, edits

ONE_PAGE = RunOptions(pages_per_list=1, pages_per_search=1)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with opened_store(database) as store:
        yield store


def named(store: Store, name: str) -> object:
    return store.rows("SELECT * FROM sellers WHERE normalized_name = :name", name=name)[0]


def settle_at_once(store: Store, *jobs: tuple[Item, int, SearchPage]) -> None:
    """Settle searches in as many transactions, all at the same moment."""
    together = threading.Barrier(len(jobs))
    booked = [store.reserve(item, owner_id) for item, owner_id, _ in jobs]

    def settle(number: int) -> None:
        item, owner_id, page = jobs[number]
        together.wait()
        store.settle(item, owner_id, page, booked=booked[number])

    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(settle, number) for number in range(len(jobs))]:
            done.result()


def test_a_page_adds_its_sellers_with_what_it_says_of_them(store: Store) -> None:
    run_id, owner_id, (search,) = store.searching("B01")
    settled = store.settle(search, owner_id, sellers_page("Ann-Shop", "bob", "bob"))
    assert settled is not None
    assert (settled.sellers_on_page, settled.sellers_new, settled.seller_count) == (2, 2, 2)
    assert settled.first_new_seller == "Ann-Shop"
    ann = named(store, "ann-shop")
    assert (ann.display_name, float(ann.feedback_percent), ann.feedback_count) == (  # type: ignore[attr-defined]
        "Ann-Shop",
        99.5,
        100,
    )
    assert (ann.first_run_id, ann.last_run_id, ann.times_seen) == (run_id, run_id, 1)  # type: ignore[attr-defined]
    listings = store.rows(
        "SELECT s.normalized_name AS name, listings FROM seller_sightings "
        "JOIN sellers s ON s.id = seller_id ORDER BY 1"
    )
    assert [(row.name, row.listings) for row in listings] == [("ann-shop", 1), ("bob", 2)]


def test_a_seller_of_many_products_is_new_once_and_seen_once_by_the_run(store: Store) -> None:
    run_id, owner_id, searches = store.searching("B01", "B02", "B03")
    for search in searches:
        store.settle(search, owner_id, sellers_page("ann"))
    run = store.run(run_id)
    assert (run.sellers_found, run.sellers_new) == (1, 1)
    assert named(store, "ann").times_seen == 1  # type: ignore[attr-defined]
    assert store.value("SELECT count(*) FROM seller_sightings") == 3
    assert store.value("SELECT count(*) FROM seller_audit_log") == 1


def test_a_second_run_finds_the_seller_again_and_not_anew(store: Store) -> None:
    for times in (1, 2):
        run_id, owner_id, (search,) = store.searching("B01")
        store.settle(search, owner_id, sellers_page("ann"))
        run = store.run(run_id)
        assert (run.sellers_found, run.sellers_new) == (1, int(times == 1))
        assert named(store, "ann").times_seen == times  # type: ignore[attr-defined]
    assert named(store, "ann").last_run_id == run_id  # type: ignore[attr-defined]
    assert named(store, "ann").first_run_id != run_id  # type: ignore[attr-defined]


def test_the_same_sellers_in_two_transactions_at_once_count_once_each(store: Store) -> None:
    """Named in opposite orders, by two runs: neither waits in a circle."""
    names = [f"seller{n:02}" for n in range(30)]
    for turn in range(4):
        fresh = [f"{name}-{turn}" for name in names]
        one, one_owner, (first,) = store.searching("B01")
        other, other_owner, (second,) = store.searching("B02")
        settle_at_once(
            store,
            (first, one_owner, sellers_page(*fresh)),
            (second, other_owner, sellers_page(*fresh[::-1])),
        )
        found = [store.run(run_id) for run_id in (one, other)]
        assert [run.sellers_found for run in found] == [30, 30]
        assert sum(run.sellers_new for run in found) == 30
        assert store(audit.count) == 30 * (turn + 1)
    assert store.value("SELECT count(*) FROM sellers") == 120
    assert store.value("SELECT count(*) FROM sellers WHERE times_seen = 2") == 120


def test_five_workers_of_one_run_settle_the_same_sellers_at_once(store: Store) -> None:
    run_id, owner_id, searches = store.searching(*(f"B{n}" for n in range(5)))
    names = [f"seller{n:02}" for n in range(20)]
    jobs = [
        (search, owner_id, sellers_page(*names[turn:], *names[:turn]))
        for turn, search in enumerate(searches)
    ]
    settle_at_once(store, *jobs)
    run = store.run(run_id)
    assert (run.sellers_found, run.sellers_new, run.products_searched) == (20, 20, 5)
    assert store.value("SELECT count(*) FROM seller_sightings") == 100
    assert store.value("SELECT sum(times_seen) FROM sellers") == 20


def test_a_removed_seller_is_not_put_back_by_a_run(store: Store) -> None:
    _, owner_id, (search, again) = store.searching("B01", "B02")
    store.settle(search, owner_id, sellers_page("ann", "bob"))
    store(lambda c: edits.remove(c, ["Ann"], actor="me"))
    settled = store.settle(again, owner_id, sellers_page("ANN", "bob"))
    assert settled is not None
    assert (settled.sellers_on_page, settled.sellers_new) == (2, 0)
    assert store(audit.count) == 1
    assert named(store, "ann").removed_at is not None  # type: ignore[attr-defined]


def test_a_name_of_old_leads_to_the_seller_who_bears_the_new_one(store: Store) -> None:
    _, owner_id, (search, again) = store.searching("B01", "B02")
    store.settle(search, owner_id, sellers_page("ann", "bob"))
    store(lambda c: edits.rename(c, "ann", "Anna", actor="me"))
    settled = store.settle(again, owner_id, sellers_page("Ann", "Ann", "Ann"))
    assert settled is not None
    assert (settled.sellers_on_page, settled.sellers_new) == (1, 0)
    names = store.rows("SELECT normalized_name AS name FROM sellers ORDER BY 1")
    assert [row.name for row in names] == ["anna", "bob"]
    assert named(store, "anna").display_name == "Anna"  # type: ignore[attr-defined]
    assert (
        store.value(
            "SELECT listings FROM seller_sightings WHERE asin = 'B02' AND seller_id = :id",
            id=named(store, "anna").id,  # type: ignore[attr-defined]
        )
        == 3
    )


def test_two_names_of_one_seller_on_one_page_are_one_seller(store: Store) -> None:
    run_id, owner_id, (search, again) = store.searching("B01", "B02")
    store.settle(search, owner_id, sellers_page("ann"))
    store(lambda c: edits.rename(c, "ann", "zoe", actor="me"))
    settled = store.settle(again, owner_id, sellers_page("ann", "zoe", "zoe", "bob"))
    assert settled is not None
    assert (settled.sellers_on_page, settled.sellers_new) == (2, 1)
    assert store.run(run_id).sellers_found == 2
    assert (
        store.value(
            "SELECT listings FROM seller_sightings WHERE asin = 'B02' ORDER BY 1 DESC LIMIT 1"
        )
        == 3
    )


def test_a_rename_that_commits_while_a_page_waits_for_it_leaves_one_seller(store: Store) -> None:
    _, owner_id, (search,) = store.searching("B01")
    store.settle(search, owner_id, sellers_page("ann"))
    run_id, owner_id, (search,) = store.searching("B01")
    booked = store.reserve(search, owner_id)
    with ThreadPoolExecutor(1) as pool:
        with store.engine.begin() as conn:
            edits.rename(conn, "ann", "zoe", actor="me")
            page = sellers_page("ann", "bob", "zoe", "zoe")
            waiting = pool.submit(store.settle, search, owner_id, page, booked=booked)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        settled = waiting.result(timeout=30)
    assert settled is not None
    assert (settled.sellers_on_page, settled.sellers_new) == (2, 1)
    assert store.run(run_id).sellers_found == 2
    seen = store.rows("SELECT normalized_name AS name, times_seen FROM sellers ORDER BY 1")
    assert [(row.name, row.times_seen) for row in seen] == [("bob", 1), ("zoe", 2)]
    listings = store.rows(
        "SELECT s.normalized_name AS name, listings FROM seller_sightings "
        "JOIN sellers s ON s.id = seller_id WHERE run_id = :run_id ORDER BY 1",
        run_id=run_id,
    )
    assert [(row.name, row.listings) for row in listings] == [("bob", 1), ("zoe", 3)]


def test_what_a_later_page_does_not_say_of_a_seller_is_not_forgotten(store: Store) -> None:
    _, owner_id, (search, again) = store.searching("B01", "B02")
    store.settle(search, owner_id, sellers_page("ann"))
    silent = Card("1", "Listing", "exact", Seller("ann", None, None))
    store.settle(again, owner_id, SearchPage((silent,), has_more=False, null_search=False))
    assert named(store, "ann").feedback_count == 100  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name",
    [
        "'; DROP TABLE sellers; --",
        "=1+1",
        "<script>alert(1)</script>",
        "%s{0}\\",
        "名前_店",
        "ß" * 64,
    ],
    ids=range(6),
)
def test_a_hostile_name_is_kept_as_text_or_left_out(store: Store, name: str) -> None:
    """It must not end the run: the other sellers of its page are kept."""
    run_id, owner_id, (search,) = store.searching("B01")
    settled = store.settle(search, owner_id, sellers_page(name, "bob"))
    assert settled is not None
    kept = [r.display_name for r in store.rows("SELECT display_name FROM sellers ORDER BY id")]
    fits = len(name.casefold()) <= 64
    assert set(kept) == ({name, "bob"} if fits else {"bob"})
    assert store.run(run_id).products_searched == 1


def test_a_page_without_sellers_is_settled_too(store: Store) -> None:
    run_id, owner_id, (search,) = store.searching("B01")
    settled = store.settle(search, owner_id, SearchPage((), has_more=False, null_search=True))
    assert settled is not None
    assert (settled.sellers_on_page, settled.seller_count) == (0, None)
    assert store.run(run_id).products_searched == 1
    assert store.value("SELECT count(*) FROM seller_audit_log") == 0


def test_after_the_fewer_words_split_no_further_page_is_asked_for(store: Store) -> None:
    _, owner_id, (search,) = store.searching("B01")
    cards = (
        Card("1", "Kettle", "exact", Seller("ann", 99.0, 1)),
        Card("2", "Lamp", "fewer_words", Seller("bob", 99.0, 1)),
    )
    settled = store.settle(search, owner_id, SearchPage(cards, has_more=True, null_search=False))
    assert settled is not None
    assert (settled.sellers_on_page, settled.items_added) == (1, 0)
    assert store.value("SELECT count(*) FROM sellers") == 1


def test_an_export_is_an_audit_entry_that_changes_nothing(store: Store) -> None:
    audit_id = store(
        lambda c: audit.record_export(c, what="sellers", rows=7, actor="me", path_name="s.csv")
    )
    entry = store.rows("SELECT * FROM seller_audit_log WHERE id = :id", id=audit_id)[0]
    assert (entry.action, entry.affected_count, entry.seller_count_snapshot) == ("export", 7, 0)
    assert entry.details == {"what": "sellers", "file": "s.csv"}


def test_both_categories_of_a_run_may_name_the_same_sellers(store: Store) -> None:
    run_id, owner_id = store.running(COFFEE, TEA, options=ONE_PAGE)
    for page in store.claim(run_id, owner_id):
        store.settle(page, owner_id, products(f"B{page.node_id}"), options=ONE_PAGE)
    for search in store.claim(run_id, owner_id):
        store.settle(search, owner_id, sellers_page("ann", "bob"), options=ONE_PAGE)
    run = store.run(run_id)
    assert (run.sellers_found, run.sellers_new, run.products_searched) == (2, 2, 2)
