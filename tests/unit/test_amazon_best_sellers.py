"""Reading a parsed best-seller page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import PageNotUnderstood, TargetFailed
from collector.models import Product, ProductPage
from collector.sources.amazon import best_sellers_payload, parse_best_sellers

ENTRY = {
    "pos": 1,
    "asin": "B000000001",
    "title": "Tea pot",
    "price": 12.34,
    "price_upper": 12.34,
    "price_str": "$12.34",
    "currency": "USD",
    "rating": 4.4,
    "url": "/Tea-pot/dp/B000000001/ref=x",
}


def one(**changed: Any) -> Product:
    entry = {**ENTRY, **changed}
    content = {"results": [{k: v for k, v in entry.items() if v is not ...}]}
    (product,) = parse_best_sellers(json.loads(json.dumps(content)), page=1).products
    return product


def test_a_request_asks_for_one_parsed_page_in_dollars() -> None:
    assert best_sellers_payload("172541", page=2, geo_location="90210") == {
        "source": "amazon_bestsellers",
        "domain": "com",
        "query": "172541",
        "start_page": 2,
        "pages": 1,
        "parse": True,
        "geo_location": "90210",
    }


def test_an_entry_becomes_a_product() -> None:
    assert one() == Product(
        asin="B000000001",
        title="Tea pot",
        position=1,
        price_cents=1234,
        currency="USD",
        url="https://www.amazon.com/dp/B000000001",
    )


@pytest.mark.parametrize(
    ("price", "cents"),
    [
        (39, 3900),
        (39.0, 3900),
        (0.07, 7),
        (1.15, 115),
        (4.35, 435),
        (8.995, 900),
        (1_000_000, 100_000_000),
        ("19.99", 1999),
        ("$1,019.99", 101_999),
    ],
)
def test_prices_are_dollars_exactly(price: float | str, cents: int) -> None:
    """A whole-dollar price comes as a JSON integer: 39 is 39 dollars, never 39 cents."""
    product = one(price=price, price_upper=..., price_str=...)
    assert (product.price_cents, product.skip_reason) == (cents, None)


@given(st.integers(1, 99_999_999))
def test_every_price_of_whole_cents_survives_json(cents: int) -> None:
    assert one(price=cents / 100, price_upper=...).price_cents == cents


def test_a_range_counts_by_its_lower_end() -> None:
    assert one(price=10, price_upper=20.5).price_cents == 1000
    assert one(price=20.5, price_upper=10).price_cents == 1000


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"price": None}, "no price"),
        ({"price": ...}, "no price"),
        ({"price": 0}, "no price"),
        ({"price": -3}, "no price"),
        ({"price": 0.001}, "no price"),
        ({"price": True}, "no price"),
        ({"price": "soon"}, "no price"),
        ({"price": float("nan")}, "no price"),
        ({"price": float("inf")}, "no price"),
        ({"price": [1]}, "no price"),
        ({"price": 10**4000, "price_upper": None}, "price out of range"),
        ({"price": 1e300, "price_upper": None}, "price out of range"),
        ({"currency": "XOF", "price_str": "XOF 6,765"}, "price in XOF, not USD"),
        ({"currency": "XOF", "price_str": ...}, "price in XOF, not USD"),
        ({"currency": "USD", "price_str": "XOF 6,765"}, "price in XOF, not USD"),
        ({"currency": "USD", "price_str": "12,34 €"}, "price in EUR, not USD"),
        ({"currency": None, "price_str": None}, "price in an unknown currency, not USD"),
        ({"currency": 5, "price_str": "CA$5"}, "price in an unknown currency, not USD"),
        ({"title": None}, "no title"),
        ({"title": " \x00 "}, "no title"),
    ],
)
def test_what_cannot_be_searched_for_is_skipped_with_its_reason(
    changed: dict[str, Any], reason: str
) -> None:
    product = one(**changed)
    assert product.skip_reason == reason
    if reason != "no title":
        assert product.price_cents is None


@pytest.mark.parametrize("shown", ["$12.34", "US$12.34", "US $12.34", "$12.34 - $20.00"])
def test_a_dollar_sign_tells_the_currency_where_none_is_stated(shown: str) -> None:
    product = one(currency=None, price_str=shown)
    assert (product.currency, product.price_cents) == ("USD", 1234)


@pytest.mark.parametrize("asin", [None, "", "B00", "B00000000'", 7, ["B000000001"], "B0000000012"])
def test_without_an_asin_there_is_no_product(asin: Any) -> None:
    content = {"results": [{**ENTRY, "asin": asin}, None, "text", [], {}, {**ENTRY, "pos": 6}]}
    products = parse_best_sellers(content, page=1).products
    assert [product.position for product in products] == [6]


def test_a_product_stands_on_a_page_once() -> None:
    content = {"results": [ENTRY, {**ENTRY, "asin": "b000000001 ", "pos": 2}]}
    assert [p.position for p in parse_best_sellers(content, page=1).products] == [1]


@pytest.mark.parametrize("pos", [None, 0, "3", True, 10**9])
def test_a_missing_position_is_the_place_in_the_list(pos: Any) -> None:
    content = {"results": [{}, {**ENTRY, "pos": pos}]}
    assert parse_best_sellers(content, page=1).products[0].position == 2
    assert parse_best_sellers(content, page=2).products[0].position == 52


def test_hostile_titles_can_be_stored() -> None:
    assert one(title="a\x00b\ud800c\n d").title == "ab\ufffdc d"
    assert len(one(title="x" * 5000).title) == 1000


def test_a_list_that_answers_with_nothing_is_empty() -> None:
    assert parse_best_sellers({"results": []}, page=2) == ProductPage(page=2, products=())


@pytest.mark.parametrize(
    "content", ["", "<html>\x00", {}, {"results": None}, {"results": {}}, {"title": "A product"}]
)
def test_what_is_no_list_is_not_understood(content: Any) -> None:
    with pytest.raises(PageNotUnderstood) as caught:
        parse_best_sellers(content, page=1)
    assert caught.value.page is not None
    assert "\x00" not in caught.value.page


@pytest.mark.parametrize(("code", "retryable"), [(12002, True), (12003, False), (12009, False)])
def test_content_that_was_not_parsed_failed_at_the_target(code: int, retryable: bool) -> None:
    with pytest.raises(TargetFailed, match=str(code)) as caught:
        parse_best_sellers({"parse_status_code": code}, page=1)
    assert caught.value.retryable is retryable


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(ENTRY)), JSON))
def test_any_entry_is_read_or_left_out(entry: dict[str, Any]) -> None:
    for product in parse_best_sellers({"results": [{**ENTRY, **entry}]}, page=1).products:
        assert product.skip_reason or (product.price_cents or 0) > 0
        assert product.position >= 1
        assert "\x00" not in f"{product}"
        f"{product}".encode()


@given(JSON)
def test_any_content_is_read_or_explained(results: Any) -> None:
    try:
        parse_best_sellers({"results": results, "parse_status_code": 12000}, page=1)
    except PageNotUnderstood:
        assert not isinstance(results, list)
