"""How far the figures of a run can be trusted: everything that limits them, and one word for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from collector import analysis
from collector.columns import Column, FrameSpec
from collector.frames.between import Comparison

QUALITY = FrameSpec(
    "quality",
    "one thing to know before trusting a run's figures",
    "the heaviest first",
    (
        Column("weight", "str", "severe, warning or info"),
        Column("mark", "str", "a short stable word for it"),
        Column("text", "str", "one sentence with the figures"),
    ),
)


@dataclass(frozen=True, slots=True)
class Quality:
    """How far to trust a run.

    Attributes:
        badge: `complete`, `incomplete` (a warning), `doubtful` (something severe), or `nothing yet`
            where there is no run.
        notes: what limits the figures, the heaviest first.
    """

    badge: str
    notes: tuple[analysis.QualityNote, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """The notes as a frame (`QUALITY`)."""
        return QUALITY.frame(
            {"weight": n.weight, "mark": n.mark, "text": n.text} for n in self.notes
        )

    def __str__(self) -> str:
        return f"{self.badge}: {'; '.join(n.text for n in self.notes) or 'nothing limits it'}"

    def _repr_html_(self) -> str:
        return f"<p>Figures: <b>{self.badge}</b></p>{self.frame.to_html(index=False)}"


def quality(comparison: Comparison, runs: pd.DataFrame, outcomes: Mapping[str, int]) -> Quality:
    """What limits the figures of a run and of its comparison.

    Args:
        comparison: the run beside the one before it.
        runs: the `runs` frame; earlier runs over the same lists say how many sellers are usual.
        outcomes: how many of the run's requests ended in each outcome, `unknown` among them.
    """
    run = comparison.run
    earlier = runs[(runs["created_at"] < run["created_at"]) & (runs["status"] == "completed")]
    # A run that took products over saw few itself: that is not what is usual.
    whole = (earlier["node_ids"] == run["node_ids"]) & (earlier["products_covered"] == 0)
    alike = earlier[whole]
    notes = analysis.quality_notes(
        run,
        found=comparison.marks,
        outcomes=outcomes,
        earlier_sellers_found=[int(n) for n in alike["sellers_found"]],
        sellers_seen=int(comparison.now.sightings["seller_id"].nunique()),
        covering=_covering(comparison),
    )
    return Quality(analysis.badge(notes), tuple(notes))


def _covering(comparison: Comparison) -> dict[str, int]:
    """By run whose searches cover products of this one: how many."""
    counted = comparison.now.coverage["covered_by_run_id"].value_counts()
    return {str(run_id): int(number) for run_id, number in counted.items()}
