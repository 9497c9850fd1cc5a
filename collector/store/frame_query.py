"""The parts that a frame's query is put together from."""

from __future__ import annotations

from dataclasses import dataclass

_THE_RUN = "current_setting('collector.run_id')::uuid"


@dataclass(frozen=True, slots=True)
class FrameQuery:
    """The parts of one frame's query. `of_run` is the condition that keeps one run's rows."""

    select: str
    of_run: str
    order: str
    only: str = ""

    def text(self, *, one_run: bool = False, everything: bool = False) -> str:
        """The whole query.

        Args:
            one_run: only the rows of the run that the session is set to.
            everything: also the rows that `only` keeps out (removed sellers).
        """
        conditions = [self.of_run.format(run=_THE_RUN)] if one_run else []
        if self.only and not everything:
            conditions.append(self.only)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"{self.select}{where} ORDER BY {self.order}"

    def counting(self, *, one_run: bool = False) -> str:
        """A query for the number of rows of `text`."""
        return f"SELECT count(*) AS rows FROM ({self.text(one_run=one_run)}) AS frame"  # noqa: S608
