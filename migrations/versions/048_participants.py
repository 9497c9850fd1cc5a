"""Runs that several processes share, and the pace that all requests of a database keep.

Revision ID: 048_participants
Revises: 047_categories
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
    Identity,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "048_participants"
down_revision = "047_categories"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and the one row of the pace."""
    op.add_column(
        "collection_runs",
        Column(
            "ending",
            Boolean,
            server_default=text("false"),
            nullable=False,
            comment="Its owner wants it to end: nobody begins another item of it",
        ),
    )
    op.create_table(
        "run_participants",
        Column("run_id", Uuid, nullable=False),
        Column("owner_id", BigInteger, autoincrement=False, nullable=False),
        Column("place", SmallInteger, nullable=False, comment="Smallest that was free: from 0"),
        Column("workers", SmallInteger, nullable=False),
        Column("name", Text, nullable=False),
        Column("resting", Boolean, server_default=text("false"), nullable=False),
        Column(
            "joined_at",
            DateTime(timezone=True),
            server_default=func.clock_timestamp(),
            nullable=False,
        ),
        CheckConstraint("place >= 0", name=op.f("ck_run_participants_place")),
        CheckConstraint("workers BETWEEN 1 AND 100", name=op.f("ck_run_participants_workers")),
        ForeignKeyConstraint(
            ["run_id"],
            ["collection_runs.id"],
            name=op.f("fk_run_participants_run_id"),
            ondelete="CASCADE",
        ),
        PrimaryKeyConstraint("run_id", "owner_id", name=op.f("pk_run_participants")),
    )
    op.create_table(
        "participant_reports",
        Column("id", BigInteger, Identity(always=True), nullable=False),
        Column("run_id", Uuid, nullable=False),
        Column("entry", JSONB, nullable=False, comment="Not numbered yet: the run's owner does"),
        ForeignKeyConstraint(
            ["run_id"],
            ["collection_runs.id"],
            name=op.f("fk_participant_reports_run_id"),
            ondelete="CASCADE",
        ),
        PrimaryKeyConstraint("id", name=op.f("pk_participant_reports")),
    )
    op.create_index("ix_participant_reports_run_id_id", "participant_reports", ["run_id", "id"])
    op.create_table(
        "request_pace",
        Column("id", SmallInteger, autoincrement=False, nullable=False),
        Column(
            "per_second",
            Integer,
            comment="Jobs a second that the plan allows: 0 where answers name none, null before",
        ),
        Column("next_slot_at", DateTime(timezone=True), nullable=False),
        Column("hold_until", DateTime(timezone=True), comment="Told by the latest 429"),
        CheckConstraint("id = 1", name=op.f("ck_request_pace_one_row")),
        CheckConstraint("per_second >= 0", name=op.f("ck_request_pace_per_second")),
        PrimaryKeyConstraint("id", name=op.f("pk_request_pace")),
    )
    op.execute("INSERT INTO request_pace (id, next_slot_at) VALUES (1, clock_timestamp())")


def downgrade() -> None:
    """Drop them all."""
    for table in ("request_pace", "participant_reports", "run_participants"):
        op.drop_table(table)
    op.drop_column("collection_runs", "ending")
