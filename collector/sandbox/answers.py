"""What the server answers: contents out of a market, and the envelope around them.

Field names and codes are those of the Oxylabs documentation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from collector.sandbox.asked import Asked, SearchAsked
from collector.sandbox.chance import draw
from collector.sandbox.departments import department_page
from collector.sandbox.market import LIST_PAGES, ListedProduct, Market, is_node_id
from collector.sandbox.pages import best_sellers_content, best_sellers_html, search_html


class Answers(Protocol):
    """What the server needs of a market."""

    def best_sellers(
        self, node_id: str, *, page: int, day: int, in_dollars: bool, parsed: bool
    ) -> dict[str, Any] | str:
        """One page of a list."""
        ...

    def search(self, asked: SearchAsked, *, day: int) -> str:
        """One page of a search."""
        ...

    def truth(
        self, nodes: list[str], *, day: int, low: float, high: float, pages: int, per_page: int
    ) -> dict[str, Any]:
        """What a run over these lists must find."""
        ...


@dataclass(frozen=True, slots=True)
class InventedAnswers:
    """The invented market behind the protocol."""

    market: Market
    page_kb: int = 0

    def best_sellers(
        self, node_id: str, *, page: int, day: int, in_dollars: bool, parsed: bool
    ) -> dict[str, Any] | str:
        """One page of a list; empty beyond its second."""
        products = self.market.best_sellers(node_id, day=day, page=page)
        if not parsed:
            return best_sellers_html(products)
        first = 1 + (page - 1) * -(-self.market.list_length // LIST_PAGES)
        return best_sellers_content(
            products, node_id=node_id, page=page, first=first, in_dollars=in_dollars
        )

    def search(self, asked: SearchAsked, *, day: int) -> str:
        """One page of a search."""
        found = self.market.search(
            asked.words,
            day=day,
            from_cents=asked.from_cents,
            to_cents=asked.to_cents,
            page=asked.page,
            per_page=asked.per_page,
        )
        return search_html(
            found, query=asked.query, list_view=asked.list_view, page_kb=self.page_kb
        )

    def truth(
        self, nodes: list[str], *, day: int, low: float, high: float, pages: int, per_page: int
    ) -> dict[str, Any]:
        """What a run over these lists must find on that day.

        `sellers` of a product are the names on its pages; `sellers` of the whole are case-folded.
        """
        on_lists: dict[ListedProduct, list[str]] = {}
        for node in nodes:
            for product in self.market.best_sellers(node, day=day):
                on_lists.setdefault(product, []).append(node)
        names: dict[ListedProduct, dict[str, None]] = {product: {} for product in on_lists}
        for product in on_lists:
            if (cents := product.price_cents) is None:
                continue
            for page in range(1, pages + 1):
                found = self.market.search(
                    product.title,
                    day=day,
                    from_cents=round(cents * low),
                    to_cents=round(cents * high),
                    page=page,
                    per_page=per_page,
                )
                for offer in found.exact:
                    if offer.account:
                        names[product][offer.account.username] = None
        return {
            "seed": self.market.seed,
            "day": day,
            "nodes": nodes,
            "window": [low, high],
            "products": [
                {
                    "asin": product.asin,
                    "title": product.title,
                    "price_cents": product.price_cents,
                    "nodes": where,
                    "sellers": list(names[product]),
                }
                for product, where in on_lists.items()
            ],
            "sellers": sorted({name.casefold() for each in names.values() for name in each}),
        }


def results(asked: Asked, answers: Answers, *, day: int) -> list[tuple[Any, int, str]]:
    """Content, status and address of each page asked for.

    What the site does not have comes as a result of status 404 without content.
    """
    if asked.source == "amazon_bestsellers":
        address = f"https://www.amazon.com/gp/bestsellers/-/{asked.query}?pg="
        if not is_node_id(asked.query):
            return [("", 404, f"{address}{asked.page}")]
        return [
            (
                answers.best_sellers(
                    asked.query,
                    page=page,
                    day=day,
                    in_dollars=asked.in_dollars,
                    parsed=asked.parse,
                ),
                200,
                f"{address}{page}",
            )
            for page in range(asked.page, asked.page + asked.pages)
        ]
    if asked.source == "amazon":
        page = department_page(asked.url or "")
        return [("" if page is None else page, 404 if page is None else 200, asked.url or "")]
    if asked.search is None:
        return [("", 404, asked.url or "")]
    pages = range(asked.page, asked.page + asked.pages)
    return [
        (
            answers.search(replace(asked.search, page=page), day=day),
            200,
            asked.url or "",
        )
        for page in pages
    ]


def envelope(
    asked: Asked, found: list[tuple[Any, int, str]], *, number: int, began: datetime
) -> dict[str, Any]:
    """Results and job as the realtime endpoint sends them."""
    job_id = str(7 * 10**18 + draw("job", number, began) % 10**18)
    times = {
        "created_at": f"{began:%Y-%m-%d %H:%M:%S}",
        "updated_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
    }
    return {
        "results": [
            {
                "content": content,
                **times,
                "page": page,
                "url": url,
                "job_id": job_id,
                "is_render_forced": False,
                "status_code": status,
                "type": "parsed" if isinstance(content, dict) else "raw",
            }
            for page, (content, status, url) in enumerate(found, asked.page)
        ],
        "job": {
            **times,
            "id": job_id,
            "source": asked.source,
            "query": asked.query if asked.source in {"amazon_bestsellers", "ebay_search"} else None,
            "url": asked.url,
            "start_page": asked.page,
            "pages": asked.pages,
            "parse": asked.parse,
            "status": "done" if all(status == 200 for _, status, _ in found) else "faulted",
        },
    }
