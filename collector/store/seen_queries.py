"""What a run stands for: its own searches and sightings, and those of the searches that cover it.

A product that was not due counts as the search that covers it found it: that search's pages are
its coverage, and the sellers seen by that search are carried over, as new to nobody.
"""

from __future__ import annotations

from collector.store.frame_query import FrameQuery

# Each product of a run once, however many of the run's lists name it.
_COVERED = """
SELECT DISTINCT run_id, asin, covered_by_run_id FROM run_products
WHERE covered_by_run_id IS NOT NULL"""

_PAGES = """
count(*) AS pages, count(*) FILTER (WHERE status = 'done') AS pages_done,
bool_and(status = 'done') AND min(page) = 1 AS complete,
coalesce(
    (array_agg(has_more ORDER BY page DESC) FILTER (WHERE status = 'done'))[1], false
) AS has_more,
max(settled_at) AS searched_at"""

COVERAGE = FrameQuery(
    select=f"""
SELECT searches.run_id::text AS run_id, asin, pages, pages_done, complete, has_more,
       complete AND has_more AND pages_done < (r.options ->> 'pages_per_search')::bigint
           AS stopped,
       searched_at, covered_by_run_id::text AS covered_by_run_id
FROM (
    SELECT run_id, asin, NULL::uuid AS covered_by_run_id, {_PAGES}
    FROM collection_items WHERE kind = 'seller_search' GROUP BY run_id, asin
    UNION ALL
    SELECT c.run_id, c.asin, c.covered_by_run_id, s.*
    FROM ({_COVERED}) c
    CROSS JOIN LATERAL (
        SELECT {_PAGES} FROM collection_items i
        WHERE i.run_id = c.covered_by_run_id AND i.asin = c.asin AND i.kind = 'seller_search'
        HAVING count(*) > 0
    ) s
) searches
JOIN collection_runs r ON r.id = coalesce(covered_by_run_id, searches.run_id)""",  # noqa: S608
    of_run="searches.run_id = {run}",
    order="searches.run_id, searches.asin",
)

SEEN = FrameQuery(
    select=f"""
SELECT seen.run_id::text AS run_id, seen.asin, p.title, seen.seller_id, s.display_name,
       seen.listings, seen.seen_at, seen.is_new, s.removed_at IS NOT NULL AS removed,
       seen.carried_over
FROM (
    SELECT g.run_id, g.asin, g.seller_id, g.listings, g.seen_at,
           coalesce(x.is_new, false) AS is_new, false AS carried_over
    FROM seller_sightings g
    LEFT JOIN run_sellers x ON x.run_id = g.run_id AND x.seller_id = g.seller_id
    UNION ALL
    SELECT c.run_id, c.asin, g.seller_id, g.listings, g.seen_at, false, true
    FROM ({_COVERED}) c
    JOIN seller_sightings g ON g.run_id = c.covered_by_run_id AND g.asin = c.asin
) seen
JOIN products p ON p.asin = seen.asin
JOIN sellers s ON s.id = seen.seller_id""",  # noqa: S608 - a constant of this module
    of_run="seen.run_id = {run}",
    order="seen.run_id, seen.asin, seen.seller_id",
)
