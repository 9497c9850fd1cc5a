"""What earlier runs came to: the facts that an estimate rests on."""

from __future__ import annotations

from sqlalchemy import Connection, text

from collector.estimate import EarlierRun, History

LATEST_RUNS = 10

_RUNS = text(
    """
    SELECT r.id, r.requests,
           (SELECT count(*) FROM collection_items i
            WHERE i.run_id = r.id AND i.kind = 'best_sellers' AND i.status = 'done') AS list_pages
    FROM collection_runs r
    WHERE r.status = 'completed' AND (r.options->>'pages_per_search')::int = :pages_per_search
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


def read(conn: Connection, *, pages_per_search: int) -> History:
    """The latest whole runs with as many pages a search."""
    runs = conn.execute(_RUNS, {"pages_per_search": pages_per_search, "limit": LATEST_RUNS}).all()
    if not runs:
        return History()
    answer_s = conn.execute(_ANSWER_S, {"run_id": runs[0].id}).scalar_one()
    return History(
        runs=tuple(EarlierRun(run.list_pages, run.requests) for run in runs),
        answer_s=None if answer_s is None else float(answer_s),
    )
