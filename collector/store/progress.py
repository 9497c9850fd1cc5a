"""How a run stands, read in one statement whose cost does not grow with the run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from collector.errors import UnknownRun
from collector.progress import ErrorCount, RunProgress
from collector.store.ownership import INTERRUPTED
from collector.words import PauseReason, RunStatus, Source

_STANDING = f"""
    SELECT r.*,
        (SELECT count(*) FROM run_categories c WHERE c.run_id = r.id) AS categories,
        f.failed_items, f.lists_failed, f.products_failed,
        (SELECT seller_count FROM seller_counter) AS seller_count,
        (SELECT nullif(per_second, 0) FROM request_pace) AS plan_per_second,
        {INTERRUPTED} AS interrupted
    FROM collection_runs r, LATERAL (
        SELECT count(*) AS failed_items,
               count(DISTINCT node_id) FILTER (WHERE kind = 'best_sellers') AS lists_failed,
               count(DISTINCT asin) FILTER (WHERE kind = 'seller_search') AS products_failed
        FROM collection_items i WHERE i.run_id = r.id AND i.status = 'failed'
    ) f
"""  # noqa: S608 - constants of this package
_ONE = text(f"{_STANDING} WHERE r.id = :run_id")
_NEWEST = text(f"{_STANDING} ORDER BY r.created_at DESC, r.id DESC LIMIT :limit")


def read(conn: Connection, run_id: UUID) -> RunProgress:
    """How the run stands now, without what only its workers know.

    Raises:
        UnknownRun: there is none.
    """
    row = conn.execute(_ONE, {"run_id": run_id}).one_or_none()
    if row is None:
        raise UnknownRun(f"No run has the id {run_id}: `collector runs` lists them.")
    return _progress(row)


def newest(conn: Connection, *, limit: int) -> list[RunProgress]:
    """How the newest runs stand now, the newest first."""
    return [_progress(row) for row in conn.execute(_NEWEST, {"limit": limit})]


def _progress(row: Row[Any]) -> RunProgress:
    return RunProgress(
        run_id=row.id,
        name=row.name,
        status=RunStatus(row.status),
        source=Source(row.source),
        interrupted=bool(row.interrupted),
        pause_reason=PauseReason(row.pause_reason) if row.pause_reason else None,
        message=row.message,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        budget=row.budget,
        requests=row.requests,
        requests_billed=row.requests_billed,
        plan_per_second=row.plan_per_second,
        categories=row.categories,
        lists_total=row.lists_total,
        lists_done=row.lists_done,
        lists_failed=row.lists_failed,
        products_total=row.products_total,
        products_searched=row.products_searched,
        products_failed=row.products_failed,
        products_skipped=row.products_skipped,
        products_covered=row.products_covered,
        sellers_found=row.sellers_found,
        sellers_new=row.sellers_new,
        failed_items=row.failed_items,
        seller_count=row.seller_count,
        seller_count_before=row.seller_count_before,
        seller_count_snapshot=row.seller_count_snapshot,
    )


def errors(conn: Connection, run_id: UUID) -> tuple[ErrorCount, ...]:
    """The kinds of error of a run's requests, the most frequent first, with a last message."""
    rows = conn.execute(
        text(
            """
            SELECT q.outcome, count(*) AS times,
                   coalesce(max(i.error_stage), 'fetch') AS stage,
                   coalesce(max(i.error_message), '') AS message
            FROM collection_requests q
            LEFT JOIN collection_items i ON i.id = q.item_id AND i.error_type = q.outcome
            WHERE q.run_id = :run_id AND q.outcome <> 'ok'
            GROUP BY q.outcome ORDER BY count(*) DESC, q.outcome
            """
        ),
        {"run_id": run_id},
    )
    return tuple(ErrorCount(r.outcome, r.stage, r.times, r.message) for r in rows)


def median_ms(conn: Connection, run_id: UUID) -> int | None:
    """The median duration of the run's latest 200 answers, in milliseconds."""
    median = conn.execute(
        text(
            """
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) FROM (
                SELECT duration_ms FROM collection_requests
                WHERE run_id = :run_id AND outcome = 'ok' ORDER BY id DESC LIMIT 200
            ) latest
            """
        ),
        {"run_id": run_id},
    ).scalar_one()
    return None if median is None else round(median)
