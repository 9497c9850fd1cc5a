"""The kept activity: pages of it, how a run's end is known, and what is dropped when it is old."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from served import WrittenRun, numbered, run_sql, wait_until

from collector.connections import Database
from collector.models import ActivityEntry
from collector.settings import Settings
from collector.store import activity_log, moves
from collector.words import Action, PauseReason, RunStatus
from collector.workbench import Workbench


@pytest.fixture
def run(database: Database) -> WrittenRun:
    """A run in progress without entries."""
    return WrittenRun(database)


def page(run: WrittenRun, *, after: int = 0, limit: int = 200, max_bytes: int = 10**6) -> list[int]:
    with run.database.engine().connect() as conn:
        rows = activity_log.page(conn, run.id, after=after, limit=limit, max_bytes=max_bytes)
    return [entry_id for entry_id, _, _ in rows]


def prune(run: WrittenRun, *, days: int = 90) -> int:
    with run.database.engine().begin() as conn:
        return activity_log.prune(conn, days=days)


def test_a_page_ends_at_its_number_of_entries_or_bytes(run: WrittenRun) -> None:
    run.write(
        *(ActivityEntry(id=i, action=Action.FOUND, product_name="x" * 1000) for i in range(1, 10))
    )
    assert page(run, limit=4) == [1, 2, 3, 4]
    assert page(run, after=4, limit=100) == [5, 6, 7, 8, 9]
    assert page(run, max_bytes=2500) == [1, 2, 3]
    assert page(run, after=8, max_bytes=1) == [9]
    assert page(run, after=9) == []


def test_the_latest_begin_after_the_entry_before_them(run: WrittenRun) -> None:
    with run.database.engine().connect() as conn:
        assert activity_log.before_latest(conn, run.id, count=100) == 0
    run.write_numbered(1, 150)
    with run.database.engine().connect() as conn:
        assert activity_log.before_latest(conn, run.id, count=100) == 50
        assert activity_log.before_latest(conn, run.id, count=1000) == 0


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.FAILED])
def test_a_run_without_a_living_owner_has_ended_with_its_status(
    run: WrittenRun, status: RunStatus
) -> None:
    with run.database.engine().begin() as conn:
        assert activity_log.ended(conn, run.id) is None
        moves.move(conn, run.id, status)
        assert activity_log.ended(conn, run.id) is status


def test_old_entries_of_ended_runs_go_and_the_newest_stays(run: WrittenRun) -> None:
    """Ids go on from it when failed items are sent again, and readers see how many are gone."""
    run.write_numbered(1, 10, days_old=91)
    run.end()
    assert prune(run) == 9
    assert page(run) == [10]
    assert prune(run) == 0


def test_entries_within_the_days_stay(run: WrittenRun) -> None:
    run.write_numbered(1, 5, days_old=91)
    run.write_numbered(6, 10, days_old=89)
    run.end()
    assert prune(run) == 5
    assert page(run) == [6, 7, 8, 9, 10]


def test_a_run_in_progress_or_paused_keeps_everything(run: WrittenRun) -> None:
    run.write_numbered(1, 10, days_old=400)
    assert prune(run) == 0
    with run.database.engine().begin() as conn:
        moves.move(conn, run.id, RunStatus.PAUSED, reason=PauseReason.OPERATOR)
    assert prune(run) == 0
    assert len(page(run)) == 10


def test_a_run_that_is_taken_up_again_meanwhile_keeps_everything(run: WrittenRun) -> None:
    run.write_numbered(1, 10, days_old=400)
    run.end(RunStatus.FAILED)
    pruned: list[int] = []
    with run.database.engine().begin() as conn:
        moves.move(conn, run.id, RunStatus.PAUSED, reason=PauseReason.RETRY)
        pruning = threading.Thread(target=lambda: pruned.append(prune(run)))
        pruning.start()
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'ended'"
        )
        wait_until(lambda: bool(run_sql(run.database, waiting)), "nobody waits for the run's row")
    pruning.join()
    assert pruned == [0]
    assert len(page(run)) == 10


def test_one_of_many_prunes_and_only_once_a_day(run: WrittenRun) -> None:
    def ask(_: int) -> bool:
        with run.database.engine().begin() as conn:
            return activity_log.take_turn_to_prune(conn)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(16))) == [False] * 15 + [True]
    run_sql(
        run.database, "UPDATE collector_settings SET updated_at = updated_at - interval '25 hours'"
    )
    assert ask(0)
    assert not ask(0)


def test_opening_a_workbench_drops_what_is_older_than_the_setting(
    run: WrittenRun, settings: Settings
) -> None:
    run.write_numbered(1, 3, days_old=31)
    run.write(numbered(4))
    run.end()
    chosen = settings.model_copy(update={"collector_activity_days": 30})
    with Workbench.open(chosen):
        wait_until(lambda: page(run) == [4], "nothing was pruned", within_s=10)


def test_an_entry_that_no_json_can_hold_is_kept_all_the_same(run: WrittenRun) -> None:
    """One that PostgreSQL refused would stand in the way of all that follow."""
    run.write(ActivityEntry(id=1, action=Action.FOUND, params={"x": float("inf"), "y": "\x00"}))
    with run.database.engine().connect() as conn:
        (entry,) = activity_log.read(conn, run.id)
    assert entry.params == {"x": "inf", "y": "\ufffd"}
