"""The frames' SQL: one query a frame, its columns named and typed as the frame promises.

A run is chosen by the session setting `collector.run_id` and not by a parameter: the ADBC driver
streams `COPY` only for statements without parameters, and holds the whole answer otherwise
(measured: a million rows came as one batch of 475 MB instead of thirteen).
"""

from __future__ import annotations

from collector.store.category_yield import CATEGORY_YIELD
from collector.store.frame_query import FrameQuery
from collector.store.ownership import INTERRUPTED
from collector.store.seen_queries import COVERAGE, SEEN

# Frames only read; the session is told so. `$1` is the run's id, empty for every
# run; `$2` and `$3` are the audit entries that the queries of `as_of` are about.
PREPARE = (
    "SELECT set_config('default_transaction_read_only', 'on', false), "
    # Sorts of a million rows stay off the disk.
    "set_config('work_mem', '64MB', false), "
    "set_config('collector.run_id', $1, false), "
    "set_config('collector.audit_id_before', $2, false), "
    "set_config('collector.audit_id', $3, false)"
)

RUNS = FrameQuery(
    select=f"""
SELECT r.id::text AS run_id, r.name, r.status, {INTERRUPTED} AS interrupted, r.pause_reason,
       r.message, r.source, r.sandbox_day,
       coalesce(c.categories, 0) AS categories, coalesce(c.category_names, '') AS category_names,
       coalesce(c.node_ids, '') AS node_ids,
       r.lists_total, r.lists_done, f.lists_failed, r.products_total, r.products_searched,
       f.products_failed, r.products_skipped, r.products_covered,
       r.sellers_found, r.sellers_new, r.seller_count_before, r.seller_count_snapshot,
       r.requests, r.requests_billed, r.budget, f.failed_items,
       EXISTS (SELECT FROM collection_items i WHERE i.run_id = r.id AND i.status = 'pending')
           OR EXISTS (SELECT FROM collection_items i WHERE i.run_id = r.id AND i.status = 'running')
           AS unfinished,
       r.options::text AS options, r.created_at, r.started_at, r.finished_at,
       extract(epoch FROM r.finished_at - r.started_at)::double precision AS seconds,
       r.requests::double precision / nullif(r.sellers_new, 0) AS requests_per_new_seller
FROM collection_runs r
CROSS JOIN LATERAL (
    SELECT count(*) AS failed_items,
           count(DISTINCT node_id) FILTER (WHERE kind = 'best_sellers') AS lists_failed,
           count(DISTINCT asin) FILTER (WHERE kind = 'seller_search') AS products_failed
    FROM collection_items i WHERE i.run_id = r.id AND i.status = 'failed'
) f
LEFT JOIN (
    SELECT run_id, count(*) AS categories, string_agg(node_id, ' ' ORDER BY ordinal) AS node_ids,
           string_agg(
               CASE WHEN name = '' THEN department ELSE department || ' › ' || name END,
               '; ' ORDER BY ordinal
           ) AS category_names
    FROM run_categories GROUP BY run_id
) c ON c.run_id = r.id""",  # noqa: S608 - a constant of this package
    of_run="r.id = {run}",
    order="r.created_at DESC, r.id DESC",
)

ITEMS = FrameQuery(
    select="""
SELECT id AS item_id, run_id::text AS run_id, kind, page, node_id, category, asin, title,
       price_from_cents, price_to_cents, status, attempts, error_type, error_stage, error_message,
       results, sellers, sellers_new, has_more, duration_ms, created_at, settled_at
FROM collection_items""",
    of_run="collection_items.run_id = {run}",
    order="collection_items.run_id, collection_items.id",
)

PRODUCTS = FrameQuery(
    select="""
SELECT rp.run_id::text AS run_id, rp.node_id, rc.department, rc.name AS category, rp.position,
       rp.asin, rp.title, rp.price_cents, rp.currency, rp.skip_reason,
       rp.covered_by_run_id::text AS covered_by_run_id, p.url, coalesce(s.sellers, 0) AS sellers
FROM run_products rp
JOIN collection_runs r ON r.id = rp.run_id
JOIN run_categories rc ON rc.run_id = rp.run_id AND rc.node_id = rp.node_id
JOIN products p ON p.asin = rp.asin
LEFT JOIN (
    SELECT run_id, asin, count(*) AS sellers FROM seller_sightings GROUP BY run_id, asin
) s ON s.run_id = rp.run_id AND s.asin = rp.asin""",
    of_run="rp.run_id = {run}",
    order="r.created_at DESC, r.id DESC, rc.ordinal, rp.position, rp.asin",
)

