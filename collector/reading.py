"""The workbench's frames: every table as a pandas dataframe, of one run or of all."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from numbers import Integral
from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID

from collector import frames
from collector.analysis import BY_CATEGORY, DELTAS, ScoreWeights
from collector.database import Database
from collector.errors import UsageError
from collector.frames.between import compare
from collector.frames.growth import by_place
from collector.refreshing import CatalogueRefreshing
from collector.run import Run
from collector.store import as_of, desk_settings, runs

if TYPE_CHECKING:
    import pandas as pd

# A moment of the seller list: a run (its end), an aware time, or the number of an audit entry.
Moment: TypeAlias = "Run | str | UUID | datetime | Integral | int"


class FrameReading(CatalogueRefreshing):
    """What `Workbench` can read. Columns, dtypes and units: `collector.frames.specs`."""

    database: Database

    def runs(self) -> pd.DataFrame:
        """One row a run, newest first; columns and dtypes: `collector.frames.specs.RUNS`."""
        return frames.runs(self.database)

    def categories(self, search: str = "") -> pd.DataFrame:
        """One row a category of the catalogue whose title or node id holds `search`."""
        return frames.categories(self.catalogue.search(search))

    def category_yield(self, run: Run | str | UUID | None = None) -> pd.DataFrame:
        """What each category brought over all ended runs; which are unfruitful is marked.

        Columns and dtypes: `collector.frames.specs.CATEGORY_YIELD`.

        Args:
            run: only the categories of that run, still with the figures of all runs.
        """
        return frames.category_yield(self.database, run_id=self._id_or_none(run))

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
            UnknownRun: there is no such run. (No latest one yet: the frame is empty.)
        """
        run_id = self._latest_or(run)
        if run_id is None:
            return DELTAS.empty()
        return frames.deltas(self.database, run_id, before_id=self._id_or_none(before))

    def growth(self, *, by: Literal["department", "category"] | None = None) -> pd.DataFrame:
        """Along time: every run beside the completed run before that compares with it.

        Args:
            by: one row a run (`collector.frames.between.HISTORY`), or one a run and department or
                category (`collector.frames.growth.GROWTH_BY_PLACE`).
        """
        if by is None:
            return frames.history(self.database)
        return frames.growth_by_place(self.database, by)

    def deltas_by(
        self,
        run: Run | str | UUID = "latest",
        *,
        by: Literal["department", "category"] = "category",
        before: Run | str | UUID | None = None,
    ) -> pd.DataFrame:
        """The delta of a pair of runs by category or department (`analysis.BY_CATEGORY`).

        Raises:
            UnknownRun: there is no such run.
        """
        run_id = self._latest_or(run)
        if run_id is None:
            return BY_CATEGORY.empty()
        comparison = compare(self.database, run_id, before_id=self._id_or_none(before))
        return by_place(self.database, comparison, by)

    def cohorts(self) -> pd.DataFrame:
        """Each run's new sellers, and how many of them later runs saw (`analysis.COHORTS`)."""
        return frames.cohorts(self.database)

    def spread(self, run: Run | str | UUID | None = None) -> pd.DataFrame:
        """Over how many products, lists and departments each seller reaches (`analysis.SPREAD`).

        Args:
            run: as that run alone saw it; None: all runs.
        """
        return frames.spread(self.database, run_id=self._id_or_none(run))

    def scores(self) -> pd.DataFrame:
        """Who looks like a dropshipper, with every part of the score (`analysis.SCORES`).

        An order for looking, no proof: see `collector.analysis.score`. `score_weights` weighs.
        """
        return frames.scores(self.database, weights=self.score_weights)

    @property
    def score_weights(self) -> ScoreWeights:
        """How the parts of a score are weighed; kept in the database."""
        with self.database.engine().connect() as conn:
            return ScoreWeights.changed(desk_settings.get(conn, desk_settings.SCORE_WEIGHTS))

    @score_weights.setter
    def score_weights(self, weights: ScoreWeights) -> None:
        with self.database.engine().begin() as conn:
            desk_settings.put(conn, desk_settings.SCORE_WEIGHTS, asdict(weights))

    def quality(self, run: Run | str | UUID = "latest") -> frames.Quality:
        """How far to trust a run's figures: a badge and what limits them.

        Raises:
            UnknownRun: there is no such run.
        """
        run_id = self._latest_or(run)
        if run_id is None:
            return frames.Quality("nothing yet", ())
        comparison = compare(self.database, run_id)
        requests = frames.requests(self.database, run_id=run_id)
        outcomes = requests["outcome"].fillna("unknown").value_counts()
        counted = {str(kind): int(number) for kind, number in outcomes.items()}
        return frames.quality(comparison, frames.runs(self.database), counted)

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

    def _latest_or(self, run: Run | str | UUID) -> UUID | None:
        """The run that is meant; None where the latest one is and there is none yet."""
        if run == "latest" and self.runs().empty:
            return None
        return self._id(run)

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
