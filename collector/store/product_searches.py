"""The latest complete search of each product, whichever run made it, and what a run decided by it.

One row a product, written in the transaction that settles a search's last page: what is asked
here costs the same however many runs there were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Text

from collector.models import Item, RunOptions
from collector.words import Source


@dataclass(frozen=True, slots=True)
class EarlierSearch:
    """The latest complete search of a product.

    Attributes:
        run_id: the run that made it.
        title: the title that the product's list gave it then.
        price_from_cents: lower end of its price window.
        price_to_cents: upper end.
        results_per_page: the page size it asked for.
        geo_location: the place that its prices were asked for.
        pages: how many pages it read.
        has_more: whether a further page followed.
        days_ago: days since, by the clock; between sandbox runs, by the market's days.
    """

    run_id: UUID
    title: str
    price_from_cents: int
    price_to_cents: int
    results_per_page: int
    geo_location: str
    pages: int
    has_more: bool
    days_ago: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How a product stands with a run: searched by it, covered by another's search, or neither.

    `earlier` is the product's latest complete search by another run of the same source.
    """

    searched: bool
    covered_by: UUID | None
    earlier: EarlierSearch | None


@dataclass(frozen=True, slots=True)
class LastListed:
    """A product as the latest whole run over a list found it, with its latest search."""

    asin: str
    title: str
    price_cents: int
    earlier: EarlierSearch


_KEEP = text(
    """
    INSERT INTO product_searches (asin, run_id, title, price_from_cents, price_to_cents,
                                  results_per_page, geo_location, pages, has_more, searched_at)
    VALUES (:asin, :run_id, :title, :price_from_cents, :price_to_cents,
            :results_per_page, :geo_location, :pages, :has_more, clock_timestamp())
    ON CONFLICT (asin) DO UPDATE
    SET run_id = excluded.run_id, title = excluded.title,
        price_from_cents = excluded.price_from_cents, price_to_cents = excluded.price_to_cents,
        results_per_page = excluded.results_per_page, geo_location = excluded.geo_location,
        pages = excluded.pages, has_more = excluded.has_more, searched_at = excluded.searched_at
    """
)


def keep(conn: Connection, item: Item, options: RunOptions, *, has_more: bool) -> None:
    """Keep that a product's search is complete: `item` is its last page.

    A page's item is added only once the page before it is done, so the last one's end is the
    whole search's. Between sellers and run in the order of locks.
    """
    conn.execute(
        _KEEP,
        {
            "asin": item.asin,
            "run_id": item.run_id,
            "title": item.title,
            "price_from_cents": item.price_from_cents,
            "price_to_cents": item.price_to_cents,
            "results_per_page": options.results_per_page,
            "geo_location": options.geo_location,
            "pages": item.page,
            "has_more": has_more,
        },
    )


# Days of the sandbox are counted, not waited for: a whole run of it is a day.
_EARLIER = """
    s.run_id AS by_run_id, s.title, s.price_from_cents, s.price_to_cents, s.results_per_page,
    s.geo_location, s.pages, s.has_more,
    coalesce(CASE WHEN r.source = 'sandbox' THEN {day} - r.sandbox_day
                  ELSE extract(epoch FROM clock_timestamp() - s.searched_at) / 86400
             END::double precision, 'infinity') AS days_ago
"""

_STANDING = text(
    f"""
    SELECT a.asin, {_EARLIER.format(day="mine.sandbox_day")},
           EXISTS (SELECT FROM collection_items i
                   WHERE i.run_id = :run_id AND i.asin = a.asin AND i.kind = 'seller_search'
           ) AS searched,
           (SELECT p.covered_by_run_id FROM run_products p
            WHERE p.run_id = :run_id AND p.asin = a.asin AND p.covered_by_run_id IS NOT NULL
            LIMIT 1) AS covered_by
    FROM unnest(:asins) AS a(asin)
    JOIN collection_runs mine ON mine.id = :run_id
    LEFT JOIN (product_searches s JOIN collection_runs r ON r.id = s.run_id)
           ON s.asin = a.asin AND r.id <> mine.id AND r.source = mine.source
    """  # noqa: S608 - constants of this module
).bindparams(bindparam("asins", type_=ARRAY(Text)))


