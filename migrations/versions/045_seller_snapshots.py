"""Snapshots: how many sellers were on the list right after each audit entry and each ended run.

Revision ID: 045_seller_snapshots
Revises: 044_seller_collection

A database that already holds audit entries gets theirs by replay: what each entry's changes
added and removed, or its affected count where it recorded no changes, summed up in the order of
the entries.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column

revision = "045_seller_snapshots"
down_revision = "044_seller_collection"
branch_labels = None
depends_on = None

COMMENT = "Sellers on the list right after this row's commit"

REPLAY_AUDIT_LOG = """
WITH changed AS (
    SELECT audit_id,
           count(*) FILTER (WHERE change = 'added')
               - count(*) FILTER (WHERE change = 'removed') AS difference
      FROM seller_audit_changes
     GROUP BY audit_id
), replayed AS (
    SELECT entry.id,
           sum(coalesce(changed.difference,
                        CASE entry.action WHEN 'add' THEN entry.affected_count
                                          WHEN 'remove' THEN -entry.affected_count
                                          ELSE 0 END)) OVER (ORDER BY entry.id) AS sellers
      FROM seller_audit_log AS entry
      LEFT JOIN changed ON changed.audit_id = entry.id
)
UPDATE seller_audit_log AS entry
   SET seller_count_snapshot = replayed.sellers
  FROM replayed
 WHERE replayed.id = entry.id
"""

# An ended run counts what had been committed when it ended.
REPLAY_RUNS = """
UPDATE collection_runs AS run
   SET snapshot_audit_id = coalesce(latest.id, 0),
       seller_count_snapshot = coalesce(latest.seller_count_snapshot, 0)
  FROM collection_runs AS ended
  LEFT JOIN LATERAL (
       SELECT id, seller_count_snapshot
         FROM seller_audit_log
        WHERE created_at <= ended.finished_at
        ORDER BY id DESC
        LIMIT 1
  ) AS latest ON true
 WHERE run.id = ended.id AND ended.finished_at IS NOT NULL
"""


def upgrade() -> None:
    """Add the columns, fill them for what is there, then demand them."""
    op.add_column("seller_audit_log", Column("seller_count_snapshot", BigInteger, comment=COMMENT))
    op.add_column(
        "collection_runs",
        Column(
            "seller_count_snapshot",
            BigInteger,
            comment=f"{COMMENT}; null while the run has not ended",
        ),
    )
    op.add_column(
        "collection_runs",
        Column(
            "snapshot_audit_id",
            BigInteger,
            comment="The last audit entry that the snapshot counts",
        ),
    )
    op.execute(REPLAY_AUDIT_LOG)
    op.execute(REPLAY_RUNS)
    op.alter_column("seller_audit_log", "seller_count_snapshot", nullable=False)
    for table in ("seller_audit_log", "collection_runs"):
        op.create_check_constraint(
            op.f(f"ck_{table}_snapshot_not_negative"), table, "seller_count_snapshot >= 0"
        )


def downgrade() -> None:
    """Drop the columns; an upgrade replays them again."""
    op.drop_column("collection_runs", "snapshot_audit_id")
    op.drop_column("collection_runs", "seller_count_snapshot")
    op.drop_column("seller_audit_log", "seller_count_snapshot")
