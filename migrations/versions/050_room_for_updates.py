"""Leave room on the pages of `sellers`, so that seeing a seller again stays on one page.

Revision ID: 050_room_for_updates
Revises: 049_frugal

Every page of results updates the sellers that it names. Where the table's page is full, the new
version of a row goes to another page and through every index. Pages that are full already stay so
until their rows have moved; rewriting a long list would lock it, for a gain that comes by itself.
"""

from __future__ import annotations

from alembic import op

revision = "050_room_for_updates"
down_revision = "049_frugal"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Fill pages to four fifths from now on."""
    op.execute("ALTER TABLE sellers SET (fillfactor = 80)")


def downgrade() -> None:
    """Fill them whole again."""
    op.execute("ALTER TABLE sellers RESET (fillfactor)")
