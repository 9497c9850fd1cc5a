"""The tables by which processes share a run, and all requests of a database one pace."""

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
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from collector.schema.conventions import metadata

run_participants = Table(
    "run_participants",
    metadata,
    Column("run_id", Uuid, ForeignKey("collection_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("owner_id", BigInteger, primary_key=True, autoincrement=False),
    # Its workers are numbered from here, so that no two living participants share a number.
    Column("place", SmallInteger, nullable=False, comment="Smallest that was free: from 0"),
    Column("workers", SmallInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("resting", Boolean, nullable=False, server_default=text("false")),
    Column(
        "joined_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    CheckConstraint("place >= 0", name="place"),
    CheckConstraint("workers BETWEEN 1 AND 100", name="workers"),
)

participant_reports = Table(
    "participant_reports",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("run_id", Uuid, ForeignKey("collection_runs.id", ondelete="CASCADE"), nullable=False),
    Column("entry", JSONB, nullable=False, comment="Not numbered yet: the run's owner does"),
    Index("ix_participant_reports_run_id_id", "run_id", "id"),
)

# One row: one database is one team's, and has one account at the upstream.
request_pace = Table(
    "request_pace",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column(
        "per_second",
        Integer,
        comment="Jobs a second that the plan allows: 0 where answers name none, null before",
    ),
    Column("next_slot_at", DateTime(timezone=True), nullable=False),
    Column("hold_until", DateTime(timezone=True), comment="Told by the latest 429"),
    CheckConstraint("id = 1", name="one_row"),
    CheckConstraint("per_second >= 0", name="per_second"),
)
