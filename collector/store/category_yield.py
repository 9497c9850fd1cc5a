"""What each category brought over all ended runs, and which are unfruitful.

A request and a new seller belong to the category whose item sent or found it: a product that
stands on several lists is searched for the first of them, so the figures add up to the runs'.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from collector.store.frame_query import FrameQuery

# A category is unfruitful where the latest RECENT_RUNS of its runs that searched for it (among
# its latest LOOKED_AT) sent more than TIMES as many requests for a new seller as those runs of
# all categories did on the whole. Who brought nobody counts as having brought one: three runs
# that hardly sent anything, for little was due, condemn nothing.
RECENT_RUNS: Final = 3
LOOKED_AT: Final = 10
TIMES: Final = 3

# Ends with `yields`, a row a category that any ended run walked lately. Only the items of the
# runs looked at are read: it costs the same after ten runs and after a thousand.
_LATELY = f"""
walked AS (
    SELECT c.node_id, c.run_id, r.finished_at,
           row_number() OVER (PARTITION BY c.node_id ORDER BY r.finished_at DESC, c.run_id) AS place
    FROM run_categories c
    JOIN collection_runs r ON r.id = c.run_id AND r.finished_at IS NOT NULL
), sent AS (
    SELECT run_id, node_id, sum(attempts) AS requests,
           sum(attempts) FILTER (WHERE kind = 'seller_search') AS searches,
           coalesce(sum(sellers_new), 0) AS sellers_new
    FROM collection_items
    WHERE run_id IN (SELECT run_id FROM walked WHERE place <= {LOOKED_AT})
    GROUP BY run_id, node_id
), searched AS (
    SELECT w.node_id, s.requests, s.sellers_new,
           row_number() OVER (PARTITION BY w.node_id ORDER BY w.place) AS place
    FROM walked w JOIN sent s USING (run_id, node_id)
    WHERE w.place <= {LOOKED_AT} AND s.searches > 0
), recent AS (
    SELECT node_id, count(*) AS runs, sum(requests) AS requests, sum(sellers_new) AS sellers_new
    FROM searched WHERE place <= {RECENT_RUNS} GROUP BY node_id
), lately AS (
    SELECT node_id, runs >= {RECENT_RUNS}
           AND requests * greatest(sum(sellers_new) OVER (), 1)
               > {TIMES} * greatest(sellers_new, 1) * sum(requests) OVER () AS unfruitful
    FROM recent
)"""  # noqa: S608 - constants of this module

CATEGORY_YIELD = FrameQuery(
    select=f"""
SELECT y.node_id, y.department, y.category, y.runs, y.requests, y.sellers_found, y.sellers_new,
       y.requests::double precision / nullif(y.sellers_new, 0) AS requests_per_new_seller,
       y.new_in_latest_run, y.unfruitful
FROM (
    WITH {_LATELY}, named AS (
        SELECT DISTINCT ON (c.node_id) c.node_id, c.department, c.name AS category, w.run_id
        FROM walked w JOIN run_categories c USING (node_id, run_id)
        WHERE w.place = 1
    ), every AS (
        SELECT w.node_id, count(DISTINCT w.run_id) AS runs,
               coalesce(sum(i.attempts), 0)::bigint AS requests,
               coalesce(sum(i.sellers_new), 0)::bigint AS sellers_new,
               coalesce(sum(i.sellers_new) FILTER (WHERE w.place = 1), 0)::bigint
                   AS new_in_latest_run
        FROM walked w
        LEFT JOIN collection_items i ON i.run_id = w.run_id AND i.node_id = w.node_id
        GROUP BY w.node_id
    ), found AS (
        SELECT p.node_id, count(DISTINCT g.seller_id) AS sellers
        FROM run_products p
        JOIN walked w ON w.run_id = p.run_id AND w.node_id = p.node_id
        JOIN seller_sightings g ON g.run_id = p.run_id AND g.asin = p.asin
        GROUP BY p.node_id
    )
    SELECT n.node_id, n.department, n.category, e.runs, e.requests,
           coalesce(f.sellers, 0) AS sellers_found, e.sellers_new, e.new_in_latest_run,
           coalesce(l.unfruitful, false) AS unfruitful
    FROM named n JOIN every e USING (node_id)
    LEFT JOIN found f USING (node_id)
    LEFT JOIN lately l USING (node_id)
) y""",  # noqa: S608 - constants of this module
    of_run="y.node_id IN (SELECT node_id FROM run_categories WHERE run_id = {run})",
    order="y.department, y.category, y.node_id",
)

_UNFRUITFUL = text(
    f"WITH {_LATELY} SELECT node_id FROM lately WHERE unfruitful"  # noqa: S608 - constants
)


def unfruitful(conn: Connection) -> set[str]:
    """The node ids of the categories that are unfruitful."""
    return set(conn.execute(_UNFRUITFUL).scalars())
