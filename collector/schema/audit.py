"""The tables that remember every change of the seller list, and its one counter."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from collector.schema.conventions import SNAPSHOT_COMMENT, created, metadata, one_of

AUDIT_ACTIONS = ("add", "edit", "remove", "flag", "unflag", "export", "undo", "redo")
AUDIT_SOURCES = ("run", "manual", "import", "export")
CHANGES = ("added", "removed", "renamed", "flagged", "unflagged", "edited")

seller_audit_log = Table(
    "seller_audit_log",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    created(),
    Column("action", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("seller_name", Text, comment="The seller, or the first of several"),
    Column("run_id", Uuid, ForeignKey("collection_runs.id", ondelete="SET NULL")),
    Column("affected_count", BigInteger, nullable=False),
    Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("undoes_id", BigInteger, ForeignKey("seller_audit_log.id")),
    Column("seller_count_snapshot", BigInteger, nullable=False, comment=SNAPSHOT_COMMENT),
    one_of("action", AUDIT_ACTIONS, "action"),
    one_of("source", AUDIT_SOURCES, "source"),
    CheckConstraint("affected_count >= 0", name="affected_not_negative"),
    CheckConstraint("seller_count_snapshot >= 0", name="snapshot_not_negative"),
    CheckConstraint("source <> 'run' OR action = 'add'", name="runs_only_add"),
    Index("ix_seller_audit_log_created_at", "created_at"),
    Index("ix_seller_audit_log_run_id", "run_id"),
)

seller_audit_changes = Table(
    "seller_audit_changes",
    metadata,
    Column(
        "audit_id",
        BigInteger,
        ForeignKey("seller_audit_log.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("seller_id", BigInteger, ForeignKey("sellers.id", ondelete="CASCADE"), primary_key=True),
    Column("change", Text, nullable=False),
    Column("old_name", Text),
    Column("new_name", Text),
    Column("old_note", Text),
    Column("new_note", Text),
    one_of("change", CHANGES, "change"),
    Index("ix_seller_audit_changes_seller_id_audit_id", "seller_id", "audit_id"),
)

# One row. Locked last in every transaction that changes the list, so that its order is the
# order of the commits: audit ids, counts and snapshots all come from it.
seller_counter = Table(
    "seller_counter",
    metadata,
    Column("only", Boolean, primary_key=True, server_default=text("true")),
    Column("seller_count", BigInteger, nullable=False, server_default="0"),
    Column("last_audit_id", BigInteger, nullable=False, server_default="0"),
    CheckConstraint('"only"', name="one_row"),
    CheckConstraint("seller_count >= 0", name="not_negative"),
)
