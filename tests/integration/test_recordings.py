"""Pages from the wild, saved by others, each beside what a careful reader finds on it."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.errors import Blocked, PageNotUnderstood, TargetFailed
from collector.sources.amazon import parse_best_sellers
from collector.sources.ebay import check_search_page, normalize_name, parse_search_page
from collector.sources.oxylabs_answer import read_result

RECORDINGS = Path(__file__).resolve().parents[2].parent / "shared" / "recordings"
EBAY = (
    "de_without_sellers",
    "us_gallery_without_sellers",
    "us_japanese_interface",
    "us_kitchen_accessories",
    "us_mid_2025",
    "us_old_s_item",
    "us_one_result_then_fewer_words",
    "us_spanish_interface",
    "us_wireless_earbuds",
)
GALLERIES = {"de_without_sellers", "us_gallery_without_sellers"}


def recorded(path: str) -> bytes:
    file = RECORDINGS / path
    if not RECORDINGS.is_dir():
        pytest.skip("the recordings are not beside the project")
    body = file.read_bytes()
    return gzip.decompress(body) if file.suffix == ".gz" else body


def page(folder: str) -> str:
    return recorded(f"ebay/{folder}/page.html.gz").decode()


def expected(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recorded(f"ebay/{folder}/expected.json"))
    # Double spaces of titles are as the page has them in some folders, folded in others.
    for card in found["cards"]:
        card["title"] = re.sub(" +", " ", card["title"])
    return found


def test_every_recorded_search_is_among_these() -> None:
    recorded("README.md")
    assert sorted(folder.name for folder in (RECORDINGS / "ebay").iterdir()) == sorted(EBAY)


@pytest.mark.parametrize("folder", EBAY)
def test_a_recorded_search_is_read_exactly(folder: str) -> None:
    answer = expected(folder)
    result = parse_search_page(page(folder))
    cards = [
        {
            "listing_id": card.listing_id,
            "title": card.title,
            "match": card.match,
            "seller": card.seller and card.seller.username,
            "feedback_percent": card.seller and card.seller.feedback_percent,
            "feedback_count": card.seller and card.seller.feedback_count,
        }
        for card in result.cards
    ]
    assert cards == answer["cards"]
    assert result.has_more == answer["has_more"]
    assert not result.null_search


@pytest.mark.parametrize("folder", EBAY)
def test_a_recorded_pages_sellers_are_those_of_its_matching_cards(folder: str) -> None:
    matching = [
        (card["seller"], card["feedback_percent"], card["feedback_count"])
        for card in expected(folder)["cards"]
        if card["match"] == "exact" and card["seller"]
    ]
    result = parse_search_page(page(folder))
    found = [(s.username, s.feedback_percent, s.feedback_count) for s in result.sellers]
    assert {name for name, _, _ in found} == {name for name, _, _ in matching}
    assert len({normalize_name(name) for name, _, _ in found}) == len(found)
    assert set(found) <= set(matching)
    assert sum(result.listings.values()) == len(matching)


@pytest.mark.parametrize("folder", EBAY)
def test_a_recorded_gallery_is_refused_and_a_list_is_not(folder: str) -> None:
    result = parse_search_page(page(folder))
    if folder in GALLERIES:
        with pytest.raises(PageNotUnderstood):
            check_search_page(result)
    else:
        check_search_page(result)


def test_a_recorded_bot_wall_is_blocked() -> None:
    text = recorded("blocked/pardon_our_interruption.html").decode()
    with pytest.raises(Blocked) as caught:
        parse_search_page(text)
    assert caught.value.page == text


@pytest.mark.parametrize("name", ["error_page", "service_unavailable"])
def test_a_recorded_error_page_is_no_answer(name: str) -> None:
    with pytest.raises(PageNotUnderstood):
        parse_search_page(recorded(f"blocked/{name}.html").decode())


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    folder=st.sampled_from(EBAY),
    cut=st.floats(0, 1),
    old=st.sampled_from(
        ["s-card", "s-item", "srp-river-results", "positive", "data-", "span", "%"]
    ),
    new=st.text(max_size=6),
)
def test_a_recorded_page_cut_or_mangled_is_parsed_or_explained(
    folder: str, cut: float, old: str, new: str
) -> None:
    text = page(folder)
    for changed in (text[: int(len(text) * cut)], text.replace(old, new, int(cut * 500))):
        try:
            result = parse_search_page(changed)
        except PageNotUnderstood as error:
            result = None
            kept = error.page
        assert kept is not None if result is None else result.unmatched <= len(result.cards)


def test_recorded_best_sellers_in_another_currency_are_all_skipped() -> None:
    envelope = json.loads(recorded("amazon/best_sellers_electronics/envelope.json"))["envelope"]
    answer = read_result(json.dumps(envelope).encode(), headers={}, duration_ms=1)
    products = parse_best_sellers(answer.content, page=1).products
    assert len(products) == 30
    assert [product.position for product in products] == list(range(1, 31))
    assert {product.price_cents for product in products} == {None}
    assert {product.skip_reason for product in products} <= {
        "price in XOF, not USD",
        "no price",
    }
    assert products[0].asin == "B08JHCVHTY"


@pytest.mark.parametrize(
    ("name", "said"),
    [("amazon_product_listing_faulted", "404"), ("universal_failed_result", "12002")],
)
def test_a_recorded_failure_in_a_good_envelope_is_seen(name: str, said: str) -> None:
    body = recorded(f"oxylabs/{name}.json.gz")
    with pytest.raises(TargetFailed, match=said):
        read_result(body, headers={}, duration_ms=1)


def test_a_recorded_answer_with_a_gallery_is_read_and_refused() -> None:
    answer = read_result(recorded("oxylabs/ebay_search_result.json.gz"), headers={}, duration_ms=1)
    assert answer.job_id == "7394841187565211649"
    assert isinstance(answer.content, str)
    result = parse_search_page(answer.content)
    assert len(result.cards) == 60
    with pytest.raises(PageNotUnderstood, match="names a seller"):
        check_search_page(result)


@pytest.mark.parametrize("name", ["amazon_response_parse", "amazon_pricing_cannot_parse"])
def test_a_recorded_page_of_another_kind_is_no_best_seller_list(name: str) -> None:
    answer = read_result(recorded(f"oxylabs/{name}.json.gz"), headers={}, duration_ms=1)
    with pytest.raises(PageNotUnderstood):
        parse_best_sellers(answer.content, page=1)
