"""Undo and redo of edits: audit entries of their own, which name the entry they are about."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, text

from collector.errors import UsageError
from collector.sources.ebay import normalize_name
from collector.store.edits import Edit, apply_name
from collector.store.sellers import Change, count, log_change

# "undo" in ASCII. Not the counter's row: that is locked last, after the sellers.
UNDO_LOCK = 0x756E646F

# An entry stands undone when the latest undo or redo about it is an undo.
_STATE = """
    (SELECT u.action FROM seller_audit_log u WHERE u.undoes_id = l.id
     ORDER BY u.id DESC LIMIT 1)
"""
_LAST_DONE = text(
    f"""
    SELECT l.id FROM seller_audit_log l
    WHERE l.source IN ('manual', 'import') AND l.action IN ('add', 'edit', 'remove', 'flag', 'unflag')
      AND coalesce({_STATE}, 'redo') = 'redo'
    ORDER BY l.id DESC LIMIT 1
    """  # noqa: S608, E501 - a constant of this module
)
# As everywhere, an edit after an undo means that what was undone shall stay undone.
_LAST_UNDONE = text(
    f"""
    SELECT l.id FROM seller_audit_log l
    WHERE l.source IN ('manual', 'import') AND {_STATE} = 'undo'
      AND NOT EXISTS (
        SELECT FROM seller_audit_log e
        WHERE e.source IN ('manual', 'import') AND e.action NOT IN ('undo', 'redo')
          AND e.id > (SELECT max(u.id) FROM seller_audit_log u WHERE u.undoes_id = l.id))
    ORDER BY (SELECT max(u.id) FROM seller_audit_log u WHERE u.undoes_id = l.id) DESC LIMIT 1
    """  # noqa: S608 - a constant of this module
)
_OPPOSITE = {
    "added": "removed",
    "removed": "added",
    "renamed": "renamed",
    "flagged": "unflagged",
    "unflagged": "flagged",
    "edited": "edited",
}


def undo(conn: Connection, *, actor: str) -> Edit:
    """Undo the latest edit that stands. What runs did is no edit.

    Raises:
        UsageError: there is nothing to undo.
    """
    return _turn(conn, _LAST_DONE, "undo", actor=actor)


def redo(conn: Connection, *, actor: str) -> Edit:
    """Do again what was undone, unless something else was edited since.

    Raises:
        UsageError: there is nothing to do again.
    """
    return _turn(conn, _LAST_UNDONE, "redo", actor=actor)


def _turn(conn: Connection, which: Any, action: str, *, actor: str) -> Edit:
    # Two people who undo at once must not undo the same edit twice.
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UNDO_LOCK})
    audit_id = conn.execute(which).scalar_one_or_none()
    if audit_id is None:
        verb = "undo" if action == "undo" else "do again"
        raise UsageError(f"There is nothing to {verb}.")
    rows = conn.execute(
        text(
            "SELECT c.*, s.normalized_name, s.display_name, s.flagged, s.note, s.removed_at "
            "FROM seller_audit_changes c JOIN sellers s ON s.id = c.seller_id "
            "WHERE c.audit_id = :id ORDER BY s.normalized_name FOR UPDATE OF s"
        ),
        {"id": audit_id},
    ).all()
    told: dict[str, str] = {}
    changes = [c for row in rows if (c := _apply(conn, row, action == "undo", told)) is not None]
    entry_id, seller_count = log_change(
        conn, action=action, source="manual", actor=actor, changes=changes, undoes_id=audit_id
    )
    return Edit(len(changes), seller_count or count(conn), entry_id, told)


def _apply(conn: Connection, row: Row[Any], backwards: bool, told: dict[str, str]) -> Change | None:
    """Make one change, or its opposite, where the seller is still as that change left it."""
    kind = _OPPOSITE[row.change] if backwards else row.change
    match kind:
        case "added" | "removed":
            if (row.removed_at is None) is (kind == "added"):
                told[row.display_name] = "is as it should be already"
                return None
            gone = "clock_timestamp()" if kind == "removed" else "NULL"
            conn.execute(
                text(f"UPDATE sellers SET removed_at = {gone} WHERE id = :id"),  # noqa: S608
                {"id": row.seller_id},
            )
            name = row.display_name
            return Change(
                row.seller_id,
                kind,
                old_name=name if kind == "removed" else None,
                new_name=name if kind == "added" else None,
            )
        case "renamed":
            return _rename(conn, row, backwards, told)
        case _:
            note = row.old_note if backwards else row.new_note
            flagged = row.flagged if kind == "edited" else kind == "flagged"
            conn.execute(
                text("UPDATE sellers SET flagged = :flagged, note = :note WHERE id = :id"),
                {"flagged": flagged, "note": note or "", "id": row.seller_id},
            )
            return Change(
                row.seller_id,
                kind,
                old_name=row.display_name,
                new_name=row.display_name,
                old_note=row.note,
                new_note=note or "",
            )


def _rename(
    conn: Connection, row: Row[Any], backwards: bool, told: dict[str, str]
) -> Change | None:
    wanted = row.old_name if backwards else row.new_name
    name = normalize_name(wanted)
    taken = conn.execute(
        text(
            "SELECT id FROM sellers WHERE platform = 'ebay' AND normalized_name = :name "
            "AND id <> :id"
        ),
        {"name": name, "id": row.seller_id},
    ).first()
    if taken is not None:
        told[row.display_name] = f"cannot be called {wanted}: another seller is"
        return None
    apply_name(conn, row.seller_id, old=row.normalized_name, new=name, display=wanted)
    return Change(row.seller_id, "renamed", old_name=row.display_name, new_name=wanted)
