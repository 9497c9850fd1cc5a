"""How a run spends fewer requests: which products are due, and when a search goes on.

Pure: values in, decisions out. What a run asks of a product is compared with what the product's
latest complete search was asked; nothing is guessed from what it found.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from collector.models import PageOn, RunOptions
from collector.store.product_searches import EarlierSearch


def price_window(price_cents: int, options: RunOptions) -> tuple[int, int]:
    """The eBay prices, in cents, between which a product's resellers are looked for."""
    low, high = (
        int((price_cents * Decimal(str(factor))).quantize(Decimal(1), ROUND_HALF_UP))
        for factor in (options.price_from_factor, options.price_to_factor)
    )
    return max(low, 1), max(high, low + 1, 2)


def is_due(
    title: str | None,
    window: tuple[int | None, int | None],
    earlier: EarlierSearch | None,
    options: RunOptions,
) -> bool:
    """Whether a product is to be searched (again).

    It is not where its latest complete search asked the same of eBay, went at least as deep or
    came to the end, and is less than `search_again_days` days ago. A search that a paging rule
    ended did neither, and so excuses no other one.

    Args:
        title: the product's title as its list gives it now.
        window: its price window in cents.
        earlier: its latest complete search; None where there is none.
        options: what the run is asked to do.
    """
    if not options.search_again_days or earlier is None:
        return True
    if earlier.days_ago >= options.search_again_days:
        return True
    asked = (earlier.title, (earlier.price_from_cents, earlier.price_to_cents))
    if asked != (title, window):
        return True
    if earlier.results_per_page != options.results_per_page:
        return True
    if earlier.geo_location != options.geo_location:
        return True
    return earlier.has_more and earlier.pages < options.pages_per_search


def goes_on(rule: PageOn, *, new_to_run: int, new_to_list: int) -> bool:
    """Whether a search is worth its next page, by the sellers that its latest page brought.

    Args:
        rule: `page_on` of the run's options.
        new_to_run: sellers on the page that the run had not seen.
        new_to_list: sellers on it that were added to the list.
    """
    match rule:
        case "always":
            return True
        case "while_new_to_run":
            return new_to_run > 0
        case "while_new":
            return new_to_list > 0
