"""The tables of a run as a whole: what it was asked, how it stands, what it counted."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from collector.schema.conventions import SNAPSHOT_COMMENT, created, metadata, one_of
from collector.words import PauseReason, RunStatus, Source

# A fresh owner id at every start: a restarted worker never looks like its dead self.
owner_ids = Sequence("collection_owner_ids", metadata=metadata, start=1)

collection_runs = Table(
    "collection_runs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("pause_reason", Text),
    Column("message", Text, nullable=False, server_default=""),
    Column("command", Text),
    Column("source", Text, nullable=False),
    Column("sandbox_day", Integer),
    Column("options", JSONB, nullable=False),
    Column("owner_id", BigInteger),
    Column("budget", BigInteger),
    Column("requests", BigInteger, nullable=False, server_default="0"),
    Column("requests_billed", BigInteger, nullable=False, server_default="0"),
    # Kept in the settling transactions: progress costs the same for ten items and a million.
    Column("lists_total", BigInteger, nullable=False, server_default="0"),
    Column("lists_done", BigInteger, nullable=False, server_default="0"),
    Column("products_total", BigInteger, nullable=False, server_default="0"),
    Column("products_searched", BigInteger, nullable=False, server_default="0"),
    Column("products_skipped", BigInteger, nullable=False, server_default="0"),
    Column("products_covered", BigInteger, nullable=False, server_default="0"),
    Column("sellers_found", BigInteger, nullable=False, server_default="0"),
    Column("sellers_new", BigInteger, nullable=False, server_default="0"),
    Column("seller_count_before", BigInteger),
    Column(
        "seller_count_snapshot",
        BigInteger,
        comment=SNAPSHOT_COMMENT + "; null while the run has not ended",
    ),
    Column(
        "snapshot_audit_id", BigInteger, comment="The last audit entry that the snapshot counts"
    ),
    Column(
        "ending",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Its owner wants it to end: nobody begins another item of it",
    ),
    created(),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    one_of("status", RunStatus, "status"),
    one_of("pause_reason", PauseReason, "pause_reason"),
    one_of("command", ("pause", "resume", "cancel"), "command"),
    one_of("source", Source, "source"),
    CheckConstraint("budget > 0", name="budget_positive"),
    # The ceiling: no code path, however wrong, can reserve request N+1.
    CheckConstraint("budget IS NULL OR requests <= budget", name="budget_is_a_ceiling"),
    CheckConstraint("requests_billed BETWEEN 0 AND requests", name="billed_were_sent"),
    CheckConstraint("lists_done BETWEEN 0 AND lists_total", name="lists_done_of_total"),
    CheckConstraint("products_searched BETWEEN 0 AND products_total", name="searched_of_total"),
    CheckConstraint("products_skipped >= 0", name="skipped_not_negative"),
    CheckConstraint("products_covered >= 0", name="covered_not_negative"),
    CheckConstraint("sellers_new BETWEEN 0 AND sellers_found", name="new_were_found"),
    CheckConstraint("seller_count_snapshot >= 0", name="snapshot_not_negative"),
    CheckConstraint("(status = 'paused') = (pause_reason IS NOT NULL)", name="paused_has_reason"),
    CheckConstraint(
        "(status IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
        name="ended_has_time",
    ),
    CheckConstraint("char_length(name) BETWEEN 1 AND 200", name="name_length"),
    Index("ix_collection_runs_created_at", "created_at"),
)

run_categories = Table(
    "run_categories",
    metadata,
    Column("run_id", Uuid, ForeignKey("collection_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("node_id", Text, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("department", Text, nullable=False),
    Column("name", Text, nullable=False),
    CheckConstraint("node_id ~ '^[0-9]+$'", name="node_id_digits"),
    UniqueConstraint("run_id", "ordinal"),
)
