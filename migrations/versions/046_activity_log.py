"""The activity log: what each worker did, entry by entry.

Revision ID: 046_activity_log
Revises: 045_seller_snapshots
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "046_activity_log"
down_revision = "045_seller_snapshots"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the log."""
    op.create_table(
        "activity_log",
        Column("run_id", Uuid, nullable=False),
        Column(
            "id", BigInteger, nullable=False, comment="Place within the run, numbered by its owner"
        ),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("worker_id", SmallInteger, nullable=False),
        Column("phase", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("entry", JSONB, nullable=False),
        CheckConstraint("id > 0", name=op.f("ck_activity_log_id_positive")),
        CheckConstraint("worker_id >= 0", name=op.f("ck_activity_log_worker_id")),
        ForeignKeyConstraint(
            ["run_id"],
            ["collection_runs.id"],
            name=op.f("fk_activity_log_run_id"),
            ondelete="CASCADE",
        ),
        PrimaryKeyConstraint("run_id", "id", name=op.f("pk_activity_log")),
    )
    op.create_index("ix_activity_log_created_at", "activity_log", ["created_at"])


def downgrade() -> None:
    """Drop the log, with what it holds."""
    op.drop_table("activity_log")
