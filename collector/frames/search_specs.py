"""The columns of the frames about searches: who was seen, how far they went, what they brought."""

from __future__ import annotations

from collector.columns import TIME, Column, FrameSpec

RUN = Column("run_id", "str", "the run, a UUID")

SIGHTINGS = FrameSpec(
    "sightings",
    "one sighting: a run saw a seller while searching a product",
    "by run, product and seller",
    (
        RUN,
        Column("asin", "str", "the product searched"),
        Column("title", "str", "that product's title, last seen"),
        Column("seller_id", "int64", "the seller's number"),
        Column("display_name", "str", "the seller's name as shown"),
        Column("listings", "int64", "matching listings of the seller on the pages of the search"),
        Column("seen_at", TIME, "when"),
        Column("is_new", "bool", "whether this run added the seller to the list"),
        Column("removed", "bool", "whether an analyst has taken the seller off the list since"),
    ),
)

# What deltas compare: not exported, since most of it stands in `sightings` already.
SEEN = FrameSpec(
    "seen",
    "one seller under one product of a run, as the run saw it or the search that covers it did",
    "by run, product and seller",
    (
        *SIGHTINGS.columns,
        Column("carried_over", "bool", "whether an earlier run's search saw it: it was not due"),
    ),
)

COVERAGE = FrameSpec(
    "coverage",
    "the search of one product in one run",
    "by run and product",
    (
        RUN,
        Column("asin", "str", "the product"),
        Column("pages", "int64", "pages of the search that the run took on"),
        Column("pages_done", "int64", "of these, done"),
        Column("complete", "bool", "whether all of them are done and page 1 is among them"),
        Column("has_more", "bool", "whether the last page done said that a further one follows"),
        Column("stopped", "bool", "whether the paging rule ended it though more was allowed"),
        Column("searched_at", TIME, "when its last page was settled; missing before"),
        Column(
            "covered_by_run_id",
            "str",
            "the run that searched it, where that is an earlier one: the product was not due",
        ),
    ),
)

CATEGORY_YIELD = FrameSpec(
    "category_yield",
    "one category over all runs that have ended",
    "by department and category",
    (
        Column("node_id", "str", "browse node id of the list"),
        Column("department", "str", "the department, as the latest of these runs had it"),
        Column("category", "str", "the list's name; empty for a department's own list"),
        Column("runs", "int64", "ended runs that walked it"),
        Column("requests", "int64", "requests for the list and for the products it named first"),
        Column("sellers_found", "int64", "different sellers seen for products on it"),
        Column("sellers_new", "int64", "sellers added to the list by its items"),
        Column(
            "requests_per_new_seller",
            "float64",
            "requests / sellers_new; missing where none was new",
            "requests",
        ),
        Column("new_in_latest_run", "int64", "of sellers_new, by the latest of these runs"),
        Column(
            "unfruitful",
            "bool",
            "whether its latest three runs that searched for it sent more than three times as "
            "many requests for a new seller (none counts as one) as those of all categories",
        ),
    ),
)
