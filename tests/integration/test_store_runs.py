"""Runs in real PostgreSQL: every pair of statuses, found by prefix, taken over, commanded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from stored import COFFEE, TEA, Store, opened_store, products, sellers_page

from collector.database import Database
from collector.errors import (
    IllegalMove,
    OwnershipLost,
    RunInProgress,
    UnknownRun,
    UsageError,
)
from collector.models import ActivityEntry
from collector.store import activity_log, items, moves, presets, progress, runs
from collector.words import MOVES, Action, PauseReason, RunStatus

WAYS: dict[RunStatus, tuple[RunStatus, ...]] = {
    RunStatus.PENDING: (),
    RunStatus.RUNNING: (RunStatus.RUNNING,),
    RunStatus.PAUSED: (RunStatus.PAUSED,),
    RunStatus.COMPLETED: (RunStatus.RUNNING, RunStatus.COMPLETED),
    RunStatus.FAILED: (RunStatus.RUNNING, RunStatus.FAILED),
    RunStatus.CANCELLED: (RunStatus.CANCELLED,),
}


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with opened_store(database) as store:
        yield store


def move(store: Store, run_id: UUID, to: RunStatus, **given: object) -> RunStatus:
    reason = PauseReason.OPERATOR if to is RunStatus.PAUSED else None
    return store(lambda c: moves.move(c, run_id, to, reason=reason, **given))  # type: ignore[arg-type]


def test_the_database_makes_exactly_the_moves_of_the_table(store: Store) -> None:
    for had, to in product(RunStatus, repeat=2):
        run_id = store.create()
        for step in WAYS[had]:
            move(store, run_id, step)
        assert store.run(run_id).status == had
        if to is had or to in MOVES[had]:
            assert move(store, run_id, to) is had
            assert store.run(run_id).status == to
        else:
            with pytest.raises(IllegalMove, match=f"The run is {had}"):
                move(store, run_id, to)
            assert store.run(run_id).status == had


def test_times_reasons_and_snapshots_go_with_the_status(store: Store) -> None:
    run_id = store.create()
    assert store.run(run_id).started_at is None
    move(store, run_id, RunStatus.RUNNING)
    started = store.run(run_id).started_at
    assert started is not None
    move(store, run_id, RunStatus.PAUSED, message="Paused by the operator.")
    paused = store.run(run_id)
    assert (paused.pause_reason, paused.message) == ("operator", "Paused by the operator.")
    move(store, run_id, RunStatus.RUNNING)
    again = store.run(run_id)
    assert (again.pause_reason, again.message, again.started_at) == (None, "", started)
    move(store, run_id, RunStatus.COMPLETED)
    ended = store.run(run_id)
    assert ended.finished_at >= started
    assert ended.seller_count_snapshot == 0
    # Its failed items are sent again: it has not ended any more.
    move(store, run_id, RunStatus.PAUSED)
    woken = store.run(run_id)
    assert (woken.finished_at, woken.seller_count_snapshot) == (None, None)


def test_a_run_begins_with_the_count_at_which_the_latest_one_ended(store: Store) -> None:
    run_id, owner_id, (search,) = store.searching("B01")
    assert store.run(run_id).seller_count_before is None
    store.settle(search, owner_id, sellers_page("ann", "bob"))
    move(store, run_id, RunStatus.COMPLETED, owner_id=owner_id)
    assert store.run(run_id).seller_count_snapshot == 2
    second, _ = store.running()
    assert store.run(second).seller_count_before == 2


@pytest.mark.parametrize("cut", [4, 8, 23, 36])
def test_a_run_is_found_by_the_beginning_of_its_id(store: Store, cut: int) -> None:
    run_id = store.create()
    assert store(lambda c: runs.find(c, str(run_id)[:cut].upper())) == run_id
    assert store(lambda c: runs.find(c, "latest")) == run_id


@pytest.mark.parametrize("words", ["", "abc", "not a run", "x" * 36, "' OR 1=1", "0" * 40])
def test_what_is_no_run_id_is_said_to_be_none(store: Store, words: str) -> None:
    with pytest.raises(UsageError, match="is no run id"):
        store(lambda c: runs.find(c, words))


def test_unknown_and_ambiguous_ids_are_told_apart(store: Store) -> None:
    with pytest.raises(UnknownRun, match="launch one first"):
        store(lambda c: runs.find(c, "latest"))
    with pytest.raises(UnknownRun, match="collector runs"):
        store(lambda c: runs.find(c, uuid4()))
    with pytest.raises(UnknownRun):
        store(lambda c: runs.get(c, uuid4()))
    for _ in range(2):
        run_id = store.create()
        ending = str(run_id)[8:]
        store(
            lambda c, run_id=run_id, ending=ending: c.execute(
                text(
                    "WITH c AS (DELETE FROM run_categories WHERE run_id = :old) "
                    "UPDATE collection_runs SET id = CAST(:new AS uuid) WHERE id = :old"
                ),
                {"old": run_id, "new": f"abcd1234{ending}"},
            )
        )
    with pytest.raises(UsageError, match="Several runs"):
        store(lambda c: runs.find(c, "abcd1234"))


def test_only_one_living_owner_has_a_run(store: Store) -> None:
    run_id, _ = store.running()
    second_id, _ = store.new_owner()
    with pytest.raises(RunInProgress):
        store(lambda c: moves.take_over(c, run_id, owner_id=second_id))
    store.close()
    third_id, _ = store.new_owner()
    row, had = store(lambda c: moves.take_over(c, run_id, owner_id=third_id))
    assert (row.owner_id, row.status, had) == (third_id, "running", RunStatus.RUNNING)


def test_an_owner_that_lost_its_run_cannot_move_it(store: Store) -> None:
    run_id, old_id = store.running()
    store.close()
    new_id, _ = store.new_owner()
    store(lambda c: moves.take_over(c, run_id, owner_id=new_id))
    with pytest.raises(OwnershipLost):
        move(store, run_id, RunStatus.COMPLETED, owner_id=old_id)
    with pytest.raises(OwnershipLost):
        store(lambda c: moves.take_command(c, run_id, owner_id=old_id))
    with pytest.raises(RunInProgress):
        move(store, run_id, RunStatus.PAUSED)


@pytest.mark.parametrize("ended", [RunStatus.COMPLETED, RunStatus.CANCELLED])
def test_an_ended_run_cannot_be_taken_over(store: Store, ended: RunStatus) -> None:
    run_id = store.create()
    for step in WAYS[ended]:
        move(store, run_id, step)
    owner_id, _ = store.new_owner()
    with pytest.raises(IllegalMove, match=f"The run is {ended}"):
        store(lambda c: moves.take_over(c, run_id, owner_id=owner_id))


def test_a_run_is_interrupted_as_soon_as_its_owners_session_ends(store: Store) -> None:
    run_id = store.create()
    owner_id, session = store.new_owner()
    store(lambda c: moves.take_over(c, run_id, owner_id=owner_id))
    assert not store(lambda c: progress.read(c, run_id)).interrupted
    session.close()
    assert store(lambda c: progress.read(c, run_id)).interrupted


def test_an_owner_lives_in_its_own_database_only(
    store: Store, server: Database, template: Database
) -> None:
    """Two databases of one server give the same owner ids."""
    run_id = store.create()
    owner_id, session = store.new_owner()
    store(lambda c: moves.take_over(c, run_id, owner_id=owner_id))
    session.close()
    elsewhere = server.named(server.name)
    with elsewhere.engine().begin() as conn:
        conn.execute(
            text("SELECT pg_advisory_lock(:key, :id)"), {"key": 0x636F6C6C, "id": owner_id}
        )
        assert store(lambda c: progress.read(c, run_id)).interrupted
    elsewhere.dispose()


def test_a_command_is_taken_once_by_the_owner(store: Store) -> None:
    run_id, owner_id = store.running()

    def take() -> str | None:
        return store(lambda c: moves.take_command(c, run_id, owner_id=owner_id))

    assert take() is None
    store(lambda c: moves.leave_command(c, run_id, "pause"))
    assert [take(), take()] == ["pause", None]


def test_a_command_left_while_the_run_pauses_by_itself_is_not_lost(store: Store) -> None:
    """Somebody cancels at the moment in which five failures pause the run."""
    run_id, owner_id = store.running()
    store(lambda c: moves.leave_command(c, run_id, "cancel"))
    move(store, run_id, RunStatus.PAUSED, owner_id=owner_id)
    assert store(lambda c: moves.take_command(c, run_id, owner_id=owner_id)) == "cancel"


def test_a_command_for_a_dead_owner_does_not_reach_the_next_one(store: Store) -> None:
    run_id, _ = store.running()
    store(lambda c: moves.leave_command(c, run_id, "pause"))
    store.close()
    new_id, _ = store.new_owner()
    store(lambda c: moves.take_over(c, run_id, owner_id=new_id))
    assert store(lambda c: moves.take_command(c, run_id, owner_id=new_id)) is None


@pytest.mark.parametrize("budget", [0, -5])
def test_a_budget_of_nothing_is_refused_in_words(store: Store, budget: int) -> None:
    run_id, _ = store.running()
    with pytest.raises(UsageError):
        store(lambda c: runs.set_budget(c, run_id, budget))


def test_a_budget_under_what_was_spent_is_refused(store: Store) -> None:
    run_id, owner_id = store.running(budget=5)
    (page,) = store.claim(run_id, owner_id)
    for _ in range(3):
        store.reserve(page, owner_id)
    with pytest.raises(UsageError, match="sent 3 requests already"):
        store(lambda c: runs.set_budget(c, run_id, 2))
    store(lambda c: runs.set_budget(c, run_id, 3))
    assert store.run(run_id).budget == 3


def test_progress_counts_what_the_settling_transactions_counted(store: Store) -> None:
    run_id, owner_id, searches = store.searching("B01", "B02", "B03", budget=50)
    store.settle(searches[0], owner_id, sellers_page("ann", "bob"))
    store.settle(searches[1], owner_id, sellers_page("bob"))
    store.reserve(searches[2], owner_id)
    store(
        lambda c: items.fail(
            c,
            searches[2],
            owner_id=owner_id,
            error_type="blocked",
            error_stage="parse",
            error_message="A wall.",
            page=None,
        )
    )
    shown = store(lambda c: progress.read(c, run_id))
    assert (shown.status, shown.budget, shown.requests) == (RunStatus.RUNNING, 50, 4)
    assert (shown.categories, shown.lists_total, shown.lists_done) == (1, 1, 1)
    assert (shown.products_total, shown.products_searched, shown.products_failed) == (3, 2, 1)
    assert (shown.sellers_found, shown.sellers_new, shown.seller_count) == (2, 2, 2)
    assert (shown.failed_items, shown.lists_failed) == (1, 0)
    assert store(lambda c: progress.median_ms(c, run_id)) == 5


def test_progress_is_counted_again_from_the_rows(store: Store) -> None:
    """The counters that are kept equal those that can be counted."""
    options_run, owner_id = store.running(COFFEE, TEA)
    while claimed := store.claim(options_run, owner_id):
        for item in claimed:
            names = [f"seller {item.id % 3}", f"seller {item.id % 5}"]
            page = products(f"B{item.id % 4}", "B9") if item.asin is None else sellers_page(*names)
            store.settle(item, owner_id, page)
    run = store.run(options_run)
    done = store.rows(
        "SELECT count(*) FILTER (WHERE kind = 'seller_search' AND NOT has_more) AS searched, "
        "count(*) FILTER (WHERE kind = 'best_sellers' AND NOT has_more) AS lists, "
        "count(DISTINCT asin) AS products FROM collection_items WHERE status = 'done'"
    )[0]
    assert (run.products_searched, run.lists_done) == (done.searched, done.lists)
    assert run.products_total == done.products
    assert run.sellers_found == store.value("SELECT count(*) FROM run_sellers")
    assert run.sellers_new == store.value("SELECT count(*) FROM run_sellers WHERE is_new")
    assert run.requests == store.value("SELECT count(*) FROM collection_requests")
    assert run.requests_billed == store.value(
        "SELECT count(*) FROM collection_requests WHERE billed"
    )


def test_errors_are_counted_by_kind(store: Store) -> None:
    run_id, owner_id, searches = store.searching("B01", "B02")
    outcomes = ["timeout", "blocked", "timeout"]
    for number, outcome in enumerate(outcomes):
        booked = store.reserve(searches[number % 2], owner_id)
        store(
            lambda c, booked=booked, outcome=outcome: c.execute(
                text(
                    "UPDATE collection_requests SET outcome = :o, finished_at = now() "
                    "WHERE id = :id"
                ),
                {"o": outcome, "id": booked.request_id},
            )
        )
    errors = store(lambda c: progress.errors(c, run_id))
    assert [(e.error_type, e.count) for e in errors] == [("timeout", 2), ("blocked", 1)]


HOSTILE = "'; DROP TABLE sellers; -- \x00 <script>{0}%s"


def test_entries_are_kept_once_and_read_after_an_id(store: Store) -> None:
    run_id = store.create()
    entries = [
        ActivityEntry(id=n, action=Action.FOUND, worker_id=1, params={"page": n}, items_count=n)
        for n in range(1, 8)
    ]
    for batch in (entries[:5], entries[3:]):
        store(lambda c, batch=batch: activity_log.append(c, run_id, batch))
    assert store(lambda c: activity_log.read(c, run_id)) == entries
    assert store(lambda c: activity_log.read(c, run_id, after=3, limit=2)) == entries[3:5]
    assert store(lambda c: activity_log.last_id(c, run_id)) == 7
    assert store(lambda c: activity_log.last_id(c, uuid4())) == 0


def test_hostile_text_can_be_kept_in_an_entry(store: Store) -> None:
    run_id = store.create()
    entry = ActivityEntry(
        id=1,
        action=Action.ERROR,
        error_message=HOSTILE,
        product_name=HOSTILE,
        params={"page": HOSTILE},
    )
    store(lambda c: activity_log.append(c, run_id, [entry]))
    (kept,) = store(lambda c: activity_log.read(c, run_id))
    assert kept.error_message is not None
    assert "DROP TABLE sellers" in kept.error_message
    assert "\x00" not in kept.error_message


def test_presets_are_saved_renamed_made_the_default_and_removed(store: Store) -> None:
    assert store(presets.default) is None
    store(lambda c: presets.save(c, " Kitchen ", ["1", "2"]))
    store(lambda c: presets.save(c, "Dogs", ["3"]))
    store(lambda c: presets.save(c, "Kitchen", ["2"]))
    store(lambda c: presets.make_default(c, "Dogs"))
    store(lambda c: presets.make_default(c, "Kitchen"))
    assert store(presets.default) == ("2",)
    assert store(presets.all_named) == {"Kitchen": ("2",), "Dogs": ("3",)}
    store(lambda c: presets.rename(c, "Dogs", "Cats"))
    assert store(lambda c: presets.named(c, "Cats")) == ("3",)
    with pytest.raises(UsageError, match="already"):
        store(lambda c: presets.rename(c, "Cats", "Kitchen"))
    store(lambda c: presets.remove(c, "Kitchen"))
    assert store(presets.default) is None
    with pytest.raises(UsageError, match="There are: Cats"):
        store(lambda c: presets.named(c, "Kitchen"))


@pytest.mark.parametrize(("name", "nodes"), [("", ["1"]), ("x" * 101, ["1"]), ("Empty", [])])
def test_a_preset_needs_a_name_and_a_category(store: Store, name: str, nodes: list[str]) -> None:
    with pytest.raises(UsageError):
        store(lambda c: presets.save(c, name, nodes))
