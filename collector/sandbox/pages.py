"""What the market knows, written down as the real sites and their parsers would.

eBay pages come in three layouts, chosen by the product; Amazon lists come parsed, as Oxylabs
gives them. Facts about the markup: class names, nesting, the order of things. All else is ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from collector.sandbox import cards
from collector.sandbox.chance import draw, pick, unit
from collector.sandbox.market import ListedProduct, Search

PARSED, COULD_NOT_PARSE = 12000, 12002
_XOF_PER_DOLLAR = 580
_UNQUOTABLE = re.compile(r'(?<= )(class|role|id|type|loading)="([A-Za-z0-9_-]+)"')


def best_sellers_content(
    products: Sequence[ListedProduct], *, node_id: str, page: int, first: int, in_dollars: bool
) -> dict[str, Any]:
    """A page of a list as Oxylabs parses it. Whole-dollar prices are JSON integers."""
    return {
        "url": f"https://www.amazon.com/gp/bestsellers/-/{node_id}?pg={page}",
        "page": page,
        "results": [
            _entry(product, place, in_dollars=in_dollars)
            for place, product in enumerate(products, first)
        ],
        "parse_status_code": PARSED,
    }


def _entry(product: ListedProduct, place: int, *, in_dollars: bool) -> dict[str, Any]:
    key = product.asin
    price: float | int | None = None
    price_text, currency = None, None
    if (cents := product.price_cents) is not None:
        if in_dollars:
            price = cents // 100 if cents % 100 == 0 else cents / 100
            price_text, currency = cards.dollars(cents), "USD"
        else:
            price = cents * _XOF_PER_DOLLAR // 100
            price_text, currency = f"XOF\xa0{price:,}", "XOF"
    slug = "-".join(re.findall(r"[A-Za-z0-9]+", product.title)[:4])
    return {
        "pos": place,
        "asin": product.asin,
        "title": product.title,
        "price": price,
        "price_upper": price,
        "price_str": price_text,
        "currency": currency,
        "rating": round(3.5 + 1.4 * unit(key, "rating"), 1),
        "ratings_count": 10 + draw(key, "ratings") % 90_000,
        "url": f"/{slug}/dp/{product.asin}",
        "is_prime": draw(key, "prime") % 5 > 0,
    }


def best_sellers_html(products: Sequence[ListedProduct]) -> str:
    """The same list unparsed: no more than a heading and its places."""
    places = "".join(f'<li id="{p.asin}">{escape(p.title)}</li>' for p in products)
    return (
        "<!DOCTYPE html><html><head><title>Best Sellers</title></head><body>"
        f"<h1>Best Sellers</h1><ol>{places}</ol></body></html>"
    )


def search_html(
    search: Search, *, query: Sequence[tuple[str, str]] = (), list_view: bool, page_kb: int = 0
) -> str:
    """A search page. The gallery view names no sellers; `page_kb` pads the page to that size.

    Args:
        search: what to show.
        query: the parameters asked with, kept in the links to other pages.
        list_view: whether `_dmd=1` asked for the list view.
        page_kb: kilobytes that the page has at least.
    """
    key = search.product.asin if search.product else search.words
    card = _layout(key) if list_view else cards.gallery_card
    language = "en"
    if card is cards.current_card and not search.fewer_words:
        language = pick(("en",) * 14 + ("es", "ja"), "language", key)
    shown = "".join(card(listing, language) for listing in search.exact)
    if search.fewer_words:
        shown += _notice("Results matching fewer words")
        shown += "".join(card(listing, language) for listing in search.fewer_words)
    elif len(search.exact) > 6 and draw("abroad", key) % 8 == 0:
        # The same notice stands on ordinary pages: its text tells, not its class.
        shown = _notice(f"{search.total} items found from eBay international sellers") + shown
    if (search.exact or search.fewer_words) and draw("dummies", key) % 4:
        shown = cards.dummies(card) + shown
    river = _null_search() if not search.total or search.page > search.pages else ""
    view = "list" if list_view else "grid"
    river += f'<ul class="srp-results srp-{view} clearfix">{shown}{_pagination(search, query)}</ul>'
    html = _document(search, river, view)
    if draw("unquoted", key) % 3 == 0:
        html = _UNQUOTABLE.sub(r"\1=\2", html)
    return _padded(html, page_kb)


def _layout(key: str) -> cards.Card:
    share = unit("layout", key)
    if share < 0.65:
        return cards.current_card
    return cards.mid_2025_card if share < 0.85 else cards.old_card


def _notice(text: str) -> str:
    return (
        '<li class="srp-river-answer srp-river-answer--REWRITE_START" data-view="mi:1706|iid:1">'
        '<section class="su-notice"><section class="section-notice" role="region">'
        f'<span class="section-notice__main"><p><span class="BOLD">{text}</span></p></span>'
        "</section></section></li>"
    )


def _null_search() -> str:
    return (
        '<div class="srp-river-answer"><div class="srp-save-null-search">'
        '<h3 class="srp-save-null-search__heading">No exact matches found</h3>'
        "<span>Save this search to hear of it later.</span></div></div>"
    )


def _pagination(search: Search, query: Sequence[tuple[str, str]]) -> str:
    nav = ""
    if search.pages > 1:
        kept = [(name, value) for name, value in query if name != "_pgn"]

        def href(page: int) -> str:
            url = f"https://www.ebay.com/sch/i.html?{urlencode([*kept, ('_pgn', str(page))])}"
            return escape(url)

        items = "".join(
            f'<li><a href="{href(n)}" class="pagination__item">{n}</a></li>'
            for n in range(1, search.pages + 1)
        )
        last = search.page >= search.pages
        following = search.page if last else search.page + 1
        nav = (
            '<div class="s-pagination__container"><nav role="navigation" class="pagination">'
            f'<ol class="pagination__items">{items}</ol>'
            f'<a href="{href(following)}" type="next" class="pagination__next icon-link" '
            + ('aria-disabled="true" ' if last else "")
            + 'aria-label="Go to next search page"><svg class="icon"></svg></a></nav></div>'
        )
    return (
        '<li class="srp-river-answer srp-river-answer--BASIC_PAGINATION_V2">'
        f'<div class="s-pagination">{nav}</div></li>'
    )


def _document(search: Search, river: str, view: str) -> str:
    words = escape(search.words)
    noun = "result" if search.total == 1 else "results"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{words} for sale | eBay</title></head>"
        f'<body class="s-page no-touch skin-large srp--{view}-view">'
        '<div class="srp-main srp-main--isLarge"><div id="mainContent" class="srp-main-content">'
        '<div class="srp-controls"><h1 class="srp-controls__count-heading">'
        f'<span class="BOLD">{search.total:,}</span> {noun} for <span class="BOLD">{words}</span>'
        '</h1></div><div class="srp-river"><div id="srp-river-main" class="srp-river-main">'
        f'<div id="srp-river-results" class="srp-river-results clearfix">{river}</div>'
        "</div></div></div></div></body></html>"
    )


def _padded(html: str, page_kb: int) -> str:
    missing = page_kb * 1024 - len(html.encode())
    if missing <= 0:
        return html
    # Filters, as the real pages carry by the hundred: nodes, so that parsing has its work too, and
    # attributes, so that a tag takes 100 characters on average as it does there (66 to 190).
    tracked = "&quot;eventProperty&quot;:&quot;invented&quot;,&quot;sid&quot;:&quot;p0.m0.l0&quot;"
    address = "https://www.ebay.com/sch/i.html?_nkw=invented&amp;_dmd=1&amp;_from=R40&amp;rt=nc"
    one = (
        f'<div class="x-refine__item"><a class="x-refine__link" href="{address}" '
        f'data-track="{{{",".join([tracked] * 8)}}}">'
        '<svg class="icon"><use href="#icon-check"></use></svg><span>Invented filter</span></a>'
        "</div>"
    )
    return html.replace("</body>", f"{one * (missing // len(one) + 1)}</body>")


_WALLS = (
    ("Pardon Our Interruption...", "Something about your visit looked automated to us."),
    ("Please wait", "Checking your browser before you access eBay."),
    ("Error Page | eBay", "We looked everywhere. This page is not there."),
)


def wall_html(*things: object) -> str:
    """A page that stands where the search should be; one of three kinds."""
    title, text = pick(_WALLS, "wall", *things)
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>{title}</title></head>'
        f"<body><main><h1>{text}</h1><p>Try again a little later.</p></main></body></html>"
    )
