"""What an answer brings, in one transaction each: the item done, its findings, its next items.

Everything here is synchronous over a `Connection`; the transaction is the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection

from collector.errors import Throttled, UpstreamError
from collector.frugal import goes_on, is_due, price_window
from collector.models import Item, NewItem, Product, ProductPage, RunOptions, Settled
from collector.names import normalize_name
from collector.policy import DEFAULT_HOLD_S
from collector.sources.ebay import SearchPage
from collector.store import audit, items, pace, product_searches, products, requests, runs, sellers
from collector.store.naming import LONGEST_NAME
from collector.words import ItemKind

RUN_ACTOR = "run"


class Booking(Protocol):
    """A reserved request whose answer has come."""

    @property
    def request_id(self) -> int: ...  # noqa: D102
    @property
    def duration_ms(self) -> int: ...  # noqa: D102


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
    covered, newly = _covered(conn, item, searches, options)
    added = items.add(conn, item.run_id, [s for s in searches if s.asin not in covered])
    if more:
        items.add(conn, item.run_id, [_next_page(item)])
    runs.advance(
        conn,
        item.run_id,
        billed=1,
        lists_done=0 if more else 1,
        products_total=added,
        products_skipped=skipped,
        products_covered=newly,
    )
    return Settled(
        products=len(page.products),
        products_skipped=skipped,
        products_elsewhere=len(searches) - added - len(covered),
        products_covered=len(covered),
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
    sighted, changes = sellers.sight(
        conn, run_id=item.run_id, asin=item.asin or "", sellers=named, listings=listings
    )
    # Past the "fewer words" split nothing matches, and later pages do not repeat its mark.
    more = (
        page.is_worth_another
        and item.page < options.pages_per_search
        and goes_on(options.page_on, new_to_run=sighted.new_to_run, new_to_list=len(changes))
    )
    items.finish(
        conn,
        item,
        owner_id=owner_id,
        duration_ms=booking.duration_ms,
        results=len(page.cards),
        sellers=sighted.on_page,
        sellers_new=len(changes),
        # What the page said, not whether it is followed: how deep a search went depends on it.
        has_more=page.is_worth_another,
    )
    if more:
        items.add(conn, item.run_id, [_next_page(item)])
    else:
        product_searches.keep(conn, item, options, has_more=page.is_worth_another)
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
        _, count = audit.log_change(
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


def _covered(
    conn: Connection, item: Item, searches: Sequence[NewItem], options: RunOptions
) -> tuple[dict[str, UUID], int]:
    """Keep which of a list's products are not due, with the run whose search covers each.

    Whatever another list of the run decided about a product holds for this one too: it is
    searched once, or covered once. The second value counts those that this list is the first
    to find covered.
    """
    if not options.search_again_days:
        return {}, 0
    standing = product_searches.standing(conn, item.run_id, [s.asin or "" for s in searches])
    covered: dict[str, UUID] = {}
    newly = 0
    for search in searches:
        stands = standing[search.asin or ""]
        window = (search.price_from_cents, search.price_to_cents)
        if stands.searched:
            continue
        if stands.covered_by is not None:
            covered[search.asin or ""] = stands.covered_by
        elif stands.earlier and not is_due(search.title, window, stands.earlier, options):
            covered[search.asin or ""] = stands.earlier.run_id
            newly += 1
    product_searches.cover(conn, item, covered)
    return covered, newly


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
