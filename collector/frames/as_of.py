"""The seller list as it was after any audit entry, and what changed between two of them.

Both replay the audit log in the database and agree with the snapshots: a list has as many rows as
the snapshot of its entry says, and `before + added - removed = after`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from collector.columns import TIME, Column, FrameSpec
from collector.database import Database
from collector.frames.reading import read_query
from collector.names import normalize_name
from collector.store import as_of

SELLERS_AS_OF = FrameSpec(
    "sellers_as_of",
    "one seller that was on the list then",
    "in the order the sellers were first met",
    (
        Column("seller_id", "int64", "the seller's number"),
        Column("display_name", "str", "the name it had then"),
        Column("normalized_name", "str", "that name as it is compared"),
        Column("flagged", "bool", "whether it was flagged then"),
        Column("note", "str", "its note then, as far as the audit log knows; possibly empty"),
        Column("added_at", TIME, "when it was last put on the list before then"),
    ),
)

LIST_DIFF = FrameSpec(
    "list_diff",
    "one seller that was added, removed or renamed from the one moment to the other",
    "by change, then by number",
    (
        Column("seller_id", "int64", "the seller's number"),
        Column("change", "str", "added, removed or renamed"),
        Column("old_name", "str", "its name at the first moment; missing where it was added"),
        Column("new_name", "str", "its name at the second; missing where it was removed"),
    ),
)

_STORED = FrameSpec(
    SELLERS_AS_OF.name,
    SELLERS_AS_OF.row,
    SELLERS_AS_OF.order,
    tuple(c for c in SELLERS_AS_OF.columns if c.name != "normalized_name"),
)


@dataclass(frozen=True, slots=True)
class ListDiff:
    """What became of the seller list between two moments.

    Attributes:
        frame: one row a seller (`LIST_DIFF`). Who came and went in between is not in it.
        before: sellers on the list at the first moment.
        after: sellers on the list at the second: before + added - removed.
    """

    frame: pd.DataFrame
    before: int
    after: int

    @property
    def counts(self) -> dict[str, int]:
        """How many sellers were `added`, `removed` and `renamed`."""
        found = self.frame["change"].value_counts()
        return {change: int(found.get(change, 0)) for change in ("added", "removed", "renamed")}

    @property
    def added(self) -> pd.DataFrame:
        """The rows of sellers that were added."""
        return self._of("added")

    @property
    def removed(self) -> pd.DataFrame:
        """The rows of sellers that were removed."""
        return self._of("removed")

    @property
    def renamed(self) -> pd.DataFrame:
        """The rows of sellers that have another name."""
        return self._of("renamed")

    def _of(self, change: str) -> pd.DataFrame:
        return self.frame[self.frame["change"] == change].reset_index(drop=True)

    def __str__(self) -> str:
        told = ", ".join(f"{count:,} {change}" for change, count in self.counts.items())
        return f"{self.before:,} → {self.after:,} sellers: {told}"

    def __repr__(self) -> str:
        return f"<ListDiff {self}>"

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>{self.frame.to_html(max_rows=20)}"


def sellers_as_of(database: Database, audit_id: int) -> pd.DataFrame:
    """The seller list right after an audit entry (`SELLERS_AS_OF`); 0 is before the first.

    Raises:
        UsageError: there is no such entry.
        DatabaseError: the database cannot be read.
    """
    with database.engine().connect() as conn:
        as_of.checked_entry(conn, audit_id)
    frame = read_query(database, _STORED, as_of.SELLERS_AS_OF, audit_ids=(0, audit_id))
    names = [normalize_name(name) for name in frame["display_name"]]
    return SELLERS_AS_OF.shaped(frame.assign(normalized_name=pd.Series(names, dtype="str")))


def list_diff(database: Database, before_audit_id: int, audit_id: int) -> ListDiff:
    """What changed from one audit entry to another, either of which may be the later one.

    Raises:
        UsageError: there is no such entry.
        DatabaseError: the database cannot be read.
    """
    with database.engine().connect() as conn:
        before, after = (
            as_of.snapshot_at(conn, as_of.checked_entry(conn, entry))
            for entry in (before_audit_id, audit_id)
        )
    span = (before_audit_id, audit_id)
    frame = read_query(database, LIST_DIFF, as_of.LIST_DIFF, audit_ids=span)
    return ListDiff(frame, before, after)
