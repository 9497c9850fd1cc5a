"""A score for "looks like a dropshipper", as a weighted mean of parts that are all shown.

Nothing is learnt and nothing hidden. It orders a list for somebody to look at; it is no proof, and
no probability: nobody has labelled any seller. Each part is a number from 0 to 1:
    breadth     unrelated departments it was seen in: 0 for one, 1 for `full_breadth` or more. Who
                sells kettles, dog beds and phone cases alike seldom has a warehouse of them.
                Missing where the runs walked fewer than two departments.
    products    different best-sellers matched: 1 for `full_products` or more.
    stability   of the runs that searched, to the end, any product it was ever seen under, from
                the first that saw it on: the share that saw it. Missing where that is one run,
                for who was looked for once has proved nothing.
    youth       how few feedbacks: 1 for none, 0 for `full_feedback` or more (logarithmic).
                Missing where the count is unknown.
The weight of missing parts is shared by the others; `known` says how much of the weight the score
stands on, and so how far to trust it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from collector.columns import Column, FrameSpec
from collector.errors import UsageError

PARTS = ("breadth", "products_part", "stability", "youth")


@dataclass(frozen=True, slots=True)
class ScoreWeights:
    """How much each part counts, and where it is full. Weights need not add up to 1.

    Raises:
        UsageError: a weight is negative, all are 0, or a part is never full.
    """

    breadth: float = 0.4
    products: float = 0.3
    stability: float = 0.2
    youth: float = 0.1
    full_breadth: int = 4
    full_products: int = 10
    full_feedback: int = 100_000

    def __post_init__(self) -> None:
        wrong = [n for n, v in asdict(self).items() if isinstance(v, bool) or not _is_number(v)]
        weights = (self.breadth, self.products, self.stability, self.youth)
        full = (self.full_breadth - 1, self.full_products, self.full_feedback)
        if wrong or min(weights) < 0 or sum(weights) <= 0 or min(full) < 1:
            raise UsageError(
                "Weights are numbers from 0 on, one of them more than 0; full_breadth is at least "
                "2, full_products and full_feedback at least 1."
            )

    @classmethod
    def changed(cls, stored: Mapping[str, Any]) -> ScoreWeights:
        """The default weights with those of `stored` instead; names unknown here are passed over.

        Raises:
            UsageError: they cannot be weights.
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


SCORES = FrameSpec(
    "scores",
    "one seller on the list that a run ever saw",
    "highest score first",
    (
        Column("seller_id", "int64", "the seller's number"),
        Column("display_name", "str", "its name as shown"),
        Column("score", "float64", "weighted mean of the parts that are known", "0 to 100"),
        Column("known", "float64", "share of the weights whose parts are known", "0 to 1"),
        Column("breadth", "float64", "part: departments it was seen in", "0 to 1"),
        Column("products_part", "float64", "part: best-sellers matched", "0 to 1"),
        Column("stability", "float64", "part: runs that saw it, of those that could", "0 to 1"),
        Column("youth", "float64", "part: few feedbacks", "0 to 1"),
        Column("departments", "int64", "behind breadth: departments it was seen in"),
        Column("products", "int64", "behind products: best-sellers it was seen under"),
        Column("runs", "int64", "behind stability: runs that saw it"),
        Column("runs_able", "int64", "behind stability: runs that could have seen it"),
        Column("feedback_count", "Int64", "behind youth: feedback score, last seen"),
    ),
)


def scores(
    spread: pd.DataFrame,
    sellers: pd.DataFrame,
    *,
    sightings: pd.DataFrame,
    coverage: pd.DataFrame,
    runs: pd.DataFrame,
    departments_walked: int,
    weights: ScoreWeights | None = None,
) -> pd.DataFrame:
    """Each seller's score with its parts and what they come from (`SCORES`).

    Args:
        spread: what `growth.spread` gave for all runs.
        sellers: the `sellers` frame; who is not in it (removed) gets no score.
        sightings: the `sightings` frame of all runs.
        coverage: the `coverage` frame of all runs.
        runs: the `runs` frame; it orders the runs in time.
        departments_walked: departments of all lists that the runs walked.
        weights: other weights than the default.
    """
    w = weights or ScoreWeights()
    table = spread.merge(sellers[["seller_id", "feedback_count"]], on="seller_id")
    if len(table) == 0:
        return SCORES.empty()
    table["runs_able"] = (
        table["seller_id"].map(_runs_able(sightings, coverage, runs)).fillna(0).astype("int64")
    )
    # A run that saw it could see it, also where it did not get to the end of the search.
    table["runs_able"] = table[["runs_able", "runs"]].max(axis=1)
    table["breadth"] = ((table["departments"] - 1) / (w.full_breadth - 1)).clip(0, 1)
    if departments_walked < 2:
        table["breadth"] = np.nan
    table["products_part"] = (table["products"] / w.full_products).clip(0, 1)
    share = table["runs"] / table["runs_able"]
    table["stability"] = share.where(table["runs_able"] > 1)
    feedback = table["feedback_count"].astype("float64")
    table["youth"] = (1 - np.log1p(feedback) / np.log1p(w.full_feedback)).clip(0, 1)
    parts = table[list(PARTS)]
    weight = pd.Series([w.breadth, w.products, w.stability, w.youth], index=parts.columns)
    known = parts.notna().mul(weight).sum(axis=1)
    table["known"] = known / weight.sum()
    # Where only parts without weight are known, there is no score.
    table["score"] = 100 * parts.fillna(0).mul(weight).sum(axis=1) / known.where(known > 0)
    table = table.sort_values(["score", "seller_id"], ascending=[False, True], ignore_index=True)
    return SCORES.shaped(table)


def _runs_able(
    sightings: pd.DataFrame, coverage: pd.DataFrame, runs: pd.DataFrame
) -> pd.Series[int]:
    """By seller: runs, from the first that saw it on, that searched one of its products whole."""
    order = runs.sort_values(["created_at", "run_id"])["run_id"].reset_index(drop=True)
    place = pd.Series(order.index, index=order)
    under = sightings[["seller_id", "asin"]].drop_duplicates()
    first = sightings["run_id"].map(place).groupby(sightings["seller_id"]).min().rename("first")
    # A run that took a product over has not looked again, nor a stopped search at all of it.
    own = coverage["complete"] & ~coverage["stopped"] & coverage["covered_by_run_id"].isna()
    searched = coverage.loc[own, ["asin", "run_id"]]
    pairs = under.merge(searched, on="asin")[["seller_id", "run_id"]].drop_duplicates()
    at = pairs["run_id"].map(place)
    return pairs[at >= pairs["seller_id"].map(first)].groupby("seller_id").size()
