"""Frugal runs: the latest complete search of each product, and which products one covered.

Revision ID: 049_frugal
Revises: 048_participants

A database that already holds searches gets their latest complete ones, so that its next run can
profit. Whether more pages followed the last one that a run was allowed was not kept until now: it
is taken for so, which makes a product due too early at worst.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    Uuid,
)

revision = "049_frugal"
down_revision = "048_participants"
branch_labels = None
depends_on = None

LATEST_SEARCHES = """
WITH searches AS (
    SELECT item.run_id, item.asin, max(item.settled_at) AS searched_at, count(*) AS pages,
           min(item.title) AS title, min(item.price_from_cents) AS price_from_cents,
           min(item.price_to_cents) AS price_to_cents,
           (array_agg(item.has_more ORDER BY item.page DESC))[1] AS has_more
      FROM collection_items AS item
     WHERE item.kind = 'seller_search'
     GROUP BY item.run_id, item.asin
    HAVING bool_and(item.status = 'done') AND min(item.page) = 1
), latest AS (
    SELECT DISTINCT ON (asin) * FROM searches ORDER BY asin, searched_at DESC, run_id
)
INSERT INTO product_searches (asin, run_id, title, price_from_cents, price_to_cents,
                              results_per_page, geo_location, pages, has_more, searched_at)
SELECT latest.asin, latest.run_id, latest.title, latest.price_from_cents, latest.price_to_cents,
       (run.options ->> 'results_per_page')::integer, run.options ->> 'geo_location', latest.pages,
       coalesce(latest.has_more, false)
           OR latest.pages >= (run.options ->> 'pages_per_search')::integer,
       latest.searched_at
  FROM latest
  JOIN collection_runs AS run ON run.id = latest.run_id
 WHERE run.options ?& ARRAY['results_per_page', 'geo_location', 'pages_per_search']
"""


def upgrade() -> None:
    """Add the table, the columns, and the searches that there are."""
    op.create_table(
        "product_searches",
        Column("asin", Text, nullable=False),
        Column("run_id", Uuid, nullable=False),
        Column("title", Text, nullable=False),
        Column("price_from_cents", BigInteger, nullable=False),
        Column("price_to_cents", BigInteger, nullable=False),
        Column("results_per_page", Integer, nullable=False),
        Column("geo_location", Text, nullable=False),
        Column("pages", SmallInteger, nullable=False),
        Column("has_more", Boolean, nullable=False),
        Column("searched_at", DateTime(timezone=True), nullable=False),
        CheckConstraint("pages > 0", name=op.f("ck_product_searches_pages_positive")),
        CheckConstraint(
            "0 < price_from_cents AND price_from_cents < price_to_cents",
            name=op.f("ck_product_searches_window_is_a_window"),
        ),
        ForeignKeyConstraint(
            ["asin"],
            ["products.asin"],
            name=op.f("fk_product_searches_asin"),
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["run_id"],
            ["collection_runs.id"],
            name=op.f("fk_product_searches_run_id"),
            ondelete="CASCADE",
        ),
        PrimaryKeyConstraint("asin", name=op.f("pk_product_searches")),
    )
    op.create_index("ix_product_searches_run_id", "product_searches", ["run_id"])
    op.add_column(
        "run_products",
        Column(
            "covered_by_run_id",
            Uuid,
            comment="The run whose search of the product was recent enough to count for this one",
        ),
    )
    op.create_foreign_key(
        op.f("fk_run_products_covered_by_run_id"),
        "run_products",
        "collection_runs",
        ["covered_by_run_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.add_column(
        "collection_runs",
        Column("products_covered", BigInteger, nullable=False, server_default="0"),
    )
    op.create_check_constraint(
        op.f("ck_collection_runs_covered_not_negative"), "collection_runs", "products_covered >= 0"
    )
    op.execute(LATEST_SEARCHES)


def downgrade() -> None:
    """Drop them. What a run took over from another is forgotten."""
    op.drop_constraint(
        op.f("ck_collection_runs_covered_not_negative"), "collection_runs", type_="check"
    )
    op.drop_column("collection_runs", "products_covered")
    op.drop_constraint(
        op.f("fk_run_products_covered_by_run_id"), "run_products", type_="foreignkey"
    )
    op.drop_column("run_products", "covered_by_run_id")
    op.drop_table("product_searches")
