"""A market made of recorded pages: whoever runs over it must find exactly what they hold.

Nothing recorded comes with the package; the folder is given. Each folder under `ebay/` becomes
one product with an invented title and dollar price, and its page answers the search for it.
All best-seller lists hold these products, except the one list that was recorded itself.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.errors import SandboxError
from collector.sandbox.asked import SearchAsked
from collector.sandbox.market import ListedProduct, Search
from collector.sandbox.names import WORD
from collector.sandbox.pages import PARSED, best_sellers_content, best_sellers_html, search_html

RECORDED_NODE = "172282"
_NOT_OUR_WORDS = {"recorded"}


@dataclass(frozen=True, slots=True)
class _Recorded:
    product: ListedProduct
    words: frozenset[str]
    page: str
    sellers: tuple[str, ...]


class RecordedMarket:
    """Serves a folder of recordings.

    Raises:
        SandboxError: the folder, or a file that it must have, is missing or unreadable.
    """

    def __init__(self, folder: Path) -> None:
        try:
            recorded = json.loads(
                (folder / "amazon/best_sellers_electronics/envelope.json").read_text("utf-8")
            )
            self._recorded_list: dict[str, Any] = recorded["envelope"]["results"][0]["content"]
            places = sorted(path for path in (folder / "ebay").iterdir() if path.is_dir())
            self._pages = [_read(path, number) for number, path in enumerate(places)]
        except (OSError, ValueError, LookupError) as exc:
            raise SandboxError(
                f"The recordings in {folder} cannot be served ({type(exc).__name__}: {exc}): give "
                "--recordings a folder with ebay/*/page.html.gz, ebay/*/expected.json and "
                "amazon/best_sellers_electronics/envelope.json."
            ) from exc
        if not self._pages:
            raise SandboxError(f"There is no recorded page under {folder / 'ebay'}.")

    def best_sellers(
        self, node_id: str, *, page: int, day: int, in_dollars: bool, parsed: bool
    ) -> dict[str, Any] | str:
        """Page 1 of a list; every further page is empty."""
        del day
        products = [each.product for each in self._pages] if page == 1 else []
        if node_id == RECORDED_NODE:
            if page == 1:
                return self._recorded_list
            products = []
        if not parsed:
            return best_sellers_html(products)
        content = best_sellers_content(
            products, node_id=node_id, page=page, first=1, in_dollars=in_dollars
        )
        return {**content, "parse_status_code": PARSED}

    def search(self, asked: SearchAsked, *, day: int) -> str:
        """The recorded page on page 1; a page of ours without results after it."""
        del day
        each = self._find(asked.words)
        if each is not None and asked.page == 1:
            return each.page
        nothing = Search(asked.words, asked.page, 1, 0, each.product if each else None, (), ())
        return search_html(nothing, query=asked.query, list_view=True)

    def _find(self, words: str) -> _Recorded | None:
        asked = set(WORD.findall(words.casefold())) - _NOT_OUR_WORDS

        def likeness(each: _Recorded) -> float:
            return len(asked & each.words) / len(asked | each.words)

        best = max(self._pages, key=likeness)
        # Short words may be left out of a search; most of a title may not.
        return best if likeness(best) >= 0.5 else None

    def truth(self, nodes: list[str], *, day: int, **_window: float) -> dict[str, Any]:
        """What the pages hold, by their own expected answers."""
        ours = [node for node in nodes if node != RECORDED_NODE]
        pages = self._pages if ours else []
        return {
            "day": day,
            "nodes": nodes,
            "products": [
                {
                    "asin": each.product.asin,
                    "title": each.product.title,
                    "price_cents": each.product.price_cents,
                    "nodes": ours,
                    "sellers": list(each.sellers),
                }
                for each in pages
            ],
            "sellers": sorted({name.casefold() for each in pages for name in each.sellers}),
        }


def _read(path: Path, number: int) -> _Recorded:
    title = "Recorded " + path.name.replace("_", " ")
    expected = json.loads((path / "expected.json").read_text("utf-8"))
    listings = next(value for value in expected.values() if isinstance(value, list))
    sellers = [each["seller"] for each in listings if each["match"] == "exact" and each["seller"]]
    return _Recorded(
        product=ListedProduct((0, number, 0), f"B0RECORD{number:02d}", title, 2000 + 100 * number),
        words=frozenset(WORD.findall(title.casefold())) - _NOT_OUR_WORDS,
        page=gzip.decompress((path / "page.html.gz").read_bytes()).decode("utf-8", "replace"),
        sellers=tuple(dict.fromkeys(sellers)),
    )
