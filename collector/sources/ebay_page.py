"""A page of eBay search results, read: cards, their sellers, and what of it answers the search.

Pure: text in, dataclasses out; `UpstreamError` kinds are all that is raised, whatever the text.
The markup's forms were read off real pages from 2024 to 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from selectolax.lexbor import LexborHTMLParser, LexborNode

from collector.errors import Blocked, PageNotUnderstood
from collector.models import Seller
from collector.names import normalize_name
from collector.sources.ebay_feedback import read_seller
from collector.sources.foreign_text import one_line, storable

Match = Literal["exact", "fewer_words"]

# Real pages of 60 cards: 2.4 million characters, 24,000 tags, 105 deep. HTML parsing is
# quadratic in the depth of nesting (100,000 nested lists: over a minute).
_MOST_CHARACTERS = 20_000_000
_MOST_TAGS = 400_000
_DEEPEST = 500
# So few are read within a second however they nest (measured with 18 ways to nest them), and with
# the GIL released: to look how deep they do takes half as long as to parse them.
_HARMLESS_TAGS = 15_000
# A page holds up to 240 results, and a few suggestions.
_MOST_CARDS = 1000

_TAG = re.compile(r"<(/?[a-zA-Z][a-zA-Z0-9-]*)")
_CHILDLESS = frozenset(
    {"area", "base", "br", "circle", "col", "embed", "ellipse", "hr", "img", "input", "line"}
    | {"link", "meta", "param", "path", "polygon", "polyline", "rect", "source", "stop", "track"}
    | {"use", "wbr"}
)

_FEWER_WORDS = re.compile(
    r"(fewer|less) (search )?(words|terms)|menos palabras|menos palavras|moins de mots"
    r"|weniger (wörter|worte|suchbegriffe|begriffe)|(meno|minore di) parole"
    r"|少ない(単語|キーワード)",
    re.IGNORECASE,
)
_NO_MATCH = re.compile(
    r"no exact match|no se (han encontrado|encontraron) (resultados|coincidencias) exact"
    r"|keine (genauen|exakten) (treffer|übereinstimmungen)|aucun résultat correspondant"
    r"|nessun(a corrispondenza| risultato) esatt|nenhuma correspondência exata",
    re.IGNORECASE,
)
_BOT_WALL = re.compile(
    r"pardon our interruption|checking your browser|verify you are (a )?human|security measure"
    r"|are you a robot|access denied|captcha",
    re.IGNORECASE,
)
_PLACEHOLDER = "shop on ebay"
_NUMBER = re.compile(r"\d[\d.,\s]*\+?")
_ITEM_PATH = re.compile(r"/itm/(?:[^/?#]{1,200}/)?(\d{6,20})")

_CARD = "li.s-card, li.s-item"
_NOTICE = '[class*="srp-river-answer"], [class*="srp-save-null-search"]'
_SELLER_ROWS = (
    ".su-card-container__attributes__secondary .s-card__attribute-row",
    ".s-card__attribute-row",
    ".s-item__seller-info-text",
)


@dataclass(frozen=True, slots=True)
class Card:
    """One listing of a result page. `seller` is None where the card names none: unknown."""

    listing_id: str
    title: str
    match: Match
    seller: Seller | None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of results.

    Attributes:
        cards: every real listing in page order; eBay's "Shop on eBay" placeholders are none.
        has_more: whether the page links to a next one.
        null_search: nothing matched, though the page may be full of cards.
    """

    cards: tuple[Card, ...]
    has_more: bool
    null_search: bool

    @property
    def sellers(self) -> tuple[Seller, ...]:
        """The sellers of the cards that match the search, in page order, each once."""
        found: dict[str, Seller] = {}
        for seller in self._matching():
            found.setdefault(normalize_name(seller.username), seller)
        return tuple(found.values())

    @property
    def unmatched(self) -> int:
        """How many cards do not match the search."""
        return sum(card.match != "exact" for card in self.cards)

    @property
    def listings(self) -> dict[str, int]:
        """How many matching cards each seller of `sellers` has, by the seller's `username`."""
        counts: dict[str, int] = {}
        for seller in self._matching():
            key = normalize_name(seller.username)
            counts[key] = counts.get(key, 0) + 1
        return {seller.username: counts[normalize_name(seller.username)] for seller in self.sellers}

    @property
    def is_worth_another(self) -> bool:
        """Whether the next page can hold a match: there is one, and the matches have not ended."""
        return self.has_more and not self.null_search and not self.unmatched

    def _matching(self) -> Iterator[Seller]:
        return (c.seller for c in self.cards if c.seller is not None and c.match == "exact")


def parse_search_page(html: str) -> SearchPage:
    """Read one page of search results.

    Raises:
        Blocked: a bot wall.
        PageNotUnderstood: no result list, a list whose cards could not be found, or a page too
            large or too deeply nested to be one. `.page` is the text, storable.
    """
    text = storable(html)
    _refuse_the_monstrous(text)
    tree = LexborHTMLParser(text)
    river = tree.css_first("#srp-river-results") or tree.css_first("ul.srp-results")
    total = _stated_total(tree)
    null_search = total == 0 or _says_no_match(tree)
    if river is None:
        if null_search:
            return SearchPage(cards=(), has_more=False, null_search=True)
        raise _no_result_list(tree, text)
    if len(river.css(_CARD)) > _MOST_CARDS:
        raise PageNotUnderstood(f"The page holds more than {_MOST_CARDS} cards.", page=text)
    cards = tuple(_cards(river, null_search=null_search))
    if not cards and total:
        raise PageNotUnderstood(
            f"eBay's page states {total} results but none of its cards could be found: "
            "the markup has changed.",
            page=text,
        )
    return SearchPage(cards=cards, has_more=_has_more(tree), null_search=null_search)