SELLERS = FrameQuery(
    select="""
SELECT s.id AS seller_id, s.platform, s.display_name, s.normalized_name,
       s.feedback_percent::double precision AS feedback_percent, s.feedback_count,
       s.first_seen_at, s.last_seen_at, s.times_seen, s.flagged, s.note,
       s.first_run_id::text AS first_run_id, s.last_run_id::text AS last_run_id, s.removed_at
FROM sellers s""",
    of_run="EXISTS (SELECT FROM run_sellers x WHERE x.seller_id = s.id AND x.run_id = {run})",
    order="s.id",
    only="s.removed_at IS NULL",
)

SIGHTINGS = FrameQuery(
    select="""
SELECT g.run_id::text AS run_id, g.asin, p.title, g.seller_id, s.display_name, g.listings,
       g.seen_at, coalesce(x.is_new, false) AS is_new, s.removed_at IS NOT NULL AS removed
FROM seller_sightings g
JOIN products p ON p.asin = g.asin
JOIN sellers s ON s.id = g.seller_id
LEFT JOIN run_sellers x ON x.run_id = g.run_id AND x.seller_id = g.seller_id""",
    of_run="g.run_id = {run}",
    order="g.run_id, g.asin, g.seller_id",
)

SNAPSHOTS = FrameQuery(
    select="""
SELECT taken_at, what, audit_id, run_id::text AS run_id, label, actor, count, change FROM (
    SELECT created_at AS taken_at, action AS what, id AS audit_id, run_id, seller_name AS label,
           actor, seller_count_snapshot AS count, 0 AS ending,
           seller_count_snapshot - coalesce(lag(seller_count_snapshot) OVER (ORDER BY id), 0)
               AS change
    FROM seller_audit_log
    UNION ALL
    SELECT finished_at, 'run', snapshot_audit_id, id, name, NULL, seller_count_snapshot, 1,
           sellers_new
    FROM collection_runs WHERE seller_count_snapshot IS NOT NULL AND finished_at IS NOT NULL
) moments""",
    of_run="moments.run_id = {run}",
    # A run ends after the last entry that its snapshot counts; without one it goes by its time.
    order="coalesce(moments.audit_id, 0), moments.ending, moments.taken_at, moments.run_id",
)

AUDIT_LOG = FrameQuery(
    select="""
SELECT id AS audit_id, created_at, action, seller_name, source, actor, run_id::text AS run_id,
       affected_count, seller_count_snapshot, undoes_id, details::text AS details
FROM seller_audit_log""",
    of_run="seller_audit_log.run_id = {run}",
    order="seller_audit_log.id",
)

ACTIVITY = FrameQuery(
    select="""
SELECT run_id::text AS run_id, id AS entry_id, created_at, worker_id, phase, action,
       entry ->> 'category' AS category, entry ->> 'product_name' AS product_name,
       entry ->> 'seller_found' AS seller_found,
       (entry ->> 'new_sellers_count')::bigint AS new_sellers_count,
       entry ->> 'error_type' AS error_type, entry ->> 'error_stage' AS error_stage,
       entry ->> 'error_message' AS error_message, entry ->> 'url' AS url,
       nullif(entry -> 'params', 'null'::jsonb)::text AS params,
       (entry ->> 'duration_ms')::bigint AS duration_ms, (entry ->> 'attempt')::bigint AS attempt,
       (entry ->> 'items_count')::bigint AS items_count,
       (entry ->> 'source_worker_id')::bigint AS source_worker_id
FROM activity_log""",
    of_run="activity_log.run_id = {run}",
    order="activity_log.run_id, activity_log.id",
)

REQUESTS = FrameQuery(
    select="""
SELECT q.id AS request_id, q.run_id::text AS run_id, q.item_id, i.kind, i.page, i.category, i.asin,
       q.attempt, q.reserved_at, q.finished_at, q.outcome, q.billed, q.duration_ms
FROM collection_requests q
JOIN collection_items i ON i.id = q.item_id""",
    of_run="q.run_id = {run}",
    order="q.id",
)

QUERIES: dict[str, FrameQuery] = {
    "runs": RUNS,
    "items": ITEMS,
    "products": PRODUCTS,
    "sellers": SELLERS,
    "sightings": SIGHTINGS,
    "seen": SEEN,
    "coverage": COVERAGE,
    "snapshots": SNAPSHOTS,
    "audit_log": AUDIT_LOG,
    "activity": ACTIVITY,
    "requests": REQUESTS,
    "category_yield": CATEGORY_YIELD,
}
