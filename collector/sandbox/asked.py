"""What a request body asks for, validated as the Oxylabs documentation has its fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

_BY_URL = ("amazon", "ebay", "universal", "universal_ecommerce")
SOURCES = ("amazon_bestsellers", "ebay_search", *_BY_URL)
_US = re.compile(r"\d{5}|united states\b.*|us", re.IGNORECASE)


class BadBody(ValueError):
    """The body is refused with 400 and this message."""


@dataclass(frozen=True, slots=True)
class SearchAsked:
    """An eBay search as its URL asks for it. Prices are US cents."""

    words: str
    from_cents: int
    to_cents: int | None
    page: int
    per_page: int
    list_view: bool
    query: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One validated request; `search` is None for best sellers and for foreign addresses."""

    source: str
    query: str
    page: int
    pages: int
    parse: bool
    in_dollars: bool
    url: str | None
    search: SearchAsked | None


def read_body(body: object) -> Asked:
    """Validate a request body.

    Raises:
        BadBody: says which field cannot be used.
    """
    if not isinstance(body, dict):
        raise BadBody("The body must be a JSON object.")
    source = body.get("source")
    if source not in SOURCES:
        raise BadBody(f"Source {source!r} is not supported; use one of {', '.join(SOURCES)}.")
    needed = "url" if source in _BY_URL else "query"
    query = body.get(needed)
    if not isinstance(query, str) or not query.strip():
        raise BadBody(f"Source {source} needs a `{needed}`.")
    page, pages = (_count(body, name) for name in ("start_page", "pages"))
    url, search = None, None
    if source == "ebay_search":
        # The real source builds a bare search, and so gets the gallery view.
        url = "https://www.ebay.com/sch/i.html?" + urlencode({"_nkw": query, "_pgn": page})
    elif source != "amazon_bestsellers":
        url = query
    if url is not None:
        search = _search_asked(url)
    return Asked(
        source=str(source),
        query=query,
        page=search.page if search else page,
        pages=pages if source in {"amazon_bestsellers", "ebay_search"} else 1,
        parse=bool(body.get("parse")),
        in_dollars=bool(_US.fullmatch(str(body.get("geo_location") or ""))),
        url=url,
        search=search,
    )


def _count(body: Mapping[str, object], name: str) -> int:
    value = body.get(name, 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100:
        raise BadBody(f"`{name}` must be a whole number from 1 to 100.")
    return value


def _search_asked(url: str) -> SearchAsked | None:
    parts = urlsplit(url)
    if not re.fullmatch(r"(www\.)?ebay\.com", parts.hostname or "") or parts.path != "/sch/i.html":
        return None
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    given = dict(query)

    def cents(name: str) -> int | None:
        text = given.get(name, "")
        return round(float(text) * 100) if re.fullmatch(r"\d{1,7}(\.\d{1,4})?", text) else None

    def whole(name: str, default: int) -> int:
        text = given.get(name, "")
        return int(text) if re.fullmatch(r"[1-9]\d{0,4}", text) else default

    return SearchAsked(
        words=given.get("_nkw", ""),
        from_cents=cents("_udlo") or 0,
        to_cents=cents("_udhi"),
        page=whole("_pgn", 1),
        per_page=whole("_ipg", 60),
        list_view=given.get("_dmd") == "1",
        query=query,
    )