def standing(conn: Connection, run_id: UUID, asins: Sequence[str]) -> dict[str, Standing]:
    """How products stand with a run, by ASIN.

    To be asked once the products' rows are locked (`products.add_products`): two lists of one run
    that name a product at the same time then decide one after the other, and alike.
    """
    if not asins:
        return {}
    rows = conn.execute(_STANDING, {"run_id": run_id, "asins": list(asins)})
    return {row.asin: Standing(row.searched, row.covered_by, _earlier(row)) for row in rows}


_COVER = text(
    """
    UPDATE run_products p SET covered_by_run_id = c.run_id
    FROM unnest(:asins, CAST(:run_ids AS uuid[])) AS c(asin, run_id)
    WHERE p.run_id = :run_id AND p.node_id = :node_id AND p.asin = c.asin
    """
).bindparams(bindparam("asins", type_=ARRAY(Text)), bindparam("run_ids", type_=ARRAY(Text)))


def cover(conn: Connection, item: Item, covered: dict[str, UUID]) -> None:
    """Keep which products of a list another run's search covers. They are this transaction's."""
    if covered:
        conn.execute(
            _COVER,
            {
                "run_id": item.run_id,
                "node_id": item.node_id,
                "asins": list(covered),
                "run_ids": [str(run_id) for run_id in covered.values()],
            },
        )


_ON_LISTS = text(
    f"""
    SELECT DISTINCT ON (p.asin) p.asin, p.title AS listed_title, p.price_cents,
           {_EARLIER.format(day="CAST(:sandbox_day AS integer)")}
    FROM unnest(:node_ids) AS n(node_id)
    CROSS JOIN LATERAL (
        SELECT c.run_id FROM run_categories c JOIN collection_runs w ON w.id = c.run_id
        WHERE c.node_id = n.node_id AND w.status = 'completed' AND w.source = :source
        ORDER BY w.created_at DESC LIMIT 1
    ) latest
    JOIN run_products p ON p.run_id = latest.run_id AND p.node_id = n.node_id
    JOIN product_searches s ON s.asin = p.asin
    JOIN collection_runs r ON r.id = s.run_id AND r.source = :source
    WHERE p.skip_reason IS NULL
    ORDER BY p.asin, n.node_id
    """  # noqa: S608 - constants of this module
).bindparams(bindparam("node_ids", type_=ARRAY(Text)), bindparam("sandbox_day", type_=BigInteger))


def on_lists(
    conn: Connection, node_ids: Sequence[str], *, source: Source, sandbox_day: int | None
) -> list[LastListed]:
    """The products that were on these lists when a whole run last walked them, if ever searched.

    Args:
        conn: where to read.
        node_ids: the lists.
        source: whose runs.
        sandbox_day: the market's day to count from; None for a real source.
    """
    rows = conn.execute(
        _ON_LISTS,
        {"node_ids": list(node_ids), "source": source.value, "sandbox_day": sandbox_day},
    )
    found = ((row, _earlier(row)) for row in rows)
    return [
        LastListed(row.asin, row.listed_title, row.price_cents, earlier)
        for row, earlier in found
        if earlier is not None
    ]


def _earlier(row: Row[Any]) -> EarlierSearch | None:
    if row.by_run_id is None:
        return None
    return EarlierSearch(
        run_id=row.by_run_id,
        title=row.title,
        price_from_cents=row.price_from_cents,
        price_to_cents=row.price_to_cents,
        results_per_page=row.results_per_page,
        geo_location=row.geo_location,
        pages=row.pages,
        has_more=row.has_more,
        days_ago=row.days_ago,
    )
