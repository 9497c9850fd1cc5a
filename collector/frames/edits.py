"""The edits that people made of the seller list, and what each of them changed."""

from __future__ import annotations

import pandas as pd

from collector.columns import TIME, Column, FrameSpec
from collector.database import Database
from collector.frames.reading import read_query
from collector.store import edit_history

EDITS = FrameSpec(
    "edits",
    "one audit entry that a person made: an edit, an import, an undo or a redo",
    "newest first",
    (
        Column("audit_id", "int64", "the entry's number"),
        Column("created_at", TIME, "when"),
        Column("action", "str", "add, edit, remove, flag, unflag, undo or redo"),
        Column("seller_name", "str", "the seller, or the first of several; missing if none"),
        Column("source", "str", "manual or import"),
        Column("actor", "str", "who did it"),
        Column("affected_count", "int64", "sellers changed"),
        Column("seller_count_snapshot", "int64", "sellers on the list right after", "sellers"),
        Column("change", "int64", "that count less the count of the entry before", "sellers"),
        Column("undoes_id", "Int64", "the entry that this one undoes or redoes"),
    ),
)

CHANGES = FrameSpec(
    "changes",
    "one seller that an audit entry changed",
    "by change, then by number",
    (
        Column("seller_id", "int64", "the seller's number"),
        Column("change", "str", "added, removed, renamed, flagged, unflagged or edited"),
        Column("old_name", "str", "its name before; missing where it was added"),
        Column("new_name", "str", "its name after; missing where it was removed"),
        Column("old_note", "str", "its note before; missing where notes were not touched"),
        Column("new_note", "str", "its note after; missing where notes were not touched"),
    ),
)


def edits(database: Database) -> pd.DataFrame:
    """One row an edit made by a person (`EDITS`), newest first; what runs added is not in it.

    Raises:
        DatabaseError: the database cannot be read.
    """
    return read_query(database, EDITS, edit_history.EDITS, audit_ids=(0, 0))


def changes(database: Database, audit_id: int) -> pd.DataFrame:
    """One row a seller that the audit entry changed (`CHANGES`); empty for one that is not there.

    Raises:
        DatabaseError: the database cannot be read.
    """
    return read_query(database, CHANGES, edit_history.CHANGES, audit_ids=(0, audit_id))
