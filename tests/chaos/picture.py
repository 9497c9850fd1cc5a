"""What a run left behind, all of it, so that a disturbed run can be held against another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from collector.database import Database

# What one crash may repeat: the requests that were in flight, one a worker.
REPEATED_A_CRASH = 5


@dataclass(frozen=True)
class Picture:
    """A run in its database: whom it saw where, what became of its items, what it counted."""

    status: str
    sellers: frozenset[str]
    sightings: frozenset[tuple[str, str, int]]
    products: frozenset[tuple[str, str]]
    items: frozenset[tuple[str, str, str]]
    counters: dict[str, int]
    items_done_twice: int

    @classmethod
    def of(cls, database: Database, run_id: UUID | str) -> Picture:
        """The picture of one run."""
        with psycopg.connect(database.conninfo(), autocommit=True) as connection:

            def rows(query: str) -> list[tuple[Any, ...]]:
                return connection.execute(query.encode(), {"run": str(run_id)}).fetchall()

            sightings = rows(
                "SELECT asin, normalized_name, listings FROM seller_sightings g "
                "JOIN sellers s ON s.id = g.seller_id WHERE run_id = %(run)s"
            )
            names = rows(
                "SELECT normalized_name FROM run_sellers r JOIN sellers s ON s.id = r.seller_id "
                "WHERE run_id = %(run)s"
            )
            counted = (
                "lists_total, lists_done, products_total, products_searched, products_skipped, "
                "products_covered, "
                "sellers_found, sellers_new, seller_count_snapshot"
            )
            (status, *counters) = rows(
                f"SELECT status, {counted} FROM collection_runs WHERE id = %(run)s"
            )[0]
            twice = rows(
                "SELECT count(*) FROM (SELECT item_id FROM collection_requests "
                "WHERE run_id = %(run)s AND outcome = 'ok' "
                "GROUP BY item_id HAVING count(*) > 1) AS t"
            )[0][0]
            return cls(
                status=status,
                sellers=frozenset(row[0] for row in names),
                sightings=frozenset(sightings),
                products=frozenset(
                    rows("SELECT node_id, asin FROM run_products WHERE run_id = %(run)s")
                ),
                items=frozenset(
                    rows("SELECT kind, key, status FROM collection_items WHERE run_id = %(run)s")
                ),
                counters=dict(zip(counted.split(", "), counters, strict=True)),
                items_done_twice=twice,
            )


def check_books(database: Database, run_id: UUID | str) -> None:
    """Snapshots equal the replay of the audit log; requests, sightings and counters agree."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query.encode(), {"run": str(run_id)}).fetchall()

        on_the_list: set[int] = set()
        replayed: dict[int, int] = {}
        for audit_id, seller_id, change in rows(
            "SELECT l.id, c.seller_id, c.change FROM seller_audit_log l "
            "LEFT JOIN seller_audit_changes c ON c.audit_id = l.id ORDER BY l.id"
        ):
            if change == "added":
                assert seller_id not in on_the_list, "a seller was added twice"
                on_the_list.add(seller_id)
            elif change == "removed":
                on_the_list.remove(seller_id)
            replayed[audit_id] = len(on_the_list)
        snapshots = rows("SELECT id, seller_count_snapshot FROM seller_audit_log")
        assert dict(snapshots) == replayed
        listed = rows("SELECT id FROM sellers WHERE removed_at IS NULL")
        assert {row[0] for row in listed} == on_the_list
        ended = rows(
            "SELECT seller_count_snapshot, snapshot_audit_id FROM collection_runs "
            "WHERE finished_at IS NOT NULL"
        )
        assert all(count == replayed.get(audit_id, 0) for count, audit_id in ended)
        miscounted = rows(
            "SELECT normalized_name, times_seen FROM sellers s WHERE times_seen <> "
            "(SELECT count(*) FROM run_sellers r WHERE r.seller_id = s.id)"
        )
        assert miscounted == []
        run = rows(
            "SELECT requests, requests_billed, sellers_found, sellers_new "
            "FROM collection_runs WHERE id = %(run)s"
        )[0]
        assert run == (
            *rows(
                "SELECT count(*), count(*) FILTER (WHERE billed) "
                "FROM collection_requests WHERE run_id = %(run)s"
            )[0],
            *rows(
                "SELECT count(*), count(*) FILTER (WHERE is_new) "
                "FROM run_sellers WHERE run_id = %(run)s"
            )[0],
        )


def repeated(entries: Sequence[dict[str, Any]], undisturbed: Sequence[dict[str, Any]]) -> int:
    """How many honest answers a sandbox was asked for more often than by the undisturbed run.

    Retries after faults that the sandbox made on purpose are not the collector's repetitions.
    """
    excess = _asked(entries) - _asked(undisturbed)
    return excess.total()


def _asked(entries: Sequence[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    return Counter((e["source"], e["query"], e["page"]) for e in entries if not e["fault"])
