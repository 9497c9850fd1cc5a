"""The workbench's frames: every table as a pandas dataframe, of one run or of all."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from collector import frames
from collector.catalogue import Catalogue
from collector.database import Database
from collector.run import Run
from collector.store import runs

if TYPE_CHECKING:
    import pandas as pd


class FrameReading:
    """What `Workbench` can read. Columns, dtypes and units: `collector.frames.specs`."""

    database: Database
    catalogue: Catalogue

    def runs(self) -> pd.DataFrame:
        """One row a run, newest first; columns and dtypes: `collector.frames.specs.RUNS`."""
        return frames.runs(self.database)

    def categories(self, search: str = "") -> pd.DataFrame:
        """One row a category of the catalogue whose title or node id holds `search`."""
        return frames.categories(self.catalogue.search(search))

    def sellers(
        self, *, run: Run | str | UUID | None = None, include_removed: bool = False
    ) -> pd.DataFrame:
        """One row a seller; columns and dtypes: `collector.frames.specs.SELLERS`.

        Args:
            run: only those that this run saw.
            include_removed: also those that were taken off the list.
        """
        return frames.sellers(
            self.database, run_id=self._id_or_none(run), include_removed=include_removed
        )

    def deltas(
        self, run: Run | str | UUID = "latest", *, before: Run | str | UUID | None = None
    ) -> pd.DataFrame:
        """What became of each seller between two runs: new, returning, retained, not seen.

        Args:
            run: the later run.
            before: the earlier one; None: the latest completed one before it that shares a
                category and the source.

        Raises:
            UnknownRun: there is no such run.
        """
        return frames.deltas(
            self.database,
            self._id(run),
            before_id=None if before is None else self._id(before),
        )

    def products(self, run: Run | str | UUID | None = None) -> pd.DataFrame:
        """One row an entry of a best-seller list, of one run or of all (`specs.PRODUCTS`)."""
        return frames.products(self.database, run_id=self._id_or_none(run))

    def sightings(self, run: Run | str | UUID | None = None) -> pd.DataFrame:
        """One row a sighting, of one run or of all (`specs.SIGHTINGS`)."""
        return frames.sightings(self.database, run_id=self._id_or_none(run))

    def snapshots(self) -> pd.DataFrame:
        """One row a finished run or audit entry: the seller count then (`specs.SNAPSHOTS`)."""
        return frames.snapshots(self.database)

    def audit_log(self) -> pd.DataFrame:
        """One row a change of the seller list (`specs.AUDIT_LOG`)."""
        return frames.audit_log(self.database)

    def items(self, run: Run | str | UUID | None = None) -> pd.DataFrame:
        """One row an item, of one run or of all (`specs.ITEMS`)."""
        return frames.items(self.database, run_id=self._id_or_none(run))

    def requests(self, run: Run | str | UUID | None = None) -> pd.DataFrame:
        """One row a request, of one run or of all (`specs.REQUESTS`)."""
        return frames.requests(self.database, run_id=self._id_or_none(run))

    def activity(self, run: Run | str | UUID) -> pd.DataFrame:
        """The kept activity of a run, one row an entry (`specs.ACTIVITY`)."""
        return frames.activity(self.database, run_id=self._id(run))

    def _id(self, run: Run | str | UUID) -> UUID:
        if isinstance(run, Run):
            return run.id
        with self.database.engine().connect() as conn:
            return runs.find(conn, run)

    def _id_or_none(self, run: Run | str | UUID | None) -> UUID | None:
        return None if run is None else self._id(run)
