"""The categories: what departments' pages said of the catalogue, and which lists were empty.

Revision ID: 047_categories
Revises: 046_activity_log
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    PrimaryKeyConstraint,
    Text,
    func,
    text,
)

revision = "047_categories"
down_revision = "046_activity_log"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the index by which the latest answer of each list is found."""
    op.create_table(
        "categories",
        Column("node_id", Text, nullable=False),
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
        CheckConstraint("node_id ~ '^[0-9]{1,20}$'", name=op.f("ck_categories_node_id_digits")),
        CheckConstraint(
            "char_length(name) BETWEEN 1 AND 200", name=op.f("ck_categories_name_length")
        ),
        CheckConstraint(
            "status IN ('known', 'new', 'renamed', 'gone')", name=op.f("ck_categories_status")
        ),
        PrimaryKeyConstraint("node_id", name=op.f("pk_categories")),
    )
    op.create_index(
        "ix_collection_items_lists_answered",
        "collection_items",
        ["node_id", "settled_at"],
        postgresql_where=text("kind = 'best_sellers' AND page = 1 AND status = 'done'"),
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_collection_items_lists_answered", table_name="collection_items")
    op.drop_table("categories")
