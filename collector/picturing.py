"""The workbench's pictures: the frames as charts, each asked for by one word."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from collector import analysis
from collector.errors import UsageError
from collector.frames.between import row_of
from collector.reading import FrameReading
from collector.run import Run

if TYPE_CHECKING:
    from collector.pictures import AnyChart, Picture

PICTURES = ("count", "waterfall", "categories", "funnel", "requests", "cohorts")


class FramePictures(FrameReading):
    """What `Workbench` can draw. Where there is nothing to show, the picture says so."""

    def picture(
        self,
        what: str,
        run: Run | str | UUID = "latest",
        *,
        before: Run | str | UUID | None = None,
    ) -> Picture:
        """A picture for a notebook; `.chart` is the Altair chart to change or save.

        Args:
            what: `count` (the list over time, with marks for runs and edits), `waterfall` (from
                the run before to this one), `categories` (new, returning and not seen in each),
                `funnel` (from categories to new sellers), `requests` (and how they ended) or
                `cohorts` (who is seen again by later runs).
            run: the run it is about; `count` and `cohorts` are about all.
            before: the run to compare with, for `waterfall` and `categories`.

        Raises:
            UsageError: there is no such picture.
            UnknownRun: there is no such run.
        """
        from collector import pictures

        def funnel() -> AnyChart:
            run_id = self._latest_or(run)
            if run_id is None:
                return pictures.nothing_yet("From categories to new sellers")
            return pictures.funnel(row_of(self.runs(), run_id))

        def requests() -> AnyChart:
            run_id = self._latest_or(run)
            sent = self.requests(run_id)
            return pictures.requests_and_errors(sent if run_id else sent.head(0))

        draw: dict[str, Callable[[], AnyChart]] = {
            "count": lambda: pictures.count_over_time(self.snapshots()),
            "waterfall": lambda: pictures.waterfall(
                analysis.summary(self.deltas(run, before=before))
            ),
            "categories": lambda: pictures.per_category(self.deltas_by(run, before=before)),
            "funnel": funnel,
            "requests": requests,
            "cohorts": lambda: pictures.cohort_map(self.cohorts()),
        }
        if what not in draw:
            raise UsageError(
                f"There is no picture {what[:40]!r}. Choose one of: {', '.join(draw)}."
            )
        return pictures.Picture(draw[what]())
