"""What earlier runs came to: the facts that an estimate rests on."""

from __future__ import annotations

from sqlalchemy import Connection, text

from collector.estimate import EarlierRun, History
from collector.models import PageOn

LATEST_RUNS = 10

_RUNS = text(
    """
    SELECT r.id, r.requests, r.products_searched, r.products_covered,
           (SELECT count(*) FROM collection_items i
            WHERE i.run_id = r.id AND i.kind = 'best_sellers' AND i.status = 'done') AS list_pages
    FROM collection_runs r
    WHERE r.status = 'completed' AND (r.options->>'pages_per_search')::int = :pages_per_search
      AND coalesce(r.options->>'page_on', 'always') = :page_on
    ORDER BY r.finished_at DESC LIMIT :limit
    """
)

_ANSWER_S = text(
    """
    SELECT avg(duration_ms) / 1000.0 FROM (
        SELECT duration_ms FROM collection_requests
        WHERE run_id = :run_id AND outcome = 'ok' ORDER BY id DESC LIMIT 1000
    ) latest
    """
)


def read(conn: Connection, *, pages_per_search: int, page_on: PageOn = "always") -> History:
    """The latest whole runs with as many pages a search, by the same rule."""
    asked = {"pages_per_search": pages_per_search, "page_on": page_on, "limit": LATEST_RUNS}
    runs = conn.execute(_RUNS, asked).all()
    if not runs:
        return History()
    answer_s = conn.execute(_ANSWER_S, {"run_id": runs[0].id}).scalar_one()
    return History(
        runs=tuple(
            EarlierRun(run.list_pages, run.requests, run.products_searched, run.products_covered)
            for run in runs
        ),
        answer_s=None if answer_s is None else float(answer_s),
    )