def check_search_page(page: SearchPage, *, html: str | None = None) -> None:
    """Refuse a page that has cards of which none names a seller: that is "unknown", not "none".

    Raises:
        PageNotUnderstood: with `html`, where given, as its `.page`.
    """
    if page.cards and all(card.seller is None for card in page.cards):
        raise PageNotUnderstood(
            f"None of the page's {len(page.cards)} cards names a seller: a gallery view, or the "
            "markup has changed. Ask again.",
            page=None if html is None else storable(html),
        )


def _refuse_the_monstrous(text: str) -> None:
    tags = text.count("<")
    if len(text) <= _MOST_CHARACTERS and (
        tags <= _HARMLESS_TAGS or (tags <= _MOST_TAGS and _depth(text) <= _DEEPEST)
    ):
        return
    raise PageNotUnderstood(
        f"The page is no result page: {len(text):,} characters, {tags:,} tags, or nested more "
        f"than {_DEEPEST} deep.",
        page=text[:_MOST_CHARACTERS],
    )


def _depth(text: str) -> int:
    """How deep elements nest, as far as tags alone tell."""
    names = _TAG.findall(text)
    step = {name: 0 if name in _CHILDLESS else -1 if name[0] == "/" else 1 for name in set(names)}
    depth = deepest = 0
    for name in names:
        depth += step[name]
        if depth > deepest:
            deepest = depth
        elif depth < 0:
            depth = 0
    return deepest


def _cards(river: LexborNode, *, null_search: bool) -> Iterator[Card]:
    # eBay's own suggestions, in a carousel between the results, answer no filter of the search.
    suggested = {node.mem_id for node in river.css('[class*="CAROUSEL"] li.s-item')}
    suggested |= {node.mem_id for node in river.css('[class*="CAROUSEL"] li.s-card')}
    match: Match = "fewer_words" if null_search else "exact"
    seen: set[int] = set()
    for node in river.css(f"{_CARD}, {_NOTICE}, ul.srp-results > li"):
        if node.mem_id in seen:  # a node is listed once for each selector that it fits
            continue
        seen.add(node.mem_id)
        if not _is_card(node):
            # An answer may hold the list it announces: its first words are the announcement.
            if _FEWER_WORDS.search(_words(node)[:120]):
                match = "fewer_words"
            continue
        title = _title(node)
        listing_id = _listing_id(node)
        if title.casefold() == "results matching fewer words":
            match = "fewer_words"
        elif title.casefold() != _PLACEHOLDER and (title or listing_id):
            seller = None if node.mem_id in suggested else _seller(node)
            yield Card(listing_id, title, match, seller)


def _is_card(node: LexborNode) -> bool:
    classes = (node.attributes.get("class") or "").split()
    return node.tag == "li" and ("s-card" in classes or "s-item" in classes)


def _title(card: LexborNode) -> str:
    node = (
        card.css_first(".s-card__title .su-styled-text.primary")
        or card.css_first(".s-card__title")
        or card.css_first(".s-item__title")
    )
    return "" if node is None else one_line(node.text())


def _listing_id(card: LexborNode) -> str:
    stated = (card.attributes.get("data-listingid") or "").strip()
    if re.fullmatch(r"\d{1,20}", stated, re.ASCII):
        return stated
    for link in card.css('a[href*="/itm/"]'):
        match = _ITEM_PATH.search((link.attributes.get("href") or "")[:1000])
        if match:
            return match[1]
    return ""


def _seller(card: LexborNode) -> Seller | None:
    for selector in _SELLER_ROWS:
        for row in card.css(selector):
            seller = read_seller(row.text(separator=" "))
            if seller is not None:
                return seller
    return None


def _words(node: LexborNode) -> str:
    return " ".join(node.text(separator=" ").split())


def _stated_total(tree: LexborHTMLParser) -> int | None:
    """The count in the page's heading; None where there is none.

    In some languages the searched words, which may be a number, come before the count.
    """
    bold = [_words(node) for node in tree.css(".srp-controls__count-heading .BOLD")]
    numbers = [int(re.sub(r"\D", "", n)[:18]) for n in bold if _NUMBER.fullmatch(n)]
    return max(numbers, default=None)


def _says_no_match(tree: LexborHTMLParser) -> bool:
    # The same block also says other things on pages full of matches: its text decides.
    notices = tree.css('[class*="srp-save-null-search"]')
    return any(_NO_MATCH.search(_words(node)[:300]) for node in notices)


def _has_more(tree: LexborHTMLParser) -> bool:
    link = tree.css_first("a.pagination__next")
    if link is None:
        return False
    disabled = (link.attributes.get("aria-disabled") or "").strip().casefold() == "true"
    return bool((link.attributes.get("href") or "").strip()) and not disabled


def _no_result_list(tree: LexborHTMLParser, text: str) -> PageNotUnderstood:
    heading = tree.css_first("title") or tree.css_first("h1")
    title = one_line("" if heading is None else _words(heading), limit=80)
    shown = "" if tree.body is None else _words(tree.body)[:20_000]
    if _BOT_WALL.search(title) or _BOT_WALL.search(shown):
        message = "A bot wall stood where eBay's results should be. Ask again later."
        return Blocked(message, page=text)
    named = f' ("{title}")' if title else ""
    return PageNotUnderstood(f"eBay's page has no result list{named}. Ask again.", page=text)
