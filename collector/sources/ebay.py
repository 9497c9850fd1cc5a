"""eBay searches: which words, which address, which payload. The answer is read in `ebay_page`.

Pure: values in, values out. What the address' parameters mean was read off links on real
result pages.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import urlencode

from collector.names import normalize_name
from collector.sources.ebay_page import (
    Card,
    SearchPage,
    check_search_page,
    parse_search_page,
)
from collector.sources.foreign_text import one_line

__all__ = [
    "Card",
    "SearchPage",
    "check_search_page",
    "normalize_name",
    "parse_search_page",
    "search_payload",
    "search_url",
    "search_words",
]

SEARCH_ADDRESS = "https://www.ebay.com/sch/i.html"

# "US only" (LH_PrefLoc=1) means that only to a viewer in the US. The provider takes country names
# for every target; ZIP codes are for Amazon (Oxylabs documentation, "Proxy location").
GEO_LOCATION = "United States"

# An eBay title has at most 80 characters, and a result must match every word.
MOST_CHARACTERS = 80
MOST_WORDS = 8
FEWEST_WORDS = 4
MOST_WORDS_OF_PARTS = 6

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|【[^【】]*】")
_SEPARATOR = re.compile(r"[,;|•·、。]|[:.!?]\s|\s[-–—~/]+\s|[–—]\s|\s[–—]|\s-+(?=\s|$)")
_MARKS = re.compile(r"[\"“”*()\[\]{}【】,|]")
_EDGES = "\"'`´“”‘’«»()[]{}【】<>*+-–—_=~^!?.,:;|/\\&@#$%™®©✅⭐"
_JOINING = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "into", "of", "on", "or", "per", "the"}
    | {"to", "w", "with", "your"}
)


def search_words(title: str) -> str:
    """What to search eBay for, given an Amazon title. A function of the title alone.

    Amazon titles run to 200 characters of appended features; an eBay title has at most 80 and
    must hold every word, so the whole title matches nothing. The name of a thing stands at the
    beginning (brand, model, kind), so what is searched for is the beginning up to a natural
    separator; while that is fewer than four words, the next part too, up to six. What stands in
    brackets, joining words, repeated words and characters with a meaning in eBay's search
    (a leading minus excludes, brackets mean "or", quotes a phrase, * any ending) are left out.
    At most eight words and 80
    characters.

    Returns:
        Words separated by one space; empty only for a title without any visible character.
    """
    text = unicodedata.normalize("NFKC", one_line(title))
    first, *further = _parts(text)
    found = _unlike(_words(first))[:MOST_WORDS]
    for part in further:
        if len(found) >= FEWEST_WORDS:
            break
        found = _unlike(found + _words(part))[:MOST_WORDS_OF_PARTS]
    # Only marks or joining words: better a strange search than none.
    chosen = _fitting(found)
    return chosen or text[:MOST_CHARACTERS].strip()


def _parts(text: str) -> list[str]:
    unbracketed = _BRACKETED.sub(" , ", text)
    parts = [part for part in _SEPARATOR.split(unbracketed) if _words(part)]
    return parts or [re.sub(r"[()\[\]{}【】]", " ", text)]


def _words(part: str) -> list[str]:
    tokens = (token.strip(_EDGES) for token in _MARKS.sub(" ", part).split())
    return [token for token in tokens if token and token.casefold() not in _JOINING]


def _unlike(words: list[str]) -> list[str]:
    return list({word.casefold(): word for word in reversed(words)}.values())[::-1]


def _fitting(words: list[str]) -> str:
    line = ""
    for word in words:
        longer = f"{line} {word}" if line else word
        if len(longer) > MOST_CHARACTERS:
            break
        line = longer
    # A script without spaces gives one endless word: its beginning.
    return line or (words[0][:MOST_CHARACTERS] if words else "")


def search_url(
    *, words: str, price_from_cents: int, price_to_cents: int, page: int, results_per_page: int
) -> str:
    """The address of one page of a search with the dropshipper filters.

    Args:
        words: what to search for, as `search_words` gives it.
        price_from_cents: lower end of the price window, US cents.
        price_to_cents: upper end, US cents.
        page: which page, from 1.
        results_per_page: 60, 120 or 240.
    """
    query = {
        "_nkw": words,
        "LH_ItemCondition": "1000",  # brand new
        "LH_FS": "1",  # free shipping
        "LH_PrefLoc": "1",  # US only, for a viewer in the US
        "_udlo": _dollars(price_from_cents),
        "_udhi": _dollars(price_to_cents),
        "_ipg": str(results_per_page),
        "_pgn": str(page),
        "_dmd": "1",  # the list view: the gallery names no sellers
    }
    return f"{SEARCH_ADDRESS}?{urlencode(query)}"


def search_payload(
    *, words: str, price_from_cents: int, price_to_cents: int, page: int, results_per_page: int
) -> dict[str, Any]:
    """The request for one page of a search, for `OxylabsClient.fetch`. Arguments as `search_url`.

    The `ebay` source takes the address as it is given. (`ebay_search` builds its own, without
    any filter, and brings galleries.)
    """
    url = search_url(
        words=words,
        price_from_cents=price_from_cents,
        price_to_cents=price_to_cents,
        page=page,
        results_per_page=results_per_page,
    )
    return {"source": "ebay", "url": url, "geo_location": GEO_LOCATION}


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
