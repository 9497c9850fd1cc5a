"""Reading eBay's result pages, on small pages invented for the purpose."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.errors import Blocked, PageNotUnderstood
from collector.models import Seller
from collector.sources.ebay import (
    SearchPage,
    check_search_page,
    normalize_name,
    parse_search_page,
)
from collector.sources.ebay_feedback import read_seller

PAGES = Path(__file__).parent / "pages"
NAMES = sorted(path.name for path in PAGES.glob("*.html"))


def page(name: str) -> str:
    return (PAGES / f"{name}.html").read_text(encoding="utf-8")


def read(name: str) -> SearchPage:
    return parse_search_page(page(name))


def test_both_forms_of_the_seller_row_are_read() -> None:
    cards = {card.listing_id: card for card in read("list_of_two_forms").cards}
    assert cards["110000000001"].seller == Seller("Tea-House_7", 99.6, 785)
    assert cards["110000000002"].seller == Seller("pots.and.more", 99.3, 1200)
    assert cards["110000000007"].seller == Seller("big_store", 98.1, 485_300)


def test_placeholders_are_no_listings_and_suggestions_bring_no_sellers() -> None:
    result = read("list_of_two_forms")
    assert [card.listing_id for card in result.cards] == [f"11000000000{n}" for n in range(1, 8)]
    assert [seller.username for seller in result.sellers] == [
        "Tea-House_7",
        "pots.and.more",
        "brand*new.2026",
        "big_store",
    ]


def test_a_title_is_one_line_without_the_badge_or_the_hint_for_screen_readers() -> None:
    titles = [card.title for card in read("list_of_two_forms").cards]
    assert titles[:2] == ["Blue teapot, cast iron & lid 1.2 l", "Blue teapot with strainer"]


def test_a_seller_of_two_listings_counts_once_in_any_case_of_the_name() -> None:
    result = read("list_of_two_forms")
    assert result.listings["Tea-House_7"] == 2
    assert normalize_name(" Tea-House_7 ") == "tea-house_7"


def test_a_listing_without_an_attribute_is_known_by_its_link() -> None:
    card = read("list_of_two_forms").cards[4]
    assert (card.listing_id, card.seller) == ("110000000005", Seller("brand*new.2026", 0.0, 0))


def test_a_notice_of_international_sellers_is_no_end_of_the_matches() -> None:
    result = read("list_of_two_forms")
    assert result.unmatched == 0
    assert result.has_more
    assert result.is_worth_another


@pytest.mark.parametrize("name", ["fewer_words", "fewer_words_in_a_block"])
def test_cards_after_fewer_words_do_not_match(name: str) -> None:
    result = read(name)
    assert [card.match for card in result.cards[:2]] == ["exact", "fewer_words"]
    assert [seller.username for seller in result.sellers] == ["lamplight"]
    assert result.listings == {"lamplight": 1}
    assert result.unmatched == len(result.cards) - 1
    assert not result.null_search
    assert not result.is_worth_another


def test_a_null_search_matches_nothing_though_the_page_is_full() -> None:
    result = read("null_search")
    assert result.null_search
    assert result.sellers == ()
    assert result.unmatched == len(result.cards) == 1
    assert result.has_more
    assert not result.is_worth_another


def test_no_results_at_all_is_an_answer() -> None:
    result = read("no_results")
    assert (result.cards, result.has_more) == ((), False)
    check_search_page(result)


def test_a_gallery_is_parsed_but_refused_as_an_answer() -> None:
    result = read("gallery")
    assert [card.seller for card in result.cards] == [None, None]
    assert not result.has_more
    with pytest.raises(PageNotUnderstood, match="names a seller") as caught:
        check_search_page(result, html=page("gallery"))
    assert caught.value.page == page("gallery")


def test_a_page_with_some_unknown_sellers_is_accepted() -> None:
    check_search_page(read("list_of_two_forms"))


def test_older_layouts_are_read() -> None:
    cards = read("old_layout").cards
    assert [card.listing_id for card in cards] == ["260000000001", "260000000002", "260000000003"]
    assert cards[0].title == "New Listing Old radio"
    assert cards[0].seller == Seller("radio_days", 99.7, 12_450)
    assert cards[1].seller is None
    assert cards[2].seller == Seller("summer25", 100.0, 5745)


def test_other_languages_are_read() -> None:
    result = read("other_languages")
    assert result.sellers == (
        Seller("bolsos.84", 96.7, 44),
        Seller("vinyl-jp", 100.0, 2800),
        Seller("tassen_haus", 99.5, 1900),
    )
    assert [card.match for card in result.cards] == ["exact"] * 3 + ["fewer_words"]


def test_a_bot_wall_is_told_from_a_page_without_results() -> None:
    with pytest.raises(Blocked) as caught:
        read("bot_wall")
    assert caught.value.page == page("bot_wall")
    with pytest.raises(PageNotUnderstood) as other:
        parse_search_page("<html><title>Error Page</title><body>Sorry</body></html>")
    assert not isinstance(other.value, Blocked)
    assert other.value.billed


def test_a_listing_named_like_a_bot_wall_blocks_nothing() -> None:
    text = page("fewer_words").replace("Odd lamp ZX 81", "Pardon Our Interruption, captcha lamp")
    assert len(parse_search_page(text).cards) == 3


def test_a_count_without_cards_means_the_markup_has_changed() -> None:
    text = page("fewer_words").replace("s-card", "new-card")
    with pytest.raises(PageNotUnderstood, match="states 1 result"):
        parse_search_page(text)


def test_the_text_that_comes_with_an_error_can_be_stored() -> None:
    with pytest.raises(PageNotUnderstood) as caught:
        parse_search_page("no\x00thing \ud800 here")
    assert caught.value.page == "nothing \ufffd here"


def test_a_hostile_title_is_cleaned() -> None:
    text = page("fewer_words").replace("Odd lamp ZX 81", "&#27;[31mOdd\x00 \ud800" + "x" * 5000)
    title = parse_search_page(text).cards[0].title
    assert title.startswith("[31mOdd \ufffdxxx")
    assert len(title) == 1000


@pytest.mark.parametrize(
    ("row", "seller"),
    [
        ("name 99.6% positive (785) Top Rated Plus", Seller("name", 99.6, 785)),
        ("Na\u2069me\u200b 1% positive (1.9K)", Seller("Name", 1.0, 1900)),
        ("n_1 98% positive (3.5M)", Seller("n_1", 98.0, 3_500_000)),
        ("n_1 98% positive (1 234)", Seller("n_1", 98.0, 1234)),
        ("n_1 98% positive (12.450)", Seller("n_1", 98.0, 12_450)),
        ("n_1 100% 好评 （2.8万）", Seller("n_1", 100.0, 28_000)),
        ("n_1 98% positive (999999999999999)", Seller("n_1", 98.0, None)),
        ("Extra 20% off (5)", None),
        ("Was: $24.00 50% off", None),
        ("Two words 99% positive (5)", None),
        ("name 250% positive (5)", None),
        ("99.6% positive (785)", None),
        ("Located in United States", None),
        ("", None),
    ],
)
def test_a_row_is_a_sellers_by_its_feedback(row: str, seller: Seller | None) -> None:
    assert read_seller(row) == seller


@given(units=st.integers(0, 999), tenth=st.integers(0, 9))
def test_short_counts_are_exact(units: int, tenth: int) -> None:
    """1.1K is 1100, not the 1100.0000000000002 that binary fractions make of it."""
    found = read_seller(f"name 99% positive ({units}.{tenth}K)")
    assert found is not None
    assert found.feedback_count == units * 1000 + tenth * 100


def parses_or_explains(text: str) -> None:
    result = None
    kept: str | None = None
    try:
        result = parse_search_page(text)
    except PageNotUnderstood as error:
        kept = error.page
    if result is None:
        assert kept is not None
        kept.encode()
        assert "\x00" not in kept
        return
    for card in result.cards:
        card.title.encode()
        assert "\x00" not in card.title
    assert result.unmatched + sum(c.match == "exact" for c in result.cards) == len(result.cards)
    assert set(result.listings) == {seller.username for seller in result.sellers}


@given(st.text())
def test_any_text_is_parsed_or_explained(text: str) -> None:
    parses_or_explains(text)


@given(st.text())
def test_any_text_among_cards_is_parsed_or_explained(text: str) -> None:
    whole = page("list_of_two_forms")
    parses_or_explains(whole.replace("99.6% positive (785)", text).replace("Blue teapot", text))
    parses_or_explains(whole.replace("data-listingid=", f"data-listingid='{text}"))


@settings(deadline=None)
@given(name=st.sampled_from(NAMES), cut=st.floats(0, 1), swap=st.sampled_from("<>\"'=/ l"))
def test_cut_and_mangled_pages_are_parsed_or_explained(name: str, cut: float, swap: str) -> None:
    whole = page(name.removesuffix(".html"))
    parses_or_explains(whole[: int(len(whole) * cut)])
    parses_or_explains(whole[int(len(whole) * cut) :])
    parses_or_explains(whole.replace(swap, "", 1 + int(50 * cut)))


@pytest.mark.parametrize(
    "text",
    [
        "<div>" * 200_000,
        "<ul><li class=s-card>" * 100_000,
        "<div id=srp-river-results>" + "<div class=srp-river-answer>" * 100_000,
        "<div id=srp-river-results><ul>" + "<li class=s-card data-listingid=1>x" * 200_000,
        "<div id=srp-river-results><ul>" + "<li class=s-card data-listingid=1>x" * 1_000,
        "<b a>" * 400 + "<p>x</p>" * 50_000,
        "<div>" * 15_000,
        "".join(f"<font a{n}>" for n in range(15_000)),
        "<" * 2_000_000,
        "&lt;" * 1_000_000,
        "(" * 1_000_000,
    ],
    ids=[
        "divs",
        "lists",
        "answers",
        "flat cards",
        "many cards",
        "formatting",
        "as many divs as are not looked into",
        "as many formats as are not looked into",
        "angles",
        "entities",
        "brackets",
    ],
)
def test_monstrous_pages_end_soon(text: str) -> None:
    """HTML parsing is quadratic in the depth of nesting: such a page must not hold the loop."""
    started = time.process_time()
    parses_or_explains(text)
    assert time.process_time() - started < 3


def test_a_monstrous_row_ends_soon() -> None:
    started = time.process_time()
    for repeated in ("a", "a ", "1% ", "n 1% x(", "n (1,"):
        assert read_seller(repeated * 500_000) is None
    assert read_seller("n 1% " + "x" * 10**6 + "(1)") is None
    assert time.process_time() - started < 1
