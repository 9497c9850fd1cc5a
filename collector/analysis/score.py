"""A score for "looks like a dropshipper", as a weighted mean of parts that are all shown.

Nothing is learnt and nothing hidden. Each part is a number from 0 to 1:
    breadth     unrelated departments: 0 for one, 1 for `full_breadth` or more. Who sells
                kettles, dog beds and phone cases alike seldom has a warehouse of them.
    products    different best-sellers matched: 1 for `full_products` or more.
    stability   runs that saw it, of those since it was first seen.
    youth       how few feedbacks: 1 for none, 0 for `full_feedback` or more (logarithmic).
                Missing where the count is unknown: then the other parts share its weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collector.columns import Column, FrameSpec


@dataclass(frozen=True, slots=True)
class ScoreWeights:
    """How much each part counts, and where it is full. Weights need not add up to 1."""

    breadth: float = 0.4
    products: float = 0.3
    stability: float = 0.2
    youth: float = 0.1
    full_breadth: int = 4
    full_products: int = 10
    full_feedback: int = 100_000


SCORES = FrameSpec(
    "scores",
    "one seller that was ever seen",
    "highest score first",
    (
        Column("seller_id", "int64", "the seller's number"),
        Column("display_name", "str", "its name as shown"),
        Column("score", "float64", "weighted mean of the parts", "0 to 100"),
        Column("breadth", "float64", "part: unrelated departments", "0 to 1"),
        Column("products_part", "float64", "part: best-sellers matched", "0 to 1"),
        Column("stability", "float64", "part: runs that saw it, of those it could", "0 to 1"),
        Column("youth", "float64", "part: few feedbacks; missing where unknown", "0 to 1"),
    ),
)


def scores(
    spread: pd.DataFrame,
    sellers: pd.DataFrame,
    runs: pd.DataFrame,
    *,
    weights: ScoreWeights | None = None,
) -> pd.DataFrame:
    """Each seller's score with its parts (`SCORES`).

    Args:
        spread: what `growth.spread` gave.
        sellers: the `sellers` frame; who is not in it (removed) gets no score.
        runs: the `runs` frame; it tells how many runs could have seen a seller.
        weights: other weights than the default.
    """
    w = weights or ScoreWeights()
    table = spread.merge(sellers[["seller_id", "feedback_count"]], on="seller_id")
    if len(table) == 0:
        return SCORES.empty()
    ended = runs["finished_at"].dropna().dt.tz_convert(None).sort_values().to_numpy()
    first = table["first_seen_at"].dt.tz_convert(None).to_numpy()
    # A run that ended after the first sighting could see the seller, the one that did included.
    since = len(ended) - np.searchsorted(ended, first)
    table["breadth"] = ((table["departments"] - 1) / max(w.full_breadth - 1, 1)).clip(0, 1)
    table["products_part"] = (table["products"] / w.full_products).clip(0, 1)
    table["stability"] = (table["runs"] / np.maximum(since, table["runs"])).clip(0, 1)
    feedback = table["feedback_count"].astype("float64")
    table["youth"] = (1 - np.log1p(feedback) / np.log1p(w.full_feedback)).clip(0, 1)
    parts = table[["breadth", "products_part", "stability", "youth"]]
    weight = pd.Series([w.breadth, w.products, w.stability, w.youth], index=parts.columns)
    known = parts.notna().mul(weight)
    table["score"] = 100 * parts.fillna(0).mul(weight).sum(axis=1) / known.sum(axis=1)
    table = table.sort_values(["score", "seller_id"], ascending=[False, True], ignore_index=True)
    return SCORES.shaped(table)
