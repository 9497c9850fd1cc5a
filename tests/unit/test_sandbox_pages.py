"""What the market's pages hold is what the collector's parser reads off them, harm included."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from collector.errors import Blocked, UpstreamError
from collector.sandbox import pages
from collector.sandbox.answers import InventedAnswers
from collector.sandbox.asked import BadBody, read_body
from collector.sandbox.market import Market, Search
from collector.sources.ebay import parse_search_page, search_payload, search_words

MARKET = Market(1, list_length=100)
ANSWERS = InventedAnswers(MARKET)


def asked_pages(day: int, node: str) -> list[tuple[Search, str]]:
    """Every page that a run over one list asks for, as the market knows it and as HTML."""
    found = []
    for product in MARKET.best_sellers(node, day=day):
        if product.price_cents is None:
            continue
        page, last = 0, 1
        while page < last:
            page += 1
            payload = search_payload(
                words=search_words(product.title),
                price_from_cents=round(product.price_cents * 1.8),
                price_to_cents=round(product.price_cents * 2.2),
                page=page,
                results_per_page=240,
            )
            search = read_body(payload).search
            assert search is not None
            known = MARKET.search(
                search.words,
                day=day,
                from_cents=search.from_cents,
                to_cents=search.to_cents,
                page=page,
                per_page=search.per_page,
            )
            assert known.product == product
            last = known.pages
            found.append((known, ANSWERS.search(search, day=day)))
    return found


@pytest.fixture(scope="module")
def all_pages() -> list[tuple[Search, str]]:
    return asked_pages(0, "172282") + asked_pages(3, "284507")


def test_a_parser_reads_what_the_market_knows(all_pages: list[tuple[Search, str]]) -> None:
    for known, html in all_pages:
        page = parse_search_page(html)
        read = [
            (
                card.listing_id,
                card.title.removeprefix("New Listing "),
                card.seller and card.seller.username,
                card.seller and card.seller.feedback_percent,
                card.seller and card.seller.feedback_count,
            )
            for card in page.cards
            if card.match == "exact"
        ]
        assert read == [
            (
                listing.listing_id,
                listing.title,
                listing.account and listing.account.username,
                listing.account and listing.account.feedback_percent,
                listing.account and listing.account.feedback_count,
            )
            for listing in known.exact
        ]
        assert page.unmatched == len(known.fewer_words)
        assert page.has_more is (known.page < known.pages)
        assert page.null_search is (known.total == 0)


def test_all_that_real_pages_do_occurs(all_pages: list[tuple[Search, str]]) -> None:
    marks = {
        "two texts": "</span><span class=\"su-styled-text primary large\">",
        "one text": "sellerOrStoreInfo",
        "mid-2025": "topRatedSeller",
        "old layout": "s-item__seller-info-text",
        "dummies": "Shop on eBay",
        "fewer words": "Results matching fewer words",
        "null search": "srp-save-null-search",
        "another notice": "items found from eBay international sellers",
        "next page": "pagination__next",
        "no next page": 'aria-disabled="true"',
        "unquoted": "class=s-card__title",
        "other languages": " positivo (",
        "new listings": "New Listing",
        "badge rows": "Item: ",
    }  # fmt: skip
    seen = Counter(name for _, html in all_pages for name, text in marks.items() if text in html)
    assert set(seen) == set(marks)
    assert any(known.exact and known.fewer_words for known, _ in all_pages)
    assert any(not known.exact and known.fewer_words for known, _ in all_pages)
    assert max(len(html) for _, html in all_pages) < 150 * 1024


def test_hostile_titles_reach_the_parser_unharmed(all_pages: list[tuple[Search, str]]) -> None:
    titles = [card.title for _, html in all_pages for card in parse_search_page(html).cards]
    assert any("<img src=x onerror=alert(1)>" in title for title in titles)
    assert any(title.startswith('=HYPERLINK("') for title in titles)
    assert not any("<img src=x" in html or "<script>" in html for _, html in all_pages)


def search_body(words: str, **parameters: object) -> dict[str, Any]:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    url = f"https://www.ebay.com/sch/i.html?_nkw={words.replace(' ', '+')}&{query}"
    return {"source": "ebay", "url": url}


def test_without_the_list_view_no_card_names_a_seller() -> None:
    title = MARKET.best_sellers("172282", day=0)[3].title.partition(",")[0]
    search = read_body(search_body(title)).search
    assert search is not None
    html = ANSWERS.search(search, day=0)
    assert "srp-grid" in html
    assert "s-card--vertical" in html
    assert "positive" not in html
    assert "sellerOrStoreInfo" not in html


def test_a_page_can_be_padded_without_changing_what_it_says() -> None:
    title = MARKET.best_sellers("172282", day=0)[3].title.partition(",")[0]
    search = read_body(search_body(title, _dmd=1)).search
    assert search is not None
    plain, padded = (InventedAnswers(MARKET, page_kb=kb).search(search, day=0) for kb in (0, 500))
    assert 500 * 1024 <= len(padded.encode()) < 510 * 1024
    assert parse_search_page(padded) == parse_search_page(plain)


def test_every_bot_wall_is_taken_for_an_error() -> None:
    walls = {pages.wall_html(n) for n in range(30)}
    assert len(walls) == 3
    for wall in walls:
        with pytest.raises(UpstreamError):
            parse_search_page(wall)
    interruption = next(wall for wall in walls if "Pardon Our Interruption" in wall)
    with pytest.raises(Blocked):
        parse_search_page(interruption)


def test_whole_dollar_prices_are_integers_of_dollars() -> None:
    content = ANSWERS.best_sellers("172282", page=1, day=0, in_dollars=True, parsed=True)
    assert isinstance(content, dict)
    products = MARKET.best_sellers("172282", day=0, page=1)
    assert [entry["pos"] for entry in content["results"]] == list(range(1, 51))
    kinds = set()
    for entry, product in zip(content["results"], products, strict=True):
        price = entry["price"]
        kinds.add(type(price))
        if product.price_cents is None:
            assert price is None
            assert entry["currency"] is None
        else:
            assert round(price * 100) == product.price_cents
            assert isinstance(price, int) is (product.price_cents % 100 == 0)
            assert entry["currency"] == "USD"
    assert {int, float} <= kinds


def test_the_second_page_goes_on_counting() -> None:
    content = ANSWERS.best_sellers("172282", page=2, day=0, in_dollars=True, parsed=True)
    assert isinstance(content, dict)
    assert [entry["pos"] for entry in content["results"]] == list(range(51, 101))


def test_without_a_us_location_prices_are_not_dollars() -> None:
    content = ANSWERS.best_sellers("172282", page=1, day=0, in_dollars=False, parsed=True)
    assert isinstance(content, dict)
    assert {entry["currency"] for entry in content["results"]} <= {"XOF", None}


@pytest.mark.parametrize(
    ("location", "in_dollars"),
    [("90210", True), ("United States", True), ("US", True), ("United States,Texas", True),
     ("Germany", False), ("", False), (None, False), ("1234", False)],
)  # fmt: skip
def test_only_a_us_location_brings_dollars(location: str | None, in_dollars: bool) -> None:
    body = {"source": "amazon_bestsellers", "query": "172282", "geo_location": location}
    assert read_body(body).in_dollars is in_dollars


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "JSON object"),
        ({}, "Source None"),
        ({"source": "walmart"}, "walmart"),
        ({"source": "amazon_bestsellers"}, "query"),
        ({"source": "amazon_bestsellers", "query": 172282}, "query"),
        ({"source": "ebay", "query": "earbuds"}, "url"),
        ({"source": "universal", "url": " "}, "url"),
        ({"source": "amazon_bestsellers", "query": "1", "start_page": 0}, "start_page"),
        ({"source": "amazon_bestsellers", "query": "1", "pages": True}, "pages"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_with_the_field_named(
    body: object, named: str
) -> None:
    with pytest.raises(BadBody, match=named):
        read_body(body)
