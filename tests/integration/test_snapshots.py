"""Snapshots are exact: each equals the audit log replayed up to it, whoever writes at once.

`COLLECTOR_SNAPSHOT_EXAMPLES` says how often four runs and random edits go on at once (default 2).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError
from stored import Store, opened_store, sellers_page

from collector.database import Database
from collector.errors import UsageError
from collector.store import audit, edits, items, moves, undoing
from collector.words import RunStatus

NAMES = [f"seller{n:02}" for n in range(40)]
EXAMPLES = int(os.environ.get("COLLECTOR_SNAPSHOT_EXAMPLES", "2"))


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with opened_store(database) as store:
        yield store


def replay(store: Store) -> dict[int, int]:
    """The number of sellers after each audit entry, by the changes that the log tells."""
    on_the_list: set[int] = set()
    counts: dict[int, int] = {}
    changes = store.rows(
        "SELECT l.id, c.seller_id, c.change FROM seller_audit_log l "
        "LEFT JOIN seller_audit_changes c ON c.audit_id = l.id ORDER BY l.id"
    )
    for row in changes:
        if row.change == "added":
            assert row.seller_id not in on_the_list, "added twice"
            on_the_list.add(row.seller_id)
        elif row.change == "removed":
            on_the_list.remove(row.seller_id)
        counts[row.id] = len(on_the_list)
    assert on_the_list == {
        r.id for r in store.rows("SELECT id FROM sellers WHERE removed_at IS NULL")
    }
    return counts


def check(store: Store) -> None:
    counts = replay(store)
    entries = store.rows("SELECT id, seller_count_snapshot, created_at FROM seller_audit_log")
    assert {row.id: row.seller_count_snapshot for row in entries} == counts
    assert sorted(counts) == list(range(1, len(counts) + 1)), "audit ids have holes"
    assert store(audit.count) == (counts[max(counts)] if counts else 0)
    for run in store.rows(
        "SELECT seller_count_snapshot, snapshot_audit_id FROM collection_runs "
        "WHERE finished_at IS NOT NULL"
    ):
        assert run.seller_count_snapshot == counts.get(run.snapshot_audit_id, 0)


def until_it_wins(transaction: Callable[[], object]) -> None:
    """Run a transaction again where PostgreSQL let another one win, as the workbench does."""
    for _ in range(20):
        try:
            transaction()
        except DBAPIError as exc:
            # A deadlock; or a run inserted the very name that a rename gives.
            if getattr(exc.orig, "sqlstate", None) not in {"40P01", "23505"}:
                raise
        else:
            return
    raise AssertionError("It never won.")


def edit_at_random(store: Store, seed: int, times: int) -> None:
    rng = random.Random(seed)
    ways = [
        lambda c, names: edits.add(c, names, actor="me"),
        lambda c, names: edits.remove(c, names, actor="me"),
        lambda c, names: edits.flag(c, names, actor="me", note=None),
        lambda c, names: audit.record_export(
            c, what="sellers", rows=1, actor="me", path_name="s.csv"
        ),
        lambda c, names: edits.rename(c, names[0], names[1], actor="me"),
        lambda c, names: undoing.undo(c, actor="me"),
        lambda c, names: undoing.redo(c, actor="me"),
    ]
    for _ in range(times):
        names, way = rng.sample(NAMES, 5), rng.choice(ways)
        # Nobody of that name is on the list, a name is taken, nothing is to be undone.
        with suppress(UsageError):
            until_it_wins(lambda names=names, way=way: store(lambda c: way(c, names)))  # type: ignore[misc]


def collect_at_random(store: Store, run_id: UUID, owner_id: int, seed: int) -> None:
    rng = random.Random(seed)
    while claimed := store.claim(run_id, owner_id, 2):
        for item in claimed:
            page, booked = sellers_page(*rng.sample(NAMES, 6)), store.reserve(item, owner_id)
            until_it_wins(
                lambda item=item, page=page, booked=booked: store.settle(  # type: ignore[misc]
                    item, owner_id, page, booked=booked
                )
            )
    store(lambda c: moves.move(c, run_id, RunStatus.COMPLETED, owner_id=owner_id))


@pytest.mark.parametrize("seed", range(1, 1 + EXAMPLES))
def test_every_snapshot_equals_the_replay_with_runs_and_edits_at_once(
    store: Store, seed: int
) -> None:
    asins = [f"B{n:02}" for n in range(12)]
    working = []
    for _ in range(4):
        run_id, owner_id, searches = store.searching(*asins)
        with store.engine.begin() as conn:
            items.release(conn, searches, owner_id=owner_id)
        working.append((run_id, owner_id))
    with ThreadPoolExecutor(6) as pool:
        jobs = [
            pool.submit(collect_at_random, store, run_id, owner_id, seed * 10 + number)
            for number, (run_id, owner_id) in enumerate(working)
        ]
        jobs += [pool.submit(edit_at_random, store, seed * 100 + n, 15) for n in range(2)]
        for job in jobs:
            job.result()
    check(store)
    assert store.value("SELECT count(*) FROM seller_audit_log") >= 20


def test_audit_ids_are_in_the_order_of_commits(store: Store) -> None:
    """A writer that began first but commits last has the later id."""
    with store.engine.connect() as slow, store.engine.connect() as quick:
        edits.add(slow, ["ann"], actor="slow")
        with ThreadPoolExecutor(1) as pool:

            def add_quickly() -> int | None:
                added = edits.add(quick, ["bob"], actor="quick")
                quick.commit()
                return added.audit_id

            waiting = pool.submit(add_quickly)
            # It waits for the counter: the row that slow holds until it commits.
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            slow.rollback()
            assert waiting.result(timeout=5) == 1
    check(store)
    assert store(audit.count) == 1


def test_what_is_rolled_back_leaves_no_hole_and_no_count(store: Store) -> None:
    with store.engine.connect() as conn:
        edits.add(conn, ["ann", "bob"], actor="me")
        conn.rollback()
    assert store(lambda c: edits.add(c, ["zoe"], actor="me")).audit_id == 1
    check(store)


def test_the_snapshot_of_an_ended_run_counts_what_others_added_meanwhile(store: Store) -> None:
    run_id, owner_id, (search,) = store.searching("B01")
    store.settle(search, owner_id, sellers_page("ann", "bob"))
    store(lambda c: edits.add(c, ["zoe"], actor="me"))
    store(lambda c: edits.remove(c, ["bob"], actor="me"))
    store(lambda c: moves.move(c, run_id, RunStatus.COMPLETED, owner_id=owner_id))
    store(lambda c: edits.add(c, ["late"], actor="me"))
    run = store.run(run_id)
    assert (run.seller_count_snapshot, run.snapshot_audit_id) == (2, 3)
    assert (run.sellers_found, run.sellers_new) == (2, 2)
    check(store)


def test_undoing_and_doing_again_are_entries_with_exact_snapshots(store: Store) -> None:
    store(lambda c: edits.add(c, NAMES[:10], actor="me"))
    store(lambda c: edits.remove(c, NAMES[:4], actor="me"))
    for _ in range(2):
        store(lambda c: undoing.undo(c, actor="me"))
    for _ in range(2):
        store(lambda c: undoing.redo(c, actor="me"))
    check(store)
    assert store(audit.count) == 6
