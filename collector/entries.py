"""Activity entries about items: what was asked for, what it brought, what went wrong."""

from __future__ import annotations

from typing import Any

from collector.errors import CollectorError, PageNotUnderstood, UpstreamError
from collector.models import ActivityEntry, Item, Settled
from collector.sources.ebay import SearchPage
from collector.words import Action, ItemKind, Phase

_PHASES = {
    ItemKind.BEST_SELLERS: Phase.BEST_SELLERS,
    ItemKind.SELLER_SEARCH: Phase.SELLER_SEARCH,
}


def item_entry(item: Item, action: Action, *, worker_id: int, **told: Any) -> ActivityEntry:
    """An entry about an item."""
    return ActivityEntry(
        worker_id=worker_id,
        phase=_PHASES[item.kind],
        action=action,
        category=item.category,
        product_name=item.title,
        **told,
    )


def request_params(item: Item) -> dict[str, Any]:
    """What an item asks for: page, and the price window in dollars."""
    params: dict[str, Any] = {"page": item.page}
    if item.price_from_cents is not None and item.price_to_cents is not None:
        params["price_from"] = f"{item.price_from_cents / 100:.2f}"
        params["price_to"] = f"{item.price_to_cents / 100:.2f}"
    return params


def list_outcome(item: Item, settled: Settled) -> dict[str, Any]:
    """What a page of a list brought, as fields of an entry."""
    return {
        "items_count": settled.products,
        "params": {
            "page": item.page,
            "skipped": settled.products_skipped,
            "elsewhere": settled.products_elsewhere,
            "not_due": settled.products_covered,
        },
    }


def search_outcome(item: Item, page: SearchPage, settled: Settled) -> dict[str, Any]:
    """What a page of a search brought, as fields of an entry."""
    outcome: dict[str, Any] = {
        "items_count": settled.sellers_on_page,
        "new_sellers_count": settled.sellers_new,
        "params": {"page": item.page, "unmatched": page.unmatched},
    }
    if settled.sellers_new:
        return {"action": Action.INSERTED, "seller_found": settled.first_new_seller, **outcome}
    return {"action": Action.DEDUPED if settled.sellers_on_page else Action.FOUND, **outcome}


def describe_error(error: Exception) -> tuple[str, str, str | None]:
    """Kind, stage (fetch, parse or store) and page of an error."""
    if isinstance(error, UpstreamError):
        stage = "parse" if isinstance(error, PageNotUnderstood) else "fetch"
        return error.kind, stage, error.page
    kind = "workbench" if isinstance(error, CollectorError) else type(error).__name__
    return kind, "store", None
