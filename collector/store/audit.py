"""The audit log: the one way in which the seller list may change.

Every change goes through `log_change`: it locks the counter's one row last, so that the order of
audit ids is the order of commits and each snapshot is the count right after its own commit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one seller: added, removed, renamed, flagged, unflagged or edited."""

    seller_id: int
    change: str
    old_name: str | None = None
    new_name: str | None = None
    old_note: str | None = None
    new_note: str | None = None


# One statement, so that the counter's row is locked for no longer than it must be.
_LOG = text(
    """
    WITH counted AS (
        UPDATE seller_counter
        SET seller_count = seller_count + :delta, last_audit_id = last_audit_id + 1
        RETURNING seller_count, last_audit_id
    ), entry AS (
        INSERT INTO seller_audit_log (id, action, source, actor, seller_name, run_id,
                                      affected_count, details, undoes_id, seller_count_snapshot)
        SELECT last_audit_id, :action, :source, :actor, CAST(:seller_name AS text),
               CAST(:run_id AS uuid), :affected_count, :details, CAST(:undoes_id AS bigint),
               seller_count
        FROM counted
    ), changes AS (
        INSERT INTO seller_audit_changes
            (audit_id, seller_id, change, old_name, new_name, old_note, new_note)
        SELECT last_audit_id, c.*
        FROM counted, jsonb_to_recordset(:changes)
            AS c(seller_id bigint, change text, old_name text, new_name text, old_note text,
                 new_note text)
    )
    SELECT last_audit_id, seller_count FROM counted
    """
).bindparams(bindparam("details", type_=JSONB), bindparam("changes", type_=JSONB))


def log_change(
    conn: Connection,
    *,
    action: str,
    source: str,
    actor: str,
    changes: Sequence[Change] = (),
    affected_count: int | None = None,
    run_id: UUID | None = None,
    details: Mapping[str, Any] | None = None,
    undoes_id: int | None = None,
) -> tuple[int, int]:
    """Write one audit entry with its snapshot. The last statement of its transaction.

    Args:
        conn: in a transaction; the counter's row stays locked until it commits.
        action: what was done, one of the table's actions.
        source: what did it: a run, a person, an import, an export.
        actor: who.
        changes: what happened to each seller, each seller at most once.
        affected_count: where it is not the number of changes.
        run_id: the run that did it.
        details: more, as JSON.
        undoes_id: the audit entry that this one undoes or does again.

    Returns:
        The audit entry's id and its snapshot.
    """
    delta = sum((c.change == "added") - (c.change == "removed") for c in changes)
    first = changes[0] if changes else None
    logged = conn.execute(
        _LOG,
        {
            "delta": delta,
            "action": action,
            "source": source,
            "actor": actor,
            "seller_name": (first.new_name or first.old_name) if first else None,
            "run_id": run_id,
            "affected_count": len(changes) if affected_count is None else affected_count,
            "details": json.loads(json.dumps(details or {}, default=str)),
            "undoes_id": undoes_id,
            "changes": [asdict(change) for change in changes],
        },
    ).one()
    return logged.last_audit_id, logged.seller_count


def record_export(conn: Connection, *, what: str, rows: int, actor: str, path_name: str) -> int:
    """Write down that a frame was exported; returns the audit entry's id."""
    audit_id, _ = log_change(
        conn,
        action="export",
        source="export",
        actor=actor,
        affected_count=rows,
        details={"what": what, "file": path_name},
    )
    return audit_id


def count(conn: Connection) -> int:
    """How many sellers are on the list."""
    return int(conn.execute(text("SELECT seller_count FROM seller_counter")).scalar_one())
