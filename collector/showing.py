"""The workbench's panels of the desk: the history and the sellers grid, given what they show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING
from uuid import UUID

from collector import analysis, frames
from collector.database import Database
from collector.editing import SellerEditing
from collector.frames import edits as edit_frames
from collector.frames.between import Comparison, compare

if TYPE_CHECKING:
    from collector.panel.grid import SellersGrid
    from collector.panel.history import History
    from collector.run import Run


class PanelShowing(SellerEditing, ABC):
    """What `Workbench` shows beside runs. Each panel can be had any number of times."""

    database: Database

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

    @abstractmethod
    def launch_again(self, run: Run | str | UUID) -> Run:
        """Launch a new run with another one's categories, options, budget and name.

        Raises:
            UnknownRun: there is no such run.
            UnknownCategory: one of its categories is in the catalogue no more.
        """


def _sentences(found: Comparison) -> list[str]:
    return [analysis.MARKS[mark] for mark in found.marks]
