"""Edits, undos and runs at the same time: one order of commits, nothing done twice or lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from settled_runs import SettledRun, run_that_saw
from sqlalchemy import text

from collector import Workbench
from collector.database import Database
from collector.errors import UsageError
from collector.settings import Settings
from collector.store import edits
from tests.conftest import run_sql


@pytest.fixture
def bench(settings: Settings) -> Iterator[Workbench]:
    with Workbench.open(settings) as opened:
        yield opened


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def assert_every_snapshot_is_what_the_log_says(bench: Workbench) -> None:
    for audit_id, count in run_sql(
        bench.database, "SELECT id, seller_count_snapshot FROM seller_audit_log ORDER BY id"
    ):
        assert len(bench.sellers(as_of=audit_id)) == count, audit_id


def until_somebody_waits(database: Database, *, sessions: int = 1) -> None:
    deadline = time.monotonic() + 20
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
    )
    while run_sql(database, waiting, database.name)[0][0] < sessions:
        assert time.monotonic() < deadline, "nobody came to wait"
        time.sleep(0.01)


def test_two_undos_at_once_undo_two_edits(bench: Workbench, pool: ThreadPoolExecutor) -> None:
    for name in ("anna", "bob", "zoe"):
        bench.add(name)
    together = threading.Barrier(2)

    def undo() -> int | None:
        together.wait()
        return bench.undo().audit_id

    done = [undone.result() for undone in [pool.submit(undo) for _ in range(2)]]

    assert sorted(done) == [4, 5]  # type: ignore[type-var]
    undone = run_sql(bench.database, "SELECT undoes_id FROM seller_audit_log WHERE action = 'undo'")
    assert sorted(undone) == [(2,), (3,)]
    assert bench.sellers()["display_name"].tolist() == ["anna"]


def test_an_edit_that_commits_while_an_undo_waits_is_the_one_undone(
    bench: Workbench, pool: ThreadPoolExecutor
) -> None:
    bench.add("anna")
    with bench.database.engine().begin() as conn:
        edits.rename(conn, "anna", "berta", actor="ana")
        undone = pool.submit(bench.undo)
        until_somebody_waits(bench.database)
    assert undone.result().affected == 1
    assert bench.sellers()["display_name"].tolist() == ["anna"]


def test_a_removal_by_the_old_name_waits_for_the_rename(
    bench: Workbench, pool: ThreadPoolExecutor
) -> None:
    bench.add("anna")
    with bench.database.engine().begin() as conn:
        edits.rename(conn, "anna", "berta", actor="ana")
        removed = pool.submit(bench.remove, "anna")
        until_somebody_waits(bench.database)
    assert removed.result().affected == 1
    assert bench.sellers().empty


def test_a_run_that_waits_for_a_rename_means_whoever_bears_the_name_now(
    bench: Workbench, pool: ThreadPoolExecutor
) -> None:
    bench.add(["anna", "zoe"])
    run = SettledRun(bench.database, ["A1"])
    with bench.database.engine().begin() as conn:
        edits.rename(conn, "anna", "berta", actor="ana")
        searched = pool.submit(run.search, "A1", ["anna", "anna", "bob"])
        until_somebody_waits(bench.database)
    settled = searched.result()

    assert (settled.sellers_new, settled.first_new_seller) == (1, "bob")
    assert sorted(bench.sellers()["display_name"]) == ["berta", "bob", "zoe"]
    seen = bench.sightings(run.id).set_index("display_name")["listings"].to_dict()
    assert seen == {"berta": 2, "bob": 1}
    run.end()
    assert_every_snapshot_is_what_the_log_says(bench)


def test_a_rename_to_a_name_that_a_run_is_just_adding_is_told(
    bench: Workbench, pool: ThreadPoolExecutor
) -> None:
    bench.add("anna")
    run = SettledRun(bench.database, ["A1"])
    booked = run.reserve("A1")
    with bench.database.engine().begin() as conn:
        run.settle(conn, "A1", ["berta"], booked)
        renamed = pool.submit(bench.rename, "anna", "berta")
        until_somebody_waits(bench.database)
    assert renamed.result().told == {"anna": "cannot be called berta: another seller is"}
    assert sorted(bench.sellers()["display_name"]) == ["anna", "berta"]


def test_an_edit_that_a_deadlock_killed_is_tried_again(
    bench: Workbench, pool: ThreadPoolExecutor
) -> None:
    bench.add(["anna", "zoe"])
    with bench.database.engine().begin() as conn:
        # Not in the order by name, so that two wait in a circle; PostgreSQL ends the transaction
        # of whoever began to wait first.
        conn.execute(text("SELECT FROM sellers WHERE normalized_name = 'zoe' FOR UPDATE"))
        removed = pool.submit(bench.remove, ["anna", "zoe"])
        until_somebody_waits(bench.database)
        conn.execute(text("SELECT FROM sellers WHERE normalized_name = 'anna' FOR UPDATE"))

    assert removed.result().affected == 2
    bench.database.dispose()  # sessions tell what they counted when they end
    (deadlocks,) = run_sql(
        bench.database,
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    )[0]
    assert deadlocks >= 1
    assert bench.sellers().empty


def test_many_hands_at_once_leave_snapshots_that_agree_with_the_log(
    bench: Workbench, pool: ThreadPoolExecutor
) -> None:
    names = [f"s{n}" for n in range(12)]
    run_that_saw(bench.database, {"A1": names[:4]})

    def by_hand(number: int) -> None:
        steps: list[Callable[[], object]] = [
            lambda: bench.add(names[number:]),
            lambda: bench.remove(names[: number + 3]),
            lambda: bench.rename(names[number], f"r{number}"),
            bench.undo,
            lambda: bench.flag(names, note=str(number)),
            bench.undo,
            bench.undo,
            bench.redo,
        ]
        for step in steps:
            try:
                step()
            except UsageError as exc:
                assert "nothing to" in str(exc)  # noqa: PT017 - others may have undone it all

    def by_run(number: int) -> None:
        run_that_saw(
            bench.database,
            {f"B{n}": [f"r{n}", *names[n : n + 4], f"n{number}-{n}"] for n in range(6)},
        )

    work: list[Future[None]] = [pool.submit(by_hand, n) for n in range(4)]
    work += [pool.submit(by_run, n) for n in range(4)]
    for each in work:
        each.result()

    assert_every_snapshot_is_what_the_log_says(bench)
    for run_id, count in bench.runs()[["run_id", "seller_count_snapshot"]].itertuples(index=False):
        assert len(bench.sellers(as_of=run_id)) == count
    now = bench.sellers()
    then = bench.sellers(as_of=int(bench.audit_log()["audit_id"].iloc[-1]))
    assert then["display_name"].tolist() == now["display_name"].tolist()
    assert then["normalized_name"].tolist() == now["normalized_name"].tolist()
    assert then["flagged"].tolist() == now["flagged"].tolist()
    assert then["note"].tolist() == now["note"].tolist()
