"""What eBay is searched for, and by which address."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sources.ebay import search_payload, search_url, search_words


@pytest.mark.parametrize(
    ("title", "words"),
    [
        (
            "Acme RX-200 Garden Hose Nozzle, Metal Sprayer with 8 Patterns, for Car Wash",
            "Acme RX-200 Garden Hose Nozzle",
        ),
        ("Acme, RX-200 Nozzle for Hoses | Heavy Duty", "Acme RX-200 Nozzle Hoses"),
        ("Acme Tag (2nd Generation): Finder for Keys, Wallet", "Acme Tag Finder Keys"),
        ("Acme Cup 40 oz with Handle and Straw – Leakproof", "Acme Cup 40 oz Handle Straw"),
        ("【New】Acme Brush - 5 Modes - 2 Minutes", "Acme Brush 5 Modes"),
        ('-Acme -Brush "soft" (a,b) bristle* heads', "Acme Brush soft bristle heads"),
        ("Acme acme ACME Wall Hook Hook Set", "Acme Wall Hook Set"),
        ("One Two Three Four Five Six Seven Eight Nine", "One Two Three Four Five Six Seven Eight"),
        ("3-in-1 Charger w/ 2m Cable", "3-in-1 Charger 2m Cable"),
        ("(Only in brackets)", "Only brackets"),
        ("Ａｃｍｅ\u3000Ｈｏｓｅ，Ｂｌｕｅ", "Acme Hose Blue"),
        ("the", "the"),
        ("!!!", "!!!"),
        ("\x00", ""),
    ],
)
def test_the_beginning_of_a_title_is_searched(title: str, words: str) -> None:
    assert search_words(title) == words


def test_a_script_without_spaces_is_cut_to_what_a_title_holds() -> None:
    assert search_words("商品" * 100) == "商品" * 40


@given(st.text(max_size=300))
def test_words_are_few_and_never_none(title: str) -> None:
    words = search_words(title)
    assert len(words) <= 80
    assert words == " ".join(words.split(" "))
    words.encode()
    if any(character.isalnum() for character in title):
        assert words
    assert search_words(title) == words


@given(st.lists(st.text("abcdefg123-", min_size=1, max_size=12), min_size=1, max_size=40))
def test_at_most_eight_words(parts: list[str]) -> None:
    words = search_words("x " + " ".join(parts))
    assert 1 <= len(words.split()) <= 8


def test_the_address_carries_the_dropshipper_filters() -> None:
    url = search_url(
        words="tea pot & lid",
        price_from_cents=1809,
        price_to_cents=220_005,
        page=2,
        results_per_page=240,
    )
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "www.ebay.com", "/sch/i.html")
    assert {name: values[0] for name, values in parse_qs(parts.query).items()} == {
        "_nkw": "tea pot & lid",
        "LH_ItemCondition": "1000",
        "LH_FS": "1",
        "LH_PrefLoc": "1",
        "_udlo": "18.09",
        "_udhi": "2200.05",
        "_ipg": "240",
        "_pgn": "2",
        "_dmd": "1",
    }


def test_the_request_sends_that_address_as_seen_from_the_united_states() -> None:
    asked = {
        "words": "tea pot",
        "price_from_cents": 5,
        "price_to_cents": 100,
        "page": 1,
        "results_per_page": 60,
    }
    assert search_payload(**asked) == {
        "source": "ebay",
        "url": search_url(**asked),
        "geo_location": "United States",
    }
    assert "_udlo=0.05&_udhi=1.00" in search_url(**asked)
