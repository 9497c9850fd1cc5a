"""The frames' columns: the one place where each is named, typed and explained.

All times are aware UTC. Ids of runs are UUIDs as text. Text that came from pages is as it came.
"""

from __future__ import annotations

from collector.columns import TIME, Column, FrameSpec
from collector.frames.search_specs import CATEGORY_YIELD as CATEGORY_YIELD
from collector.frames.search_specs import COVERAGE as COVERAGE
from collector.frames.search_specs import RUN as _RUN
from collector.frames.search_specs import SEEN as SEEN
from collector.frames.search_specs import SIGHTINGS as SIGHTINGS

RUNS = FrameSpec(
    "runs",
    "one run",
    "newest first",
    (
        _RUN,
        Column("name", "str", "the run's name"),
        Column("status", "str", "pending, running, paused, completed, failed or cancelled"),
        Column("interrupted", "bool", "whether it should be running but nobody living works on it"),
        Column("pause_reason", "str", "why it is paused; missing unless it is"),
        Column("message", "str", "the last thing the run had to say, possibly empty"),
        Column("source", "str", "oxylabs, or sandbox for an invented market"),
        Column("sandbox_day", "Int64", "the invented market's day; missing for oxylabs", "days"),
        Column("categories", "int64", "best-seller lists chosen"),
        Column("category_names", "str", "those lists' names in the order chosen, `; ` between"),
        Column("node_ids", "str", "those lists' browse node ids, a blank between"),
        Column("lists_total", "int64", "best-seller lists to walk"),
        Column("lists_done", "int64", "of these, walked to their end"),
        Column("lists_failed", "int64", "of these, with a failed page"),
        Column(
            "products_total", "int64", "different products on the lists that are to be searched"
        ),
        Column("products_searched", "int64", "of these, searched to the end"),
        Column("products_failed", "int64", "of these, with a failed search"),
        Column("products_skipped", "int64", "further ones left out (no price in dollars, …)"),
        Column(
            "products_covered",
            "int64",
            "further ones that were not due: an earlier run's search counts for them",
        ),
        Column("sellers_found", "int64", "different sellers this run saw"),
        Column("sellers_new", "int64", "of these, added to the list by this run"),
        Column(
            "seller_count_before",
            "Int64",
            "the snapshot of the run finished last before this one began",
            "sellers",
        ),
        Column(
            "seller_count_snapshot",
            "Int64",
            "sellers on the list when the run ended; missing until then",
            "sellers",
        ),
        Column("requests", "int64", "requests reserved, retries and failures counted"),
        Column("requests_billed", "int64", "of these, billed by the provider as far as known"),
        Column("budget", "Int64", "the most requests it may spend; missing without a ceiling"),
        Column("failed_items", "int64", "items that stand failed"),
        Column("unfinished", "bool", "whether items still wait or are being worked on"),
        Column("options", "str", "the run's options as JSON text"),
        Column("created_at", TIME, "when it was launched"),
        Column("started_at", TIME, "when its first worker began; missing before"),
        Column("finished_at", TIME, "when it ended; missing before"),
        Column("seconds", "float64", "from start to end, pauses included; missing before", "s"),
        Column(
            "requests_per_new_seller",
            "float64",
            "requests / sellers_new; missing where none was new",
            "requests",
        ),
    ),
)

ITEMS = FrameSpec(
    "items",
    "one item: one page of a list or of a product's search in one run",
    "by run in order of creation",
    (
        Column("item_id", "int64", "the item's number"),
        _RUN,
        Column("kind", "str", "best_sellers or seller_search"),
        Column("page", "int64", "which page of the list or search, from 1"),
        Column("node_id", "str", "browse node id of the category it came from"),
        Column("category", "str", "that category's name"),
        Column("asin", "str", "the product searched; missing for lists"),
        Column("title", "str", "that product's title; missing for lists"),
        Column("price_from_cents", "Int64", "lower end of the price window", "US cents"),
        Column("price_to_cents", "Int64", "upper end of the price window", "US cents"),
        Column("status", "str", "pending, running, done or failed"),
        Column("attempts", "int64", "requests sent for it"),
        Column("error_type", "str", "kind of the last error; missing if none"),
        Column("error_stage", "str", "where that error happened"),
        Column("error_message", "str", "what it said"),
        Column("results", "Int64", "products or listings on the page; missing until settled"),
        Column("sellers", "Int64", "different sellers on the page"),
        Column("sellers_new", "Int64", "of these, added to the list by this item"),
        Column(
            "has_more",
            "boolean",
            "whether a further page follows: of a search, by what its page says",
        ),
        Column("duration_ms", "Int64", "how long its last request took", "ms"),
        Column("created_at", TIME, "when it was added to the run"),
        Column("settled_at", TIME, "when its outcome was stored; missing before"),
    ),
)

PRODUCTS = FrameSpec(
    "products",
    "one entry of one best-seller list in one run",
    "newest run first, then by list and position",
    (
        _RUN,
        Column("node_id", "str", "browse node id of the list"),
        Column("department", "str", "the department the list belongs to"),
        Column("category", "str", "the list's name; empty for a department's own list"),
        Column("position", "int64", "place on the list, from 1"),
        Column("asin", "str", "Amazon's id of the product"),
        Column("title", "str", "its title as that list gave it"),
        Column("price_cents", "Int64", "its price, in the currency beside it", "cents"),
        Column("currency", "str", "currency of the price; missing without a price"),
        Column("skip_reason", "str", "why it was left out; missing if it was not"),
        Column(
            "covered_by_run_id",
            "str",
            "the run whose search counts for it, for it was not due; missing if it was due",
        ),
        Column("url", "str", "its page; missing where the list gave none"),
        Column("sellers", "int64", "different sellers this run saw for this product"),
    ),
)

