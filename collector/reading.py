"""The workbench's frames: every table as a pandas dataframe, of one run or of all."""

from __future__ import annotations

from datetime import datetime
from numbers import Integral
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from collector import frames
from collector.catalogue import Catalogue
from collector.database import Database
from collector.errors import UsageError
from collector.run import Run
from collector.store import as_of, runs

if TYPE_CHECKING:
    import pandas as pd

# A moment of the seller list: a run (its end), an aware time, or the number of an audit entry.
Moment: TypeAlias = "Run | str | UUID | datetime | Integral | int"


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
        self,
        *,
        run: Run | str | UUID | None = None,
        include_removed: bool = False,
        as_of: Moment | None = None,
    ) -> pd.DataFrame:
        """One row a seller; columns and dtypes: `collector.frames.specs.SELLERS`.

        Args:
            run: only those that this run saw.
            include_removed: also those that were taken off the list.
            as_of: the list as it was (`collector.frames.as_of.SELLERS_AS_OF`): at the end of a
                run, at an aware time, or right after the audit entry of that number.

        Raises:
            UnknownRun: there is no such run.
            UsageError: there was no such moment, or `as_of` stands beside another choice.
        """
        if as_of is not None:
            if run is not None or include_removed:
                raise UsageError("Choose `as_of` alone: it gives the whole list as it was.")
            return frames.sellers_as_of(self.database, self._entry(as_of))
        return frames.sellers(
            self.database, run_id=self._id_or_none(run), include_removed=include_removed
        )

    def diff(self, before: Moment, after: Moment) -> frames.ListDiff:
        """What became of the list between two moments: added, removed and renamed sellers.

        Args:
            before: a run (its end), an aware time, or the number of an audit entry.
            after: another one.

        Raises:
            UnknownRun: there is no such run.
            UsageError: there was no such moment.
        """
        return frames.list_diff(self.database, self._entry(before), self._entry(after))

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

    def _entry(self, moment: Moment) -> int:
        """The audit entry after which the list was as it was at that moment."""
        with self.database.engine().connect() as conn:
            if isinstance(moment, datetime):
                return as_of.entry_at(conn, moment)
            if isinstance(moment, int | Integral):
                return int(moment)
            return as_of.entry_of_run(conn, self._id(moment))

    def _id_or_none(self, run: Run | str | UUID | None) -> UUID | None:
        return None if run is None else self._id(run)
