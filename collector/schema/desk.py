"""The tables of the operator's desk: saved choices and settings."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from collector.schema.conventions import created, metadata

category_presets = Table(
    "category_presets",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("node_ids", ARRAY(Text), nullable=False),
    Column("is_default", Boolean, nullable=False, server_default=text("false")),
    created(),
    Column(
        "updated_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    CheckConstraint("cardinality(node_ids) > 0", name="not_empty"),
    CheckConstraint("char_length(name) BETWEEN 1 AND 100", name="name_length"),
    Index(
        "uq_category_presets_default",
        "is_default",
        unique=True,
        postgresql_where=text("is_default"),
    ),
)

collector_settings = Table(
    "collector_settings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    Column(
        "updated_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
)
