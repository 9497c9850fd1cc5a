"""What an answer brings, in one transaction each: the item done, its findings, its next items.

Everything here is synchronous over a `Connection`; the transaction is the caller's.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from sqlalchemy import Connection

from collector.errors import Throttled, UpstreamError
from collector.models import Item, NewItem, Product, ProductPage, RunOptions, Settled
from collector.names import normalize_name
from collector.policy import DEFAULT_HOLD_S
from collector.sources.ebay import SearchPage
from collector.store import items, pace, products, requests, runs, sellers
from collector.store.naming import LONGEST_NAME
from collector.words import ItemKind

RUN_ACTOR = "run"


class Booking(Protocol):
    """A reserved request whose answer has come."""

    @property
    def request_id(self) -> int: ...  # noqa: D102
    @property
    def duration_ms(self) -> int: ...  # noqa: D102


def price_window(price_cents: int, options: RunOptions) -> tuple[int, int]:
    """The eBay prices, in cents, between which a product's resellers are looked for."""
    low, high = (
        int((price_cents * Decimal(str(factor))).quantize(Decimal(1), ROUND_HALF_UP))
        for factor in (options.price_from_factor, options.price_to_factor)
    )
    return max(low, 1), max(high, low + 1, 2)


def settle_list(
    conn: Connection,
    item: Item,
    page: ProductPage,
    *,
    booking: Booking,
    owner_id: int,
    options: RunOptions,
) -> Settled | None:
    """Keep a page of a best-seller list: its products, their searches, the next page.

    Returns None where it had been kept already (its commit was lost with the connection).

    Raises:
        OwnershipLost: the item is somebody else's by now.
    """
    if not _book(conn, booking):
        return None
    more = bool(page.products) and item.page < options.pages_per_list
    items.finish(
        conn,
        item,
        owner_id=owner_id,
        duration_ms=booking.duration_ms,
        results=len(page.products),
        has_more=more,
    )
    listed, skipped = products.add_products(conn, item, page.products)
    searches = [
        _search(item, product, options)
        for product in page.products
        if product.asin in listed and product.skip_reason is None
    ]
    added = items.add(conn, item.run_id, searches)
    if more:
        items.add(conn, item.run_id, [_next_page(item)])
    runs.advance(
        conn,
        item.run_id,
        billed=1,
        lists_done=0 if more else 1,
        products_total=added,
        products_skipped=skipped,
    )
    return Settled(
        products=len(page.products),
        products_skipped=skipped,
        products_elsewhere=len(searches) - added,
        items_added=added + more,
    )


def settle_search(
    conn: Connection,
    item: Item,
    page: SearchPage,
    *,
    booking: Booking,
    owner_id: int,
    options: RunOptions,
) -> Settled | None:
    """Keep a page of a product's search: its sellers, what is new of them, the next page.

    Returns None where it had been kept already (its commit was lost with the connection).

    Raises:
        OwnershipLost: the item is somebody else's by now.
    """
    if not _book(conn, booking):
        return None
    # Case-folding can lengthen a name ("ß"): none of eBay's is that long.
    named = {
        name: seller
        for seller in page.sellers
        if len(name := normalize_name(seller.username)) <= LONGEST_NAME
    }
    listings: dict[str, int] = {}
    for username, cards in page.listings.items():
        name = normalize_name(username)
        listings[name] = listings.get(name, 0) + cards
    # Past the "fewer words" split nothing matches, and later pages do not repeat its mark.
    more = page.is_worth_another and item.page < options.pages_per_search
    sighted, changes = sellers.sight(
        conn, run_id=item.run_id, asin=item.asin or "", sellers=named, listings=listings
    )
    items.finish(
        conn,
        item,
        owner_id=owner_id,
        duration_ms=booking.duration_ms,
        results=len(page.cards),
        sellers=sighted.on_page,
        sellers_new=len(changes),
        has_more=more,
    )
    if more:
        items.add(conn, item.run_id, [_next_page(item)])
    runs.advance(
        conn,
        item.run_id,
        billed=1,
        products_searched=0 if more else 1,
        sellers_found=sighted.new_to_run,
        sellers_new=len(changes),
    )
    count = None
    if changes:
        _, count = sellers.log_change(
            conn,
            action="add",
            source="run",
            actor=RUN_ACTOR,
            changes=changes,
            run_id=item.run_id,
            details={"asin": item.asin, "page": item.page},
        )
    return Settled(
        sellers_on_page=sighted.on_page,
        sellers_new=len(changes),
        first_new_seller=sighted.added[0] if sighted.added else None,
        items_added=int(more),
        seller_count=count,
    )


def book_failure(
    conn: Connection, item: Item, error: UpstreamError, *, request_id: int, duration_ms: int
) -> None:
    """Write down that a request brought nothing usable."""
    booked = requests.book(
        conn, request_id, outcome=error.kind, billed=error.billed, duration_ms=duration_ms
    )
    if booked and error.billed:
        runs.advance(conn, item.run_id, billed=1)
    if booked and isinstance(error, Throttled):
        # It is meant for the account, so for everybody who uses it.
        pace.hold(conn, DEFAULT_HOLD_S if error.retry_after_s is None else error.retry_after_s)


def _book(conn: Connection, booking: Booking) -> bool:
    return requests.book(
        conn, booking.request_id, outcome="ok", billed=True, duration_ms=booking.duration_ms
    )


def _search(item: Item, product: Product, options: RunOptions) -> NewItem:
    low, high = price_window(product.price_cents or 0, options)
    return NewItem(
        kind=ItemKind.SELLER_SEARCH,
        key=f"{product.asin}:1",
        page=1,
        node_id=item.node_id,
        category=item.category,
        priority=item.priority + product.position,
        asin=product.asin,
        title=product.title,
        price_from_cents=low,
        price_to_cents=high,
    )


def _next_page(item: Item) -> NewItem:
    subject = item.asin or item.node_id
    return NewItem(
        kind=item.kind,
        key=f"{subject}:{item.page + 1}",
        page=item.page + 1,
        node_id=item.node_id,
        category=item.category,
        priority=item.priority,
        asin=item.asin,
        title=item.title,
        price_from_cents=item.price_from_cents,
        price_to_cents=item.price_to_cents,
    )
