"""Dataframes to dataframes: what changed between runs, along time, and how sure that is.

Pure: no database, no clock, no files. The rooms: `deltas` (one pair of runs), `marks` (which runs
compare, and what to know about a comparison), `growth` (cohorts and spread), `score`.
"""

from collector.analysis.deltas import (
    BY_CATEGORY,
    DELTAS,
    STATUSES,
    by_category,
    covered,
    deltas,
    summary,
)
from collector.analysis.growth import COHORTS, SPREAD, cohorts, spread
from collector.analysis.marks import (
    MARKS,
    QualityNote,
    badge,
    marks,
    previous_comparable,
    quality_notes,
    searches_alike,
)
from collector.analysis.score import SCORES, ScoreWeights, scores

__all__ = [
    "BY_CATEGORY",
    "COHORTS",
    "DELTAS",
    "MARKS",
    "SCORES",
    "SPREAD",
    "STATUSES",
    "QualityNote",
    "ScoreWeights",
    "badge",
    "by_category",
    "cohorts",
    "covered",
    "deltas",
    "marks",
    "previous_comparable",
    "quality_notes",
    "scores",
    "searches_alike",
    "spread",
    "summary",
]