SELLERS = FrameSpec(
    "sellers",
    "one seller on the list (removed ones only when asked for)",
    "in the order they were added",
    (
        Column("seller_id", "int64", "the seller's number"),
        Column("platform", "str", "ebay"),
        Column("display_name", "str", "the account's name as shown"),
        Column("normalized_name", "str", "the name by which it is deduplicated"),
        Column("feedback_percent", "float64", "positive feedback, last seen", "%"),
        Column("feedback_count", "Int64", "feedback score, last seen"),
        Column("first_seen_at", TIME, "when it was first seen or added by hand"),
        Column("last_seen_at", TIME, "when it was last seen"),
        Column("times_seen", "int64", "how many runs saw it", "runs"),
        Column("flagged", "bool", "whether an analyst flagged it"),
        Column("note", "str", "the analyst's note, possibly empty"),
        Column("first_run_id", "str", "the run that saw it first; missing if none did"),
        Column("last_run_id", "str", "the run that saw it last; missing if none did"),
        Column("removed_at", TIME, "when an analyst took it off the list; missing otherwise"),
    ),
)

SNAPSHOTS = FrameSpec(
    "snapshots",
    "one moment at which the count of sellers was taken: an audit entry or the end of a run",
    "in order of the commits",
    (
        Column("taken_at", TIME, "when"),
        Column("what", "str", "`run` for the end of a run, else the audit entry's action"),
        Column("audit_id", "Int64", "the audit entry, or the last one that the run's end counts"),
        Column("run_id", "str", "the run; missing for what was done by hand"),
        Column("label", "str", "the run's name, or the seller the entry is about"),
        Column("actor", "str", "who did it; missing for the end of a run"),
        Column("count", "int64", "sellers on the list right after", "sellers"),
        Column(
            "change",
            "int64",
            "for an entry: count less the count of the entry before; for a run's end: the "
            "sellers that run added, already counted by its own entries",
            "sellers",
        ),
    ),
)

AUDIT_LOG = FrameSpec(
    "audit_log",
    "one audit entry: one change of the list, or one export",
    "in order of the commits",
    (
        Column("audit_id", "int64", "the entry's number; 1, 2, 3, … in order of the commits"),
        Column("created_at", TIME, "when"),
        Column("action", "str", "add, edit, remove, flag, unflag, export, undo or redo"),
        Column("seller_name", "str", "the seller, or the first of several; missing if none"),
        Column("source", "str", "run, manual, import or export"),
        Column("actor", "str", "who did it"),
        Column("run_id", "str", "the run that did it; missing if none"),
        Column("affected_count", "int64", "sellers changed, or rows exported"),
        Column("seller_count_snapshot", "int64", "sellers on the list right after", "sellers"),
        Column("undoes_id", "Int64", "the entry that this one undoes or redoes"),
        Column("details", "str", "further facts as JSON text"),
    ),
)

ACTIVITY = FrameSpec(
    "activity",
    "one activity entry of one run",
    "by run in order of its numbers",
    (
        _RUN,
        Column("entry_id", "int64", "place within the run, from 1"),
        Column("created_at", TIME, "when"),
        Column("worker_id", "int64", "the worker, 0 for the system"),
        Column("phase", "str", "best_sellers, seller_search or system"),
        Column("action", "str", "what the entry tells"),
        Column("category", "str", "the category worked on; missing if none"),
        Column("product_name", "str", "the product worked on; missing if none"),
        Column("seller_found", "str", "a seller found; missing if none"),
        Column("new_sellers_count", "Int64", "sellers added to the list"),
        Column("error_type", "str", "kind of error; missing if none"),
        Column("error_stage", "str", "where it happened"),
        Column("error_message", "str", "what it said"),
        Column("url", "str", "the address asked for"),
        Column("params", "str", "parameters of the request as JSON text"),
        Column("duration_ms", "Int64", "how long it took", "ms"),
        Column("attempt", "Int64", "which attempt, from 1"),
        Column("items_count", "Int64", "how many things the entry is about"),
        Column("source_worker_id", "Int64", "the worker that the entry goes back to"),
    ),
)

REQUESTS = FrameSpec(
    "requests",
    "one request sent, or reserved and perhaps never sent",
    "in order of reservation",
    (
        Column("request_id", "int64", "the request's number"),
        _RUN,
        Column("item_id", "int64", "the item it was for"),
        Column("kind", "str", "best_sellers or seller_search"),
        Column("page", "int64", "which page was asked for, from 1"),
        Column("category", "str", "the item's category"),
        Column("asin", "str", "the product searched; missing for lists"),
        Column("attempt", "int64", "which attempt of the item, from 1"),
        Column("reserved_at", TIME, "when it was counted against the budget"),
        Column("finished_at", TIME, "when its outcome was known; missing in flight or unknown"),
        Column("outcome", "str", "ok, or the kind of error; missing in flight or unknown"),
        Column("billed", "boolean", "whether the provider bills it; missing where unknown"),
        Column("duration_ms", "Int64", "how long it took", "ms"),
    ),
)

FRAMES: dict[str, FrameSpec] = {
    spec.name: spec
    for spec in (
        RUNS,
        ITEMS,
        PRODUCTS,
        SELLERS,
        SIGHTINGS,
        COVERAGE,
        SNAPSHOTS,
        AUDIT_LOG,
        ACTIVITY,
        REQUESTS,
        CATEGORY_YIELD,
    )
}
