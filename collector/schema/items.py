"""The tables of a run's work: products, items, requests, and the pages that failed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from collector.schema.conventions import created, metadata, one_of
from collector.words import ItemKind

ITEM_STATUSES = ("pending", "running", "done", "failed")

products = Table(
    "products",
    metadata,
    Column("asin", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("url", Text),
    Column("first_seen_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("char_length(asin) BETWEEN 1 AND 20", name="asin_length"),
)

run_products = Table(
    "run_products",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("node_id", Text, primary_key=True),
    Column("asin", Text, ForeignKey("products.asin"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("price_cents", BigInteger),
    Column("currency", Text),
    Column("skip_reason", Text),
    Column(
        "covered_by_run_id",
        Uuid,
        ForeignKey("collection_runs.id", ondelete="SET NULL"),
        comment="The run whose search of the product was recent enough to count for this one",
    ),
    ForeignKeyConstraint(
        ["run_id", "node_id"],
        ["run_categories.run_id", "run_categories.node_id"],
        ondelete="CASCADE",
    ),
    CheckConstraint("position > 0", name="position_positive"),
    CheckConstraint("price_cents > 0", name="price_positive"),
    CheckConstraint(
        "skip_reason IS NOT NULL OR price_cents IS NOT NULL", name="searched_has_price"
    ),
    Index("ix_run_products_run_id_asin", "run_id", "asin"),
)

collection_items = Table(
    "collection_items",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("run_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("page", SmallInteger, nullable=False),
    Column("node_id", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("asin", Text, ForeignKey("products.asin")),
    Column("title", Text),
    Column("price_from_cents", BigInteger),
    Column("price_to_cents", BigInteger),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("owner_id", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error_type", Text),
    Column("error_stage", Text),
    Column("error_message", Text),
    Column("results", Integer),
    Column("sellers", Integer),
    Column("sellers_new", Integer),
    Column("has_more", Boolean),
    Column("duration_ms", Integer),
    created(),
    Column("settled_at", DateTime(timezone=True)),
    # One item a key: whatever is added twice, by a retry or by two categories, is done once.
    UniqueConstraint("run_id", "kind", "key"),
    ForeignKeyConstraint(
        ["run_id", "node_id"],
        ["run_categories.run_id", "run_categories.node_id"],
        ondelete="CASCADE",
    ),
    one_of("kind", ItemKind, "kind"),
    one_of("status", ITEM_STATUSES, "status"),
    CheckConstraint("page > 0", name="page_positive"),
    CheckConstraint("(status = 'running') = (owner_id IS NOT NULL)", name="running_has_owner"),
    CheckConstraint("status <> 'failed' OR error_type IS NOT NULL", name="failed_has_error"),
    CheckConstraint(
        "kind <> 'seller_search' OR (asin IS NOT NULL AND title IS NOT NULL "
        "AND 0 < price_from_cents AND price_from_cents < price_to_cents)",
        name="search_has_product",
    ),
    # Claims stay fast however many rows are finished (measured: 3,000/s at 10^6 rows).
    Index(
        "ix_collection_items_pending",
        "run_id",
        "priority",
        "id",
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "ix_collection_items_running",
        "run_id",
        "owner_id",
        postgresql_where=text("status = 'running'"),
    ),
    Index(
        "ix_collection_items_failed",
        "run_id",
        postgresql_where=text("status = 'failed'"),
    ),
    Index("ix_collection_items_run_id_asin", "run_id", "asin"),
    # What each best-seller list answered last, over all runs: one row a list and run.
    Index(
        "ix_collection_items_lists_answered",
        "node_id",
        "settled_at",
        postgresql_where=text("kind = 'best_sellers' AND page = 1 AND status = 'done'"),
    ),
)

# What a product's next search is due by. Kept as searches end: looked up by product alone, it
# costs the same after ten runs and after a thousand.
product_searches = Table(
    "product_searches",
    metadata,
    Column("asin", Text, ForeignKey("products.asin", ondelete="CASCADE"), primary_key=True),
    Column(
        "run_id",
        Uuid,
        ForeignKey("collection_runs.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("title", Text, nullable=False),
    Column("price_from_cents", BigInteger, nullable=False),
    Column("price_to_cents", BigInteger, nullable=False),
    Column("results_per_page", Integer, nullable=False),
    Column("geo_location", Text, nullable=False),
    Column("pages", SmallInteger, nullable=False),
    Column("has_more", Boolean, nullable=False),
    Column("searched_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("pages > 0", name="pages_positive"),
    CheckConstraint(
        "0 < price_from_cents AND price_from_cents < price_to_cents", name="window_is_a_window"
    ),
)

failed_pages = Table(
    "failed_pages",
    metadata,
    Column("run_id", Uuid, ForeignKey("collection_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("error_type", Text, primary_key=True),
    Column("item_id", BigInteger, nullable=False),
    Column("page", Text, nullable=False, comment="At most 3 MB: the first page of its kind"),
    created(),
)

collection_requests = Table(
    "collection_requests",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("run_id", Uuid, ForeignKey("collection_runs.id", ondelete="CASCADE"), nullable=False),
    Column(
        "item_id",
        BigInteger,
        ForeignKey("collection_items.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("attempt", Integer, nullable=False),
    Column(
        "reserved_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    Column("finished_at", DateTime(timezone=True)),
    Column("outcome", Text, comment="ok, or the kind of error; null while in flight or unknown"),
    Column("billed", Boolean),
    Column("duration_ms", Integer),
    CheckConstraint("(finished_at IS NULL) = (outcome IS NULL)", name="finished_has_outcome"),
    Index("ix_collection_requests_run_id_id", "run_id", "id"),
)
