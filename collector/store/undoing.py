"""Undo and redo of edits: audit entries of their own, which name the entry they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Boolean, Text

from collector.errors import UsageError
from collector.names import normalize_name
from collector.store.audit import Change, log_change
from collector.store.edits import Edit, put_back, take_off, take_turn
from collector.store.naming import apply_name

_IS_EDIT = "source IN ('manual', 'import') AND action NOT IN ('undo', 'redo')"

# An entry stands undone when the latest undo or redo about it is an undo. All of them are read
# at once: asked entry by entry, a long log would be read once for each of its edits.
_LAST_DONE = text(
    f"""
    WITH turned AS (
        SELECT DISTINCT ON (undoes_id) undoes_id, action FROM seller_audit_log
        WHERE undoes_id IS NOT NULL ORDER BY undoes_id, id DESC
    )
    SELECT l.id FROM seller_audit_log l LEFT JOIN turned t ON t.undoes_id = l.id
    WHERE {_IS_EDIT.replace("source", "l.source").replace("action", "l.action")}
      AND t.action IS DISTINCT FROM 'undo'
    ORDER BY l.id DESC LIMIT 1
    """  # noqa: S608 - a constant of this module
)
# As everywhere, an edit after an undo means that what was undone shall stay undone.
_LAST_UNDONE = text(
    f"""
    WITH turned AS (
        SELECT DISTINCT ON (undoes_id) undoes_id, id, action FROM seller_audit_log
        WHERE undoes_id IS NOT NULL AND id > (
            SELECT coalesce(max(id), 0) FROM seller_audit_log WHERE {_IS_EDIT})
        ORDER BY undoes_id, id DESC
    )
    SELECT undoes_id FROM turned WHERE action = 'undo' ORDER BY id DESC LIMIT 1
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
    take_turn(conn)
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
    backwards = action == "undo"
    told: dict[str, str] = {}
    changes: list[Change] = []
    # An entry's changes are of one kind, but for flags, where some may be of notes alone.
    for kind in sorted({_OPPOSITE[row.change] if backwards else row.change for row in rows}):
        same = [r for r in rows if (_OPPOSITE[r.change] if backwards else r.change) == kind]
        match kind:
            case "added" | "removed":
                changes += _move(conn, same, kind, backwards, told)
            case "renamed":
                changes += [c for r in same if (c := _rename(conn, r, backwards, told))]
            case _:
                changes += _mark(conn, same, kind, backwards)
    entry_id, seller_count = log_change(
        conn, action=action, source="manual", actor=actor, changes=changes, undoes_id=audit_id
    )
    return Edit(len(changes), seller_count, entry_id, told)


def _move(
    conn: Connection, rows: Sequence[Row[Any]], kind: str, backwards: bool, told: dict[str, str]
) -> list[Change]:
    """Put sellers on the list or take them off it, where they are not there already."""
    moved = []
    for row in rows:
        if (row.removed_at is None) is (kind == "added"):
            told[row.display_name] = "is as it should be already"
        else:
            moved.append(row)
    (put_back if kind == "added" else take_off)(conn, [row.seller_id for row in moved])
    # Putting a seller back may have given it another note.
    noted = {row.seller_id: note for row in moved if (note := _note(row, backwards)) is not None}
    _write_notes(conn, noted)
    return [
        Change(
            row.seller_id,
            kind,
            old_name=row.display_name if kind == "removed" else None,
            new_name=row.display_name if kind == "added" else None,
            old_note=row.note if row.seller_id in noted else None,
            new_note=noted.get(row.seller_id),
        )
        for row in moved
    ]


def _mark(conn: Connection, rows: Sequence[Row[Any]], kind: str, backwards: bool) -> list[Change]:
    """Set flags and notes as they were, or as they were made."""
    if kind != "edited":
        conn.execute(
            text("UPDATE sellers SET flagged = :flagged WHERE id = ANY(:ids)").bindparams(
                bindparam("flagged", type_=Boolean), bindparam("ids", type_=ARRAY(BigInteger))
            ),
            {"flagged": kind == "flagged", "ids": [row.seller_id for row in rows]},
        )
    noted = {row.seller_id: _note(row, backwards) or "" for row in rows}
    _write_notes(conn, noted)
    return [
        Change(
            row.seller_id,
            kind,
            old_name=row.display_name,
            new_name=row.display_name,
            old_note=row.note,
            new_note=noted[row.seller_id],
        )
        for row in rows
    ]


def _note(row: Row[Any], backwards: bool) -> str | None:
    note: str | None = row.old_note if backwards else row.new_note
    return note


def _write_notes(conn: Connection, noted: dict[int, str]) -> None:
    conn.execute(
        text(
            "UPDATE sellers SET note = t.note FROM unnest(:ids, :notes) AS t(id, note) "
            "WHERE sellers.id = t.id"
        ).bindparams(
            bindparam("ids", type_=ARRAY(BigInteger)), bindparam("notes", type_=ARRAY(Text))
        ),
        {"ids": list(noted), "notes": list(noted.values())},
    )


def _rename(
    conn: Connection, row: Row[Any], backwards: bool, told: dict[str, str]
) -> Change | None:
    left, wanted = (row.old_name, row.new_name)[:: -1 if backwards else 1]
    if row.display_name != left:
        told[row.display_name] = f"is not called {left} any more"
        return None
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
    apply_name(
        conn,
        row.seller_id,
        old=row.normalized_name,
        new=name,
        display=wanted,
        # A name that was given by mistake is nobody's: the next to be seen under it is new.
        keep_old=not backwards or row.normalized_name in _former_names(conn, row),
    )
    return Change(row.seller_id, "renamed", old_name=row.display_name, new_name=wanted)


def _former_names(conn: Connection, row: Row[Any]) -> set[str]:
    """The normalized names that a seller had given up before an edit, by edits that stand."""
    found = conn.execute(
        text(
            """
            SELECT c.old_name FROM seller_audit_changes c JOIN seller_audit_log l ON l.id = c.audit_id
            WHERE c.seller_id = :seller_id AND c.audit_id < :audit_id AND c.change = 'renamed'
              AND l.source IN ('manual', 'import') AND l.action NOT IN ('undo', 'redo') AND (
                SELECT u.action FROM seller_audit_log u WHERE u.undoes_id = l.id
                ORDER BY u.id DESC LIMIT 1) IS DISTINCT FROM 'undo'
            """  # noqa: E501 - a constant of this module
        ),
        {"seller_id": row.seller_id, "audit_id": row.audit_id},
    )
    return {normalize_name(name) for name in found.scalars()}
