"""The table of what the workers did, entry by entry."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from collector.schema.conventions import metadata

activity_log = Table(
    "activity_log",
    metadata,
    Column("run_id", Uuid, ForeignKey("collection_runs.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "id", BigInteger, primary_key=True, comment="Place within the run, numbered by its owner"
    ),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("worker_id", SmallInteger, nullable=False),
    Column("phase", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("entry", JSONB, nullable=False),
    CheckConstraint("id > 0", name="id_positive"),
    CheckConstraint("worker_id >= 0", name="worker_id"),
    Index("ix_activity_log_created_at", "created_at"),
)
