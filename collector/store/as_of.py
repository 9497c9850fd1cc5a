"""The seller list as it was: the SQL that replays the audit log up to any of its entries.

Every change of the list is a row of `seller_audit_changes`, numbered in the order of the commits,
so the list after entry N is what the rows up to N say. The entries are chosen by the session
settings `collector.audit_id` and `collector.audit_id_before` (see `frame_queries`).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from collector.errors import UsageError
from collector.store import runs

_AT = "current_setting('collector.audit_id')::bigint"
_BEFORE = "current_setting('collector.audit_id_before')::bigint"

# A seller has at most one change in an entry, so the highest number is the latest change. What it
# was rides along behind the number: one pass over the rows and no join for each fact, whose sizes
# the planner cannot know (measured on a million changes: nested loops, 17 s instead of 8).
_NUMBER = "lpad(c.audit_id::text, 19, '0')"
_BEHIND = 20
_MOVED = (
    "max(c.audit_id * 2 + (c.change = 'added')::int) FILTER (WHERE c.change IN ('added', 'removed')"
)
_NAMED = (
    f"max(({_NUMBER} || c.new_name) COLLATE \"C\") FILTER (WHERE c.change IN ('added', 'renamed')"
)

SELLERS_AS_OF = f"""
WITH latest AS MATERIALIZED (
    SELECT c.seller_id,
           {_MOVED} AND c.audit_id <= {_AT}) % 2 = 1 AS is_on,
           {_MOVED} AND c.audit_id <= {_AT}) / 2 AS moved,
           substr({_NAMED} AND c.audit_id <= {_AT}), {_BEHIND}) AS display_name,
           max(c.audit_id * 2 + (c.change = 'flagged')::int) FILTER (
               WHERE c.change IN ('flagged', 'unflagged') AND c.audit_id <= {_AT}) AS flagged,
           substr(max(({_NUMBER} || c.new_note) COLLATE "C") FILTER (
               WHERE c.audit_id <= {_AT}), {_BEHIND}) AS note,
           substr(min(({_NUMBER} || c.old_note) COLLATE "C") FILTER (
               WHERE c.audit_id > {_AT}), {_BEHIND}) AS note_later
    FROM seller_audit_changes c
    GROUP BY c.seller_id
)
SELECT t.seller_id, t.display_name, coalesce(t.flagged % 2 = 1, false) AS flagged,
       coalesce(t.note, t.note_later, s.note) AS note, l.created_at AS added_at
FROM latest t
JOIN sellers s ON s.id = t.seller_id
JOIN seller_audit_log l ON l.id = t.moved
WHERE t.is_on
ORDER BY t.seller_id
"""  # noqa: S608 - constants of this module

LIST_DIFF = f"""
WITH touched AS MATERIALIZED (
    SELECT DISTINCT seller_id FROM seller_audit_changes
    WHERE audit_id > least({_BEFORE}, {_AT}) AND audit_id <= greatest({_BEFORE}, {_AT})
), both_ends AS MATERIALIZED (
    SELECT c.seller_id,
           coalesce({_MOVED} AND c.audit_id <= {_BEFORE}) % 2 = 1, false) AS was_on,
           coalesce({_MOVED} AND c.audit_id <= {_AT}) % 2 = 1, false) AS is_on,
           substr({_NAMED} AND c.audit_id <= {_BEFORE}), {_BEHIND}) AS old_name,
           substr({_NAMED} AND c.audit_id <= {_AT}), {_BEHIND}) AS new_name
    FROM seller_audit_changes c JOIN touched USING (seller_id)
    GROUP BY c.seller_id
)
SELECT seller_id,
       CASE WHEN NOT was_on THEN 'added' WHEN NOT is_on THEN 'removed' ELSE 'renamed' END AS change,
       CASE WHEN was_on THEN old_name END AS old_name,
       CASE WHEN is_on THEN new_name END AS new_name
FROM both_ends
WHERE was_on <> is_on OR (was_on AND old_name <> new_name)
ORDER BY change, seller_id
"""  # noqa: S608 - constants of this module


def entry_at(conn: Connection, when: datetime) -> int:
    """The latest audit entry made up to a time; 0 where none was.

    Raises:
        UsageError: the time has no time zone.
    """
    if when.tzinfo is None:
        raise UsageError(
            f"{when} has no time zone: give an aware time, such as "
            f"datetime({when.year}, {when.month}, {when.day}, tzinfo=UTC)."
        )
    found = conn.execute(
        text(
            "SELECT id FROM seller_audit_log WHERE created_at <= :when "
            "ORDER BY created_at DESC, id DESC LIMIT 1"
        ),
        {"when": when},
    ).scalar_one_or_none()
    return int(found or 0)


def entry_of_run(conn: Connection, run_id: UUID) -> int:
    """The last audit entry that a run's snapshot counts.

    Raises:
        UnknownRun: there is no such run.
        UsageError: it has not ended: its snapshot is not taken yet.
    """
    found = runs.get(conn, run_id).snapshot_audit_id
    if found is None:
        raise UsageError(
            f"Run {str(run_id)[:8]} has not ended: its snapshot is not taken yet. Name a time or "
            "an audit entry instead."
        )
    return int(found)


def checked_entry(conn: Connection, audit_id: int) -> int:
    """The number of an audit entry that there is, or 0 for the time before the first.

    Raises:
        UsageError: there is no such entry.
    """
    last = int(conn.execute(text("SELECT last_audit_id FROM seller_counter")).scalar_one())
    if not 0 <= audit_id <= last:
        raise UsageError(
            f"There is no audit entry {audit_id}: they go from 1 to {last}, and 0 is before them."
            if last
            else f"There is no audit entry {audit_id}: the seller list has not changed yet."
        )
    return audit_id


def snapshot_at(conn: Connection, audit_id: int) -> int:
    """The seller count right after an audit entry; 0 for entry 0."""
    found = conn.execute(
        text("SELECT seller_count_snapshot FROM seller_audit_log WHERE id = :id"), {"id": audit_id}
    ).scalar_one_or_none()
    return int(found or 0)
