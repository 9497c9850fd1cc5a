"""The workbench's panels of the desk: the history and the sellers grid, given what they show."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from collector import analysis, frames
from collector.database import Database
from collector.editing import SellerEditing
from collector.errors import UnknownRun
from collector.frames import edits as edit_frames
from collector.frames.between import Comparison, compare, row_of
from collector.models import RunOptions

if TYPE_CHECKING:
    from collector.panel.grid import SellersGrid
    from collector.panel.history import History
    from collector.run import Run


class PanelShowing(SellerEditing):
    """What `Workbench` shows beside runs. Each panel can be had any number of times."""

    database: Database
    launch: Callable[..., Run]

    def history(self) -> History:
        """Runs and edits on one timeline, with what each added and removed.

        Raises:
            DatabaseError: the database cannot be read.
        """
        from collector.panel.history import History, HistorySource

        return History(
            HistorySource(
                runs=lambda: frames.runs(self.database),
                edits=lambda: edit_frames.edits(self.database),
                compare=lambda run_id: compare(self.database, UUID(run_id)),
                marks=_sentences,
                changes=lambda audit_id: edit_frames.changes(self.database, audit_id),
                again=self.launch_again,
            )
        )

    def sellers_grid(self) -> SellersGrid:
        """The seller list as a grid in which it can be searched and edited.

        Raises:
            DatabaseError: the database cannot be read.
        """
        from collector.panel.grid import SellersGrid, SellersSource

        return SellersGrid(
            SellersSource(
                sellers=lambda: frames.sellers(self.database, include_removed=True),
                add=self.add,
                remove=self.remove,
                rename=self.rename,
                flag=self.flag,
                unflag=self.unflag,
                undo=self.undo,
                redo=self.redo,
            )
        )

    def launch_again(self, run_id: UUID | str) -> Run:
        """Launch a new run with another one's categories, options, budget and name.

        Raises:
            UnknownRun: there is no such run.
            UnknownCategory: the catalogue has one of its categories no more.
        """
        try:
            run = row_of(frames.runs(self.database), UUID(str(run_id)))
        except ValueError:
            raise UnknownRun(f"There is no run {run_id}; `collector runs` lists them.") from None
        budget = run["budget"]
        return self.launch(
            str(run["node_ids"]).split(),
            name=str(run["name"]),
            budget=None if not isinstance(budget, int) else budget,
            options=RunOptions(**json.loads(run["options"])),
        )


def _sentences(found: Comparison) -> list[str]:
    return [analysis.MARKS[mark] for mark in found.marks]
