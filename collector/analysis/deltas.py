"""The delta of two runs, seller by seller, without calling anybody lost who was not looked for.

Of the sellers a run saw, each is
    new         this run added it to the list,
    returning   it was on the list already, but the run before did not see it,
    retained    the run before saw it, too;
and of the sellers only the run before saw, each is
    not_seen       this run searched EVERY product under which the run before saw it, to the end
                   and at least as deep, and did not see it,
    out_of_scope   at least one of these products was not searched so: nothing can be said.

All products and not just one: a seller found under a phone case and a kettle has not vanished
because the phone case was searched; it may well stand under the kettle.

A product that was not due counts as the search that covers it: whom that search saw is seen (and
new to nobody), and its pages are the coverage. A search that its paging rule ended covers nothing:
whoever it did not see may stand on the page that it left out. Growth accounting holds:

    now    = retained + new + returning
    before = retained + not_seen + out_of_scope
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from collector.columns import Column, FrameSpec

STATUSES = ("new", "returning", "retained", "not_seen", "out_of_scope")

DELTAS = FrameSpec(
    "deltas",
    "one seller that one of the two runs saw",
    "by status (new, returning, retained, not_seen, out_of_scope), then by number",
    (
        Column("seller_id", "int64", "the seller's number"),
        Column("display_name", "str", "its name as shown"),
        Column("status", "str", "new, returning, retained, not_seen or out_of_scope"),
        Column("products_now", "int64", "products under which this run saw it"),
        Column("products_before", "int64", "products under which the run before saw it"),
        Column(
            "products_searched_again",
            "int64",
            "of products_before, those that this run searched to the end and as deep",
        ),
        Column(
            "searched_before",
            "bool",
            "whether the run before searched, to the end, any product under which this run saw "
            "it; if not, `returning` may only mean that one looks at more products now",
        ),
        Column(
            "carried_over",
            "bool",
            "whether this run counts it as seen only because searches saw it that cover products "
            "that were not due",
        ),
        Column("removed", "bool", "whether an analyst has taken it off the list since"),
    ),
)

_COUNTS = tuple(Column(status, "int64", f"sellers that are {status}") for status in STATUSES)

BY_CATEGORY = FrameSpec(
    "by_category",
    "one category (or department) of one of the two runs",
    "most sellers first",
    (
        Column("department", "str", "the department"),
        Column("category", "str", "the list; empty for a department as a whole or its own list"),
        Column(
            "now",
            "int64",
            "sellers this run stands for, by its products = new + returning + retained; a seller "
            "counts in every category it was seen in",
        ),
        *_COUNTS,
    ),
)


def covered(now: pd.DataFrame, before: pd.DataFrame) -> set[str]:
    """The products that the later run searched to the end and at least as deep.

    Args:
        now: `coverage` of the later run.
        before: `coverage` of the earlier run.

    A search that stopped at its last allowed page although a further one follows counts only
    if the earlier run went no deeper; one that a paging rule ended does not count. A search that
    covers a product for the later run counts only if the earlier run did not look later still.
    """
    both = now.merge(
        before[["asin", "pages_done", "searched_at"]],
        on="asin",
        how="left",
        suffixes=("", "_then"),
    )
    as_deep = ~both["has_more"] | (
        ~both["stopped"] & (both["pages_done"] >= both["pages_done_then"].fillna(0))
    )
    own = both["covered_by_run_id"].isna()
    no_earlier = both["searched_at_then"].isna() | (both["searched_at"] >= both["searched_at_then"])
    return set(both.loc[both["complete"] & as_deep & (own | no_earlier), "asin"])


def deltas(
    now: pd.DataFrame,
    before: pd.DataFrame,
    *,
    coverage_now: pd.DataFrame,
    coverage_before: pd.DataFrame,
    alike: bool = True,
) -> pd.DataFrame:
    """The delta between two runs (`DELTAS`).

    Args:
        now: `seen` of the later run.
        before: `seen` of the run it is compared with; empty for a first run.
        coverage_now: `coverage` of the later run.
        coverage_before: `coverage` of the earlier run.
        alike: whether the later run's searches took in whatever the earlier one's did (price
            window, page size, place). If not, nobody is `not_seen`.
    """
    again = covered(coverage_now, coverage_before) if alike else set()
    to_the_end = coverage_before["complete"] & ~coverage_before["stopped"]
    searched = set(coverage_before.loc[to_the_end, "asin"])
    here = (
        now.assign(searched_before=now["asin"].isin(searched))
        .groupby("seller_id")
        .agg(
            name_now=("display_name", "last"),
            products_now=("asin", "nunique"),
            is_new=("is_new", "any"),
            searched_before=("searched_before", "any"),
            removed_now=("removed", "any"),
            carried_over=("carried_over", "all"),
        )
    )
    there = (
        before.assign(again=before["asin"].isin(again))
        .groupby("seller_id")
        .agg(
            name_before=("display_name", "last"),
            products_before=("asin", "nunique"),
            products_searched_again=("again", "sum"),
            removed_before=("removed", "any"),
        )
    )
    both = here.join(there, how="outer").reset_index()
    is_now, was_before = both["products_now"].notna(), both["products_before"].notna()
    all_again = both["products_searched_again"] == both["products_before"]
    is_new = both["is_new"].eq(True)  # missing for those only seen before
    both["status"] = np.select(
        [is_now & was_before, is_now & is_new, is_now, all_again],
        ["retained", "new", "returning", "not_seen"],
        default="out_of_scope",
    )
    both["display_name"] = both["name_now"].where(is_now, both["name_before"])
    both["removed"] = both["removed_now"].eq(True) | both["removed_before"].eq(True)
    both["searched_before"] = both["searched_before"].eq(True)
    both["carried_over"] = both["carried_over"].eq(True)
    counts = ["products_now", "products_before", "products_searched_again"]
    both[counts] = both[counts].fillna(0)
    rank = both["status"].map({status: place for place, status in enumerate(STATUSES)})
    ordered = both.assign(rank=rank).sort_values(["rank", "seller_id"], ignore_index=True)
    return DELTAS.shaped(ordered)


def summary(delta: pd.DataFrame) -> dict[str, int]:
    """The counts of a delta: `now`, `before` and one for each status."""
    counted = delta["status"].value_counts()
    counts = {status: int(counted.get(status, 0)) for status in STATUSES}
    return {
        "now": counts["new"] + counts["returning"] + counts["retained"],
        "before": counts["retained"] + counts["not_seen"] + counts["out_of_scope"],
        **counts,
    }


def by_category(
    delta: pd.DataFrame,
    *,
    now: pd.DataFrame,
    before: pd.DataFrame,
    products_now: pd.DataFrame,
    products_before: pd.DataFrame,
    level: Literal["category", "department"] = "category",
) -> pd.DataFrame:
    """The delta spread over the categories in which its sellers were seen (`BY_CATEGORY`).

    Sellers of this run count where this run saw them, the others where the run before did. One
    that is seen in several categories counts in each, so the rows do not add up to the delta.

    Args:
        delta: what `deltas` gave.
        now: `seen` of the later run.
        before: `seen` of the earlier run.
        products_now: `products` of the later run.
        products_before: `products` of the earlier run.
        level: one row a category, or one a department.
    """
    keys = ["department", "category"]
    present = delta["status"].isin(STATUSES[:3])
    parts = [
        _placed(now, products_now, level).merge(delta.loc[present, ["seller_id", "status"]]),
        _placed(before, products_before, level).merge(delta.loc[~present, ["seller_id", "status"]]),
    ]
    seen = pd.concat(parts, ignore_index=True)
    if seen.empty:
        return BY_CATEGORY.empty()
    table = seen.groupby([*keys, "status"]).size().unstack("status", fill_value=0)
    table = table.reindex(columns=list(STATUSES), fill_value=0).reset_index()
    table["now"] = table["new"] + table["returning"] + table["retained"]
    table = table.sort_values(["now", *keys], ascending=[False, True, True], ignore_index=True)
    return BY_CATEGORY.shaped(table)


def _placed(
    sightings: pd.DataFrame, products: pd.DataFrame, level: Literal["category", "department"]
) -> pd.DataFrame:
    """Each seller once in each place where it was seen."""
    places = products[["asin", "department", "category"]]
    if level == "department":
        places = places.assign(category="")
    pairs = sightings[["asin", "seller_id"]].merge(places.drop_duplicates(), on="asin")
    return pairs[["seller_id", "department", "category"]].drop_duplicates()
