"""Products: what the pages of best-seller lists named."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Integer, Text

from collector.models import Item, Product

_PRODUCTS = text(
    """
    WITH listed AS (
        SELECT * FROM unnest(:asins, :titles, :urls, :positions, :prices, :currencies, :reasons)
            AS t(asin, title, url, position, price_cents, currency, skip_reason)
    ), known AS (
        INSERT INTO products (asin, title, url, first_seen_at, last_seen_at)
        SELECT asin, title, url, now(), now() FROM listed ORDER BY asin
        ON CONFLICT (asin) DO UPDATE
        SET title = excluded.title, url = coalesce(excluded.url, products.url),
            last_seen_at = excluded.last_seen_at
    )
    INSERT INTO run_products (run_id, node_id, asin, position, title, price_cents, currency,
                              skip_reason)
    SELECT :run_id, :node_id, asin, position, title, price_cents, currency, skip_reason
    FROM listed ORDER BY asin
    ON CONFLICT (run_id, node_id, asin) DO NOTHING
    RETURNING asin, skip_reason IS NOT NULL AS skipped
    """
).bindparams(
    bindparam("asins", type_=ARRAY(Text)),
    bindparam("titles", type_=ARRAY(Text)),
    bindparam("urls", type_=ARRAY(Text)),
    bindparam("positions", type_=ARRAY(Integer)),
    bindparam("prices", type_=ARRAY(BigInteger)),
    bindparam("currencies", type_=ARRAY(Text)),
    bindparam("reasons", type_=ARRAY(Text)),
)


def add_products(conn: Connection, item: Item, products: Sequence[Product]) -> tuple[set[str], int]:
    """Keep the products of a list's page.

    Returns:
        The ASINs that this list had not named yet, and how many of those are skipped.
    """
    if not products:
        return set(), 0
    rows = conn.execute(
        _PRODUCTS,
        {
            "run_id": item.run_id,
            "node_id": item.node_id,
            "asins": [p.asin for p in products],
            "titles": [p.title for p in products],
            "urls": [p.url for p in products],
            "positions": [p.position for p in products],
            "prices": [p.price_cents for p in products],
            "currencies": [p.currency for p in products],
            "reasons": [p.skip_reason for p in products],
        },
    ).all()
    return {row.asin for row in rows}, sum(1 for row in rows if row.skipped)
