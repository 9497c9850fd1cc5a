"""The sellers grid's rows: what is shown of the seller list, in which order, and what is chosen.

Frames in, rows out; no widget, no database. One room with pandas under it: a search or sort of
100,000 sellers takes some tens of milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from collector.panel.sentences import printable

# Key, heading, column of the `sellers` frame, whether numbers stand right.
COLUMNS: Final = (
    ("name", "Seller", "display_name", False),
    ("percent", "Positive", "feedback_percent", True),
    ("feedback", "Feedback", "feedback_count", True),
    ("seen", "Runs", "times_seen", True),
    ("first", "First seen", "first_seen_at", True),
    ("last", "Last seen", "last_seen_at", True),
    ("note", "Note", "note", False),
)
# Filters: key, label.
FILTERS: Final = (
    ("all", "All"),
    ("flagged", "Flagged"),
    ("noted", "With a note"),
    ("by_hand", "Added by hand"),
    ("removed", "Removed"),
)
# Columns of text are sorted from a to z first, the others from the largest.
TEXTS: Final = ("name", "note")
LONGEST_NAME: Final = 100

# One row as the browser gets it: id, chosen, flagged, name, percent, feedback, runs, first seen
# and last seen (epoch ms), note, removed.
GridRow = list[Any]
Frame = pd.DataFrame
Places: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, slots=True)
class Look:
    """How the list is looked at.

    Attributes:
        search: text that a name or note holds, in any case.
        filter: a key of `FILTERS`.
        sort: a key of `COLUMNS`; empty: in the order they were added.
        descending: the other way round.
    """

    search: str = ""
    filter: str = "all"
    sort: str = ""
    descending: bool = False


def next_sort(look: Look, key: str) -> dict[str, Any]:
    """What a click on a column's heading changes of the look: one way, the other, not at all."""
    at_first = key not in TEXTS
    if look.sort != key:
        return {"sort": key, "descending": at_first}
    if look.descending == at_first:
        return {"descending": not at_first}
    return {"sort": "", "descending": False}


@dataclass
class GridRows:
    """The list, a look at it, and who is chosen.

    Attributes:
        frame: the `sellers` frame, removed ones among them.
        look: how it is looked at.
        chosen: the ids of the sellers that are chosen, shown or not.
    """

    frame: pd.DataFrame
    look: Look = field(default_factory=Look)
    chosen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.take(self.frame)

    def take(self, frame: pd.DataFrame) -> None:
        """Show another state of the list; who was chosen stays, as far as they are shown."""
        self.frame = frame.reset_index(drop=True)
        self._ids: Places = self.frame["seller_id"].to_numpy(dtype=np.int64)
        self._texts: pd.Series[Any] = (
            self.frame["display_name"].fillna("").str.casefold()
            + "\n"
            + self.frame["note"].fillna("").str.casefold()
        )
        self.see(self.look)

    def see(self, look: Look) -> None:
        """Look at the list in another way. Who is no longer shown is no longer chosen."""
        self.look = look
        shown = self._kept(look.filter)
        wanted = " ".join(look.search.split()).casefold()
        if wanted:
            shown &= self._texts.str.contains(wanted, regex=False).to_numpy(dtype=bool)
        self._order: Places = self._sorted(np.flatnonzero(shown), look)
        self.chosen &= set(self._ids[self._order].tolist())

    def _kept(self, name: str) -> Places:
        removed = self.frame["removed_at"].notna().to_numpy()
        match name:
            case "removed":
                kept = removed
            case "flagged":
                kept = ~removed & self.frame["flagged"].to_numpy(dtype=bool)
            case "noted":
                kept = ~removed & (self.frame["note"].fillna("") != "").to_numpy(dtype=bool)
            case "by_hand":
                kept = ~removed & self.frame["first_run_id"].isna().to_numpy()
            case _:
                kept = ~removed
        return np.array(kept, dtype=bool)

    def _sorted(self, places: Places, look: Look) -> Places:
        column = next((column for key, _, column, _ in COLUMNS if key == look.sort), None)
        if column is None:
            return places[::-1] if look.descending else places
        values = self.frame[column].iloc[places]
        if column in {"display_name", "note"}:
            values = values.fillna("").str.casefold()
            if column == "note":
                # Sellers with a note first, whichever way round.
                values = values.where(values != "")
        ordered = values.reset_index(drop=True).sort_values(
            ascending=not look.descending, kind="stable", na_position="last"
        )
        return np.array(places[ordered.index.to_numpy()])

    @property
    def listed(self) -> int:
        """Sellers on the list, shown or not."""
        return int(self.frame["removed_at"].isna().sum())

    @property
    def shown(self) -> int:
        """Sellers shown."""
        return len(self._order)

    def rows(self, first: int, last: int) -> list[GridRow]:
        """The rows shown from place `first` up to, without, place `last`."""
        places = self._order[max(0, first) : max(0, last)]
        return [self._row(row) for row in self.frame.iloc[places].itertuples(index=False)]

    def _row(self, row: Any) -> GridRow:
        return [
            int(row.seller_id),
            int(row.seller_id) in self.chosen,
            bool(row.flagged),
            printable(row.display_name, longest=LONGEST_NAME),
            None if pd.isna(row.feedback_percent) else float(row.feedback_percent),
            None if pd.isna(row.feedback_count) else int(row.feedback_count),
            int(row.times_seen),
            _ms(row.first_seen_at),
            _ms(row.last_seen_at),
            printable(row.note),
            not pd.isna(row.removed_at),
        ]

    def place_of(self, seller_id: int) -> int | None:
        """Where a seller is shown, None where it is not."""
        found = np.flatnonzero(self._ids[self._order] == seller_id)
        return int(found[0]) if len(found) else None

    def choose(self, first: int, last: int, *, on: bool) -> None:
        """Choose the sellers from place `first` to place `last`, both included, or no longer."""
        low, high = max(0, min(first, last)), max(first, last)
        ids = set(self._ids[self._order[low : high + 1]].tolist())
        self.chosen = self.chosen | ids if on else self.chosen - ids

    def choose_all(self, *, on: bool) -> None:
        """Choose everybody who is shown, or nobody."""
        self.chosen = set(self._ids[self._order].tolist()) if on else set()

    def chosen_names(self) -> list[str]:
        """The names of those who are chosen, in the order shown."""
        ids = self._ids[self._order]
        places = self._order[np.isin(ids, np.fromiter(self.chosen, dtype=np.int64))]
        return [str(name) for name in self.frame["display_name"].iloc[places]]

    def name_of(self, seller_id: int) -> str | None:
        """A seller's whole name, None where the list has no such seller."""
        found = np.flatnonzero(self._ids == seller_id)
        return str(self.frame["display_name"].iloc[found[0]]) if len(found) else None


def _ms(moment: Any) -> int | None:
    return None if pd.isna(moment) else int(moment.timestamp() * 1000)
