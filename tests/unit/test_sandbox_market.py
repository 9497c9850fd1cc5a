"""The invented market: the same for everyone who asks, and never the same two days running."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue import SANDBOX_CATEGORIES, shipped
from collector.sandbox import names
from collector.sandbox.answers import InventedAnswers
from collector.sandbox.categories import PRESET_NODES, department_of
from collector.sandbox.chance import log_normal, pick, unit
from collector.sandbox.market import Market, is_node_id

NODES = ["172282", "284507", "3760911", "165793011", "3375251"]


def sellers(day: int, *, seed: int = 1) -> set[str]:
    market = InventedAnswers(Market(seed, list_length=24))
    truth = market.truth(NODES, day=day, low=1.8, high=2.2, pages=3, per_page=240)
    return set(truth["sellers"])


def test_the_same_seed_answers_the_same_in_any_order() -> None:
    questions = [(node, day, page) for node in NODES for day in (0, 5) for page in (1, 2)]
    shuffled = random.Random(3).sample(questions, len(questions))
    first, second = Market(7), Market(7)
    one = {q: first.best_sellers(q[0], day=q[1], page=q[2]) for q in questions}
    other = {q: second.best_sellers(q[0], day=q[1], page=q[2]) for q in shuffled}
    assert one == other


def test_another_seed_is_another_market() -> None:
    asins = [{p.asin for p in Market(seed).best_sellers("172282", day=0)} for seed in (1, 2)]
    assert not asins[0] & asins[1]
    assert not sellers(0, seed=1) & sellers(0, seed=2)


def test_a_list_has_its_length_on_two_pages_and_nothing_after() -> None:
    market = Market(1, list_length=100)
    pages = [market.best_sellers("172282", day=0, page=page) for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [50, 50, 0]
    assert [*pages[0], *pages[1]] == market.best_sellers("172282", day=0)
    assert len({product.asin for product in pages[0] + pages[1]}) == 100


def test_some_products_stand_in_several_lists_and_some_have_no_price() -> None:
    market = Market(1, list_length=100)
    lists = [market.best_sellers(node, day=0) for node in NODES]
    distinct = {product for each in lists for product in each}
    shared = [p for p in distinct if sum(p in each for each in lists) > 1]
    assert 0.04 < len(shared) / len(distinct) < 0.12
    assert 0.01 < sum(p.price_cents is None for p in distinct) / len(distinct) < 0.06
    assert all(500 <= p.price_cents <= 40_000 for p in distinct if p.price_cents is not None)
    assert len({p.asin for p in distinct}) == len(distinct)


def test_lists_are_shuffled_and_a_few_products_replaced_from_day_to_day() -> None:
    market = Market(1, list_length=100)
    today, tomorrow = (market.best_sellers("172282", day=day) for day in (4, 5))
    assert today != tomorrow
    assert 0 < len(set(today) - set(tomorrow)) <= 10


@given(st.integers(0, 10**16 - 1), st.integers(0, 50))
def test_a_name_spells_its_number_and_nothing_else(number: int, key: int) -> None:
    name = names.spell(number, key)
    assert re.fullmatch(r"[a-z]{8} [a-z]{8}", name)
    assert names.unspell(f"=New {name.title()}, for you", key) == number


def test_a_search_by_the_leading_words_of_a_title_finds_its_product() -> None:
    market = Market(1)
    for product in market.best_sellers("172282", day=0):
        words = re.findall(r"\w+", product.title)
        assert market.find(product.title, day=0) == product
        assert market.find(" ".join(words[:4]), day=0) == product
        assert market.find(" ".join(words[:2]), day=0) == product
        assert len(product.title.partition(",")[0]) <= 70


@pytest.mark.parametrize("words", ["", "wireless earbuds", "earbuds " * 9, "babababa"])
def test_words_that_name_no_product_find_nothing_exact(words: str) -> None:
    found = Market(1).search(words, day=0)
    assert (found.total, found.exact, found.product) == (0, (), None)
    assert found.fewer_words


def test_a_product_is_found_after_its_list_lost_it_but_not_before_it_came() -> None:
    market = Market(1)
    early, late = (set(market.best_sellers("172282", day=day)) for day in (0, 30))
    for gone in early - late:
        assert market.find(gone.title, day=30) == gone
    for come in late - early:
        assert market.find(come.title, day=30) == come
        assert market.find(come.title, day=0) is None
    assert early - late


def test_a_product_of_another_seed_is_not_sold_here() -> None:
    foreign = Market(2).best_sellers("172282", day=0)
    assert not [p for p in foreign if Market(1).find(p.title, day=0)]


def test_only_offers_within_the_price_window_match() -> None:
    market = Market(1)
    product = next(
        p for p in market.best_sellers("172282", day=0) if market.search(p.title, day=0).total > 30
    )
    price = product.price_cents or 0
    low, high = round(price * 1.8), round(price * 2.2)
    inside = market.search(product.title, day=0, from_cents=low, to_cents=high, per_page=240)
    everything = market.search(product.title, day=0, per_page=240)
    assert 0 < inside.total < everything.total
    assert all(low <= offer.price_cents <= high for offer in inside.exact)


def test_the_pages_of_a_search_share_out_its_listings() -> None:
    market = Market(1, page_cap=10)
    product = next(
        p for p in market.best_sellers("172282", day=0) if market.search(p.title, day=0).total > 25
    )
    first = market.search(product.title, day=0, per_page=240)
    pages = [
        market.search(product.title, day=0, page=page, per_page=240).exact
        for page in range(1, first.pages + 2)
    ]
    numbers = [offer.listing_id for page in pages for offer in page]
    assert len(numbers) == len(set(numbers)) == first.total
    assert pages[-1] == ()
    assert all(len(page) <= 10 for page in pages)


def test_sellers_come_stay_return_and_leave() -> None:
    days = [sellers(day) for day in range(6)]
    for day in range(1, 6):
        gone = days[day - 1] - days[day]
        assert 0.03 < len(gone) / len(days[day - 1]) < 0.18
        assert days[day] - set().union(*days[:day]), "nobody new"
    for day in range(2, 6):
        assert (days[day] - days[day - 1]) & set().union(*days[: day - 1]), "nobody returned"


def test_there_are_far_more_than_a_hundred_sellers_in_five_lists() -> None:
    assert 300 < len(sellers(0)) < 1500


def test_user_names_are_their_own_and_of_the_allowed_characters() -> None:
    market = Market(1)
    found = [market.account(number).username for number in range(5000)]
    assert len(set(found)) == 5000
    assert all(re.fullmatch(r"[a-z0-9._*-]{3,32}", name) for name in found)


def test_accounts_under_fewer_words_never_match_any_search() -> None:
    market = Market(1)
    strangers = {
        listing.account.username
        for words in ("spice rack", "yoga block", "bike pump")
        for listing in market.search(words, day=0).fewer_words
        if listing.account
    }
    assert strangers
    assert not strangers & sellers(0)


def test_a_name_may_be_shown_in_capitals() -> None:
    answers = InventedAnswers(Market(1))
    truth = answers.truth(NODES, day=0, low=1.8, high=2.2, pages=3, per_page=240)
    shown = {name for product in truth["products"] for name in product["sellers"]}
    assert len(shown) > len({name.casefold() for name in shown}) == len(truth["sellers"])


def test_titles_and_listings_carry_harm_now_and_then() -> None:
    market = Market(1, list_length=100)
    products = [p for node in NODES for p in market.best_sellers(node, day=0)]
    listings = [
        offer.title for p in products[:100] for offer in market.search(p.title, day=0).exact
    ]
    assert any(title.startswith(("=", "+", "@")) for title in (p.title for p in products))
    assert any("<" in title for title in (p.title for p in products))
    assert any(title.startswith("=HYPERLINK(") for title in listings)
    assert any("<script>" in title or "onerror" in title for title in listings)


def test_a_department_gives_its_titles_a_flavour() -> None:
    market = Market(1, department_of=lambda node_id: "Kitchen & Dining")
    kinds = {"Chopper", "Rack", "Organizer", "Frother", "Box", "Block", "Tray", "Dish", "Basket",
             "Cooker"}  # fmt: skip
    own = [p for p in market.best_sellers("284507", day=0) if p.identity[0]]
    assert all(p.title.partition(",")[0].split()[-1] in kinds for p in own)


def test_the_sandbox_knows_its_preset_and_its_departments_as_the_catalogue_does() -> None:
    assert PRESET_NODES == SANDBOX_CATEGORIES
    for category in shipped().categories():
        assert department_of(category.node_id) == category.department
    assert department_of("1") is None


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("172282", True), ("9" * 12, True), ("9" * 13, False), ("0172282", False), ("kitchen", False),
     ("", False), ("17 2", False), ("٣", False)],
)  # fmt: skip
def test_a_node_id_is_one_to_twelve_digits(text: str, is_one: bool) -> None:
    if not text:
        assert Market(1).best_sellers("x", day=0) == []
        return
    assert is_node_id(text) is is_one


def test_draws_are_spread_and_latencies_have_their_mean() -> None:
    shares = [unit("spread", n) for n in range(2000)]
    assert all(0 <= share < 1 for share in shares)
    assert 0.47 < sum(shares) / 2000 < 0.53
    assert {pick("abc", n) for n in range(50)} == set("abc")
    delays = [log_normal(0.15, 0.35, n) for n in range(2000)]
    assert 0.14 < sum(delays) / 2000 < 0.16
    assert 0 < min(delays) < max(delays) < 1
