"""The tables of the seller list: who is on it, under which names, and which run saw whom."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from collector.schema.conventions import created, metadata

sellers = Table(
    "sellers",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("platform", Text, nullable=False, server_default="ebay"),
    Column("normalized_name", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("feedback_percent", Numeric(4, 1)),
    Column("feedback_count", BigInteger),
    Column("first_seen_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    Column("first_run_id", Uuid, ForeignKey("collection_runs.id", ondelete="SET NULL")),
    Column("last_run_id", Uuid, ForeignKey("collection_runs.id", ondelete="SET NULL")),
    Column("times_seen", BigInteger, nullable=False, server_default="0"),
    Column("flagged", Boolean, nullable=False, server_default=text("false")),
    Column("note", Text, nullable=False, server_default=""),
    # Removed sellers stay as rows: what was seen of them stays true, and a later run that
    # sees one again must not put back what an analyst took out.
    Column("removed_at", DateTime(timezone=True)),
    UniqueConstraint("platform", "normalized_name"),
    CheckConstraint("platform IN ('ebay')", name="platform"),
    CheckConstraint("char_length(normalized_name) BETWEEN 1 AND 64", name="name_length"),
    CheckConstraint("feedback_percent BETWEEN 0 AND 100", name="feedback_percent"),
    CheckConstraint("feedback_count >= 0", name="feedback_count"),
    CheckConstraint("first_seen_at <= last_seen_at", name="seen_in_order"),
    # Each time that a seller is seen updates the row: with room, on the page where it is.
    postgresql_with={"fillfactor": 80},
)

seller_aliases = Table(
    "seller_aliases",
    metadata,
    Column("platform", Text, primary_key=True),
    Column("normalized_name", Text, primary_key=True),
    Column(
        "seller_id",
        BigInteger,
        ForeignKey("sellers.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    created(),
)

seller_sightings = Table(
    "seller_sightings",
    metadata,
    Column("run_id", Uuid, ForeignKey("collection_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("asin", Text, ForeignKey("products.asin"), primary_key=True),
    Column("seller_id", BigInteger, ForeignKey("sellers.id", ondelete="CASCADE"), primary_key=True),
    Column("listings", Integer, nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("listings > 0", name="listings_positive"),
    Index("ix_seller_sightings_seller_id", "seller_id"),
)

# The sellers a run has seen, each once: `sellers_found` without counting sightings.
run_sellers = Table(
    "run_sellers",
    metadata,
    Column("run_id", Uuid, ForeignKey("collection_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("seller_id", BigInteger, ForeignKey("sellers.id", ondelete="CASCADE"), primary_key=True),
    Column("is_new", Boolean, nullable=False),
    Index("ix_run_sellers_seller_id", "seller_id"),
)
