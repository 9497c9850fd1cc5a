"""A scripted seller list and a scripted history, for the grid and the history to show.

The list is a frame in memory with the edits of a workbench: no database. Deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
from scripted_run import HOSTILE as ANYTHING
from scripted_run import ScriptedRun

from collector.analysis.deltas import DELTAS
from collector.errors import UsageError
from collector.frames.edits import CHANGES, EDITS
from collector.frames.specs import RUNS, SELLERS
from collector.panel.grid import SellersGrid, SellersSource
from collector.panel.history import History, HistorySource

# What a database can hold of it.
HOSTILE = tuple(text.replace("\ud800", "").replace("\x00", "") for text in ANYTHING)
DAY = pd.Timestamp("2026-03-01", tz="UTC")


@dataclass(frozen=True)
class Told:
    """What a scripted edit did."""

    affected: int
    told: dict[str, str] = field(default_factory=dict)


class ScriptedList:
    """A seller list of any length. `calls` are the edits that reached Python."""

    def __init__(self, sellers: int, *, names: tuple[str, ...] = ()) -> None:
        number = np.arange(sellers)
        listed = [f"seller_{n:06d}" for n in number]
        listed[: len(names)] = names
        self.calls: list[tuple[Any, ...]] = []
        self._before: list[pd.DataFrame] = []
        self.frame = SELLERS.shaped(
            pd.DataFrame(
                {
                    "seller_id": number + 1,
                    "platform": "ebay",
                    "display_name": listed,
                    "normalized_name": [name.casefold() for name in listed],
                    "feedback_percent": 90 + (number % 101) / 10,
                    "feedback_count": number * 7919 % 100_000,
                    "first_seen_at": DAY + pd.to_timedelta(number, unit="min"),
                    "last_seen_at": DAY + pd.to_timedelta(number + 5000, unit="min"),
                    "times_seen": number % 9 + 1,
                    "flagged": number % 50 == 7,
                    "note": ["ships from a warehouse" if n % 50 == 7 else "" for n in number],
                    "first_run_id": "1a2b",
                    "last_run_id": "1a2b",
                    "removed_at": pd.Series([pd.NaT] * sellers, dtype="datetime64[us, UTC]"),
                }
            )
        )

    def grid(self) -> SellersGrid:
        """A grid of this list."""
        return SellersGrid(
            SellersSource(
                sellers=lambda: self.frame,
                add=self.add,
                remove=self.remove,
                rename=self.rename,
                flag=self.flag,
                unflag=lambda names: self.flag(names, flagged=False),
                undo=self.undo,
                redo=self._nothing_to_redo,
            )
        )

    def _change(self, *call: Any) -> pd.DataFrame:
        self.calls.append(call)
        self._before.append(self.frame)
        self.frame = self.frame.copy()
        return self.frame

    def add(self, names: list[str]) -> Told:
        """Put names on the list."""
        told = {n: "is on the list already" for n in names if n in set(self.frame.display_name)}
        fresh = [name for name in names if name not in told]
        self._change("add", names)
        row = self.frame.iloc[-1:]
        for name in fresh:
            new = row.assign(seller_id=self.frame.seller_id.max() + 1, display_name=name)
            self.frame = pd.concat([self.frame, new], ignore_index=True)
        return Told(len(fresh), told)

    def remove(self, names: list[str]) -> Told:
        """Take names off the list."""
        frame = self._change("remove", names)
        frame.loc[frame.display_name.isin(names), "removed_at"] = DAY
        return Told(len(names))

    def rename(self, name: str, new_name: str) -> Told:
        """Give a seller another name."""
        if not new_name or " " in new_name:
            raise UsageError(f"{new_name!r} is no seller's name: <b>no blanks</b>.")
        frame = self._change("rename", name, new_name)
        frame.loc[frame.display_name == name, "display_name"] = new_name
        return Told(1)

    def flag(self, names: list[str], *, flagged: bool = True, note: str | None = None) -> Told:
        """Flag names, or take the flag away."""
        frame = self._change("flag" if flagged else "unflag", names, note)
        frame.loc[frame.display_name.isin(names), "flagged"] = flagged
        if note is not None:
            frame.loc[frame.display_name.isin(names), "note"] = note
        return Told(len(names))

    def undo(self) -> Told:
        """Undo the latest edit."""
        if not self._before:
            raise UsageError("There is nothing to undo.")
        self.calls.append(("undo",))
        self.frame = self._before.pop()
        return Told(1)

    def _nothing_to_redo(self) -> Told:
        raise UsageError("There is nothing to do again.")


@dataclass(frozen=True)
class Compared:
    """A scripted run beside the one before."""

    run: dict[str, Any]
    before: dict[str, Any] | None
    delta: pd.DataFrame


class ScriptedHistory:
    """Runs and edits, invented. `calls` are the runs that were started again."""

    def __init__(self, runs: int, *, edits: int = 0, name: str = "Kitchen, week {}") -> None:
        self.calls: list[str] = []
        self.runs = RUNS.frame([self._run(n, name.format(n)) for n in range(runs, 0, -1)])
        self.edits = EDITS.frame([self._edit(n) for n in range(edits, 0, -1)])

    @staticmethod
    def _run(number: int, name: str) -> dict[str, Any]:
        began = DAY + pd.Timedelta(days=number)
        kinds = {"int64": number, "bool": False}
        return {column.name: kinds.get(column.dtype) for column in RUNS.columns} | {
            "run_id": str(UUID(int=number << 64)),
            "name": name,
            "status": "completed",
            "pause_reason": None,
            "message": "",
            "source": "sandbox",
            "sandbox_day": number,
            "category_names": "Kitchen & Dining › Coffee",
            "node_ids": "289754",
            "sellers_new": 10 * number,
            "seller_count_before": 0,
            "seller_count_snapshot": 1000 + 10 * number,
            "budget": 500,
            "failed_items": 0,
            "unfinished": False,
            "options": "{}",
            "created_at": began,
            "started_at": began,
            "finished_at": began + pd.Timedelta(minutes=6, seconds=7),
            "seconds": 367.0,
            "requests_per_new_seller": 0.5,
        }

    @staticmethod
    def _edit(number: int) -> dict[str, Any]:
        return {
            "audit_id": number,
            "created_at": DAY + pd.Timedelta(hours=number),
            "action": "remove",
            "seller_name": HOSTILE[number % len(HOSTILE)],
            "source": "manual",
            "actor": "ana",
            "affected_count": 3,
            "seller_count_snapshot": 1000 - number,
            "change": -3,
            "undoes_id": None,
        }

    def history(self) -> History:
        """A history of these."""
        return History(
            HistorySource(
                runs=lambda: self.runs,
                edits=lambda: self.edits,
                compare=self._compare,
                marks=lambda _: ["The two runs walked different categories."],
                changes=self._changes,
                again=self._again,
            )
        )

    def _compare(self, run_id: str) -> Compared:
        run = self.runs.loc[self.runs.run_id == run_id].iloc[0].to_dict()
        number = int(run["sellers_new"])
        kinds = [("new", number), ("not_seen", 3), ("returning", 2), ("retained", 40)]
        status = [kind for kind, many in kinds for _ in range(many)]
        names = [f"{kind}_{n}" for n, kind in enumerate(status)]
        names[: len(HOSTILE)] = HOSTILE
        rows = pd.DataFrame({"status": status, "display_name": names[: len(status)]})
        for column in DELTAS.columns:
            if column.name not in rows:
                rows[column.name] = False if column.dtype == "bool" else 1
        return Compared(run, run, DELTAS.shaped(rows))

    def _changes(self, _: int) -> pd.DataFrame:
        names = [*HOSTILE[:2], "clever-finds"]
        rows = [
            {"seller_id": n, "change": "removed", "old_name": name, "new_name": None}
            | {"old_note": None, "new_note": None}
            for n, name in enumerate(names)
        ]
        return CHANGES.frame(rows)

    def _again(self, run_id: str) -> ScriptedRun:
        if self.calls:
            raise UsageError("The budget cannot be: <img src=x onerror=alert(1)>.")
        self.calls.append(run_id)
        return ScriptedRun().history(steps=20)
