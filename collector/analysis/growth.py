"""How sellers stay and spread: retention by cohort, and over how many products and categories."""

from __future__ import annotations

import pandas as pd

from collector.columns import TIME, Column, FrameSpec

COHORTS = FrameSpec(
    "cohorts",
    "one cohort (the sellers that one run added) at one later run",
    "by cohort, then by age",
    (
        Column("cohort_run_id", "str", "the run that added the cohort's sellers"),
        Column("cohort_name", "str", "that run's name"),
        Column("run_id", "str", "the run at which the cohort is looked at"),
        Column("age", "int64", "runs since the cohort began; 0 is the cohort's own", "runs"),
        Column("size", "int64", "sellers in the cohort"),
        Column("seen", "int64", "of these, seen by that run or by a search that covers for it"),
        Column("share", "float64", "seen / size", "0 to 1"),
    ),
)

SPREAD = FrameSpec(
    "spread",
    "one seller that was ever seen",
    "widest spread first",
    (
        Column("seller_id", "int64", "the seller's number"),
        Column("display_name", "str", "its name as shown"),
        Column("sightings", "int64", "times a run saw it while searching a product"),
        Column("runs", "int64", "different runs that saw it"),
        Column("products", "int64", "different products it was seen for"),
        Column("categories", "int64", "different lists those products stood on"),
        Column("departments", "int64", "different departments of those lists"),
        Column("first_seen_at", TIME, "first sighting"),
        Column("last_seen_at", TIME, "last sighting"),
    ),
)


def cohorts(sightings: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Who stays: each run's new sellers, and how many of them each later run saw (`COHORTS`).

    Args:
        sightings: the `seen` frame of several runs.
        runs: the `runs` frame; runs that have not ended are left out.
    """
    ended = runs[runs["finished_at"].notna()].sort_values(["created_at", "run_id"])
    place = {run_id: age for age, run_id in enumerate(ended["run_id"])}
    names = dict(zip(ended["run_id"], ended["name"], strict=True))
    seen = sightings[["run_id", "seller_id", "is_new"]].drop_duplicates()
    seen = seen[seen["run_id"].isin(place)]
    began = seen.loc[seen["is_new"], ["seller_id", "run_id"]].rename(
        columns={"run_id": "cohort_run_id"}
    )
    if began.empty:
        return COHORTS.empty()
    sizes = began.groupby("cohort_run_id").size()
    pairs = seen.merge(began, on="seller_id").groupby(["cohort_run_id", "run_id"]).size()
    rows = []
    for cohort_run_id, size in sizes.items():
        for run_id, at in place.items():
            age = at - place[str(cohort_run_id)]
            if age >= 0:
                count = int(pairs.get((cohort_run_id, run_id), 0))
                rows.append(
                    {
                        "cohort_run_id": cohort_run_id,
                        "cohort_name": names[str(cohort_run_id)],
                        "run_id": run_id,
                        "age": age,
                        "size": int(size),
                        "seen": count,
                        "share": count / int(size),
                    }
                )
    rows.sort(key=lambda row: (place[str(row["cohort_run_id"])], row["age"]))
    return COHORTS.frame(rows)


def spread(sightings: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """How far each seller reaches (`SPREAD`).

    Args:
        sightings: the `sightings` frame of one or several runs.
        products: the `products` frame of the same runs.
    """
    if sightings.empty:
        return SPREAD.empty()
    seen = sightings.groupby("seller_id").agg(
        display_name=("display_name", "last"),
        sightings=("asin", "size"),
        runs=("run_id", "nunique"),
        products=("asin", "nunique"),
        first_seen_at=("seen_at", "min"),
        last_seen_at=("seen_at", "max"),
    )
    lists = products[["run_id", "asin", "node_id", "department"]]
    places = sightings[["run_id", "asin", "seller_id"]].merge(lists, on=["run_id", "asin"])
    wide = places.groupby("seller_id").agg(
        categories=("node_id", "nunique"), departments=("department", "nunique")
    )
    table = seen.join(wide).fillna({"categories": 0, "departments": 0}).reset_index()
    table = table.sort_values(
        ["departments", "categories", "products", "seller_id"],
        ascending=[False, False, False, True],
        ignore_index=True,
    )
    return SPREAD.shaped(table)
