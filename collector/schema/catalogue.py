"""The table of what departments' pages said of the catalogue since it was shipped."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, Table, Text, func, text

from collector.schema.conventions import metadata, one_of

CATEGORY_STATUSES = ("known", "new", "renamed", "gone")

categories = Table(
    "categories",
    metadata,
    Column("node_id", Text, primary_key=True),
    Column("department", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("slug", Text, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column(
        "last_checked_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
        comment="When the department's page was last read",
    ),
    CheckConstraint("node_id ~ '^[0-9]{1,20}$'", name="node_id_digits"),
    CheckConstraint("char_length(name) BETWEEN 1 AND 200", name="name_length"),
    one_of("status", CATEGORY_STATUSES, "status"),
)
