"""A run's progress as entries move it on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from collector.models import ActivityEntry
from collector.progress import ErrorCount, RunProgress
from collector.tracker import Tracker, describe_outcome, describe_request
from collector.words import Action, Phase, RunStatus, Source

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BASE = RunProgress(
    run_id=uuid4(), name="Coffee", status=RunStatus.RUNNING, source=Source.SANDBOX, requests=1
)


def entry(action: Action, *, at_s: float = 0, worker_id: int = 1, **told: Any) -> ActivityEntry:
    told.setdefault("phase", Phase.SELLER_SEARCH if worker_id else Phase.SYSTEM)
    return ActivityEntry(
        action=action, worker_id=worker_id, timestamp=NOON + timedelta(seconds=at_s), **told
    )


@pytest.fixture
def tracker() -> Tracker:
    return Tracker(BASE, workers=5)


def test_it_begins_with_what_the_database_says() -> None:
    errors = (ErrorCount("unavailable", "fetch", 3, "500"),)
    progress = Tracker(BASE, workers=2, errors=errors, median_ms=800).progress()
    assert progress == replace(
        BASE, errors=errors, median_ms=800, workers=progress.workers, holds=0
    )
    assert [w.worker_id for w in progress.workers] == [1, 2]
    assert all(w.phase is None for w in progress.workers)


def test_rebasing_takes_over_the_counters_and_keeps_the_workers(tracker: Tracker) -> None:
    tracker.apply(entry(Action.FETCHING, product_name="Kettle"))
    tracker.rebase(replace(BASE, sellers_new=12))
    assert tracker.progress().sellers_new == 12
    assert tracker.progress().workers[0].text == "Kettle"


def test_a_worker_shows_what_it_fetches_and_then_what_it_brought(tracker: Tracker) -> None:
    asked = {"page": 2, "price_from": "18.00", "price_to": "22.00"}
    tracker.apply(entry(Action.FETCHING, product_name="Kettle", params=asked, attempt=2))
    worker = tracker.progress().workers[0]
    assert (worker.text, worker.phase, worker.attempt) == ("Kettle", Phase.SELLER_SEARCH, 2)
    assert worker.detail == "$18.00-22.00 · page 2 · attempt 2"
    assert worker.since == NOON
    assert worker.requests == 1
    tracker.apply(
        entry(Action.INSERTED, items_count=3, new_sellers_count=1, duration_ms=700, at_s=1)
    )
    worker = tracker.progress().workers[0]
    assert (worker.text, worker.phase, worker.since) == ("", None, None)
    assert (worker.last_outcome, worker.last_ok) == ("3 sellers, 1 new", True)
    assert worker.median_ms == 700


@pytest.mark.parametrize(("again", "text"), [(True, "Kettle"), (False, "")])
def test_an_error_is_counted_and_leaves_the_item_only_if_it_is_not_tried_again(
    tracker: Tracker, again: bool, text: str
) -> None:
    tracker.apply(entry(Action.FETCHING, product_name="Kettle"))
    told: dict[str, Any] = {
        "error_type": "unavailable",
        "error_stage": "fetch",
        "error_message": "500",
    }
    for _ in range(2):
        tracker.apply(entry(Action.ERROR, params={"will_retry": again}, **told))
    progress = tracker.progress()
    assert progress.workers[0].text == text
    assert progress.workers[0].failures == {"unavailable": 2}
    assert not progress.workers[0].last_ok
    assert progress.errors == (ErrorCount("unavailable", "fetch", 2, "500"),)


def test_errors_add_to_those_of_earlier_sessions_the_most_frequent_first() -> None:
    tracker = Tracker(BASE, workers=1, errors=(ErrorCount("blocked", "parse", 1, "wall"),))
    for kind in ("blocked", "timeout", "blocked"):
        stage = "parse" if kind == "blocked" else "fetch"
        tracker.apply(entry(Action.ERROR, error_type=kind, error_stage=stage, error_message=kind))
    assert [(e.error_type, e.count, e.last_message) for e in tracker.progress().errors] == [
        ("blocked", 3, "blocked"),
        ("timeout", 1, "timeout"),
    ]


@pytest.mark.parametrize("action", [Action.RESUMED, Action.PAUSED, Action.CANCELLED])
def test_a_hold_shows_until_when_and_goes_with_the_next_command(
    tracker: Tracker, action: Action
) -> None:
    tracker.apply(entry(Action.RATE_LIMITED, params={"wait_s": 30}, error_message="429"))
    progress = tracker.progress()
    assert progress.hold_until == NOON + timedelta(seconds=30)
    assert (progress.holds, progress.hold_message) == (1, "429")
    assert progress.errors == ()
    tracker.apply(entry(action, worker_id=0))
    assert tracker.progress().hold_until is None
    assert tracker.progress().holds == 1


def test_the_median_is_that_of_answers_and_not_of_errors(tracker: Tracker) -> None:
    for duration_ms in (100, 300, 900):
        tracker.apply(entry(Action.DEDUPED, duration_ms=duration_ms))
    tracker.apply(entry(Action.ERROR, duration_ms=180_000))
    assert tracker.progress().median_ms == 300


def test_a_worker_beyond_the_number_expected_is_shown_too(tracker: Tracker) -> None:
    tracker.apply(entry(Action.FETCHING, worker_id=9, product_name="Kettle"))
    assert [w.worker_id for w in tracker.progress().workers] == [1, 2, 3, 4, 5, 9]


def answers(tracker: Tracker, count: int, *, every_s: float) -> None:
    for number in range(count):
        tracker.apply(entry(Action.DEDUPED, duration_ms=500, at_s=number * every_s))


def test_the_time_left_is_what_is_left_to_ask_at_the_pace_of_the_last_minute(
    tracker: Tracker,
) -> None:
    answers(tracker, 11, every_s=1)
    tracker.rebase(
        replace(
            BASE, requests=11, lists_total=1, lists_done=1, products_total=110, products_searched=10
        )
    )
    # 100 products of one request each, eleven requests in ten seconds.
    assert tracker.progress().eta_s == pytest.approx(100 * 10 / 11)


def test_a_budget_ends_the_run_earlier(tracker: Tracker) -> None:
    answers(tracker, 11, every_s=1)
    tracker.rebase(
        replace(
            BASE,
            requests=11,
            budget=22,
            lists_total=1,
            lists_done=1,
            products_total=110,
            products_searched=10,
        )
    )
    assert tracker.progress().eta_s == pytest.approx(10)


@pytest.mark.parametrize(
    ("count", "changes"),
    [
        (4, {"products_searched": 4, "products_total": 9}),
        (11, {"status": RunStatus.PAUSED, "products_searched": 4, "products_total": 9}),
        (11, {"products_searched": 0}),
    ],
    ids=["too few answers", "paused", "nothing done"],
)
def test_without_grounds_no_time_is_promised(
    tracker: Tracker, count: int, changes: dict[str, Any]
) -> None:
    answers(tracker, count, every_s=1)
    tracker.rebase(replace(BASE, **changes))
    assert tracker.progress().eta_s is None


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"action": Action.FOUND, "phase": Phase.BEST_SELLERS, "items_count": 1}, "1 product"),
        ({"action": Action.FOUND, "phase": Phase.BEST_SELLERS, "items_count": 50}, "50 products"),
        ({"action": Action.FOUND, "items_count": 0}, "no exact match"),
        ({"action": Action.DEDUPED, "items_count": 1}, "1 seller, nothing new"),
        ({"action": Action.INSERTED, "items_count": 2, "new_sellers_count": 2}, "2 sellers, 2 new"),
    ],
)
def test_an_outcome_in_a_few_words(told: dict[str, Any], text: str) -> None:
    assert describe_outcome(entry(**told)) == text


def test_a_request_in_a_few_words() -> None:
    page = entry(Action.FETCHING, phase=Phase.BEST_SELLERS, params={"page": 1})
    assert describe_request(page) == "list page 1"
    assert describe_request(entry(Action.FETCHING)) == ""


def test_no_worker_of_a_process_that_died_is_shown_at_work(tracker: Tracker) -> None:
    for worker_id in (1, 2, 3, 7):
        tracker.apply(entry(Action.FETCHING, worker_id=worker_id, product_name="Kettle"))
    tracker.apply(
        entry(
            Action.ERROR,
            worker_id=0,
            error_type="participant_lost",
            error_stage="run",
            error_message="desk:4711 died.",
            params={"first_worker": 2, "last_worker": 6},
        )
    )
    progress = tracker.progress()
    at_work = [w.worker_id for w in progress.workers if w.phase is not None]
    assert at_work == [1, 7]
    lost = progress.workers[2]
    assert (lost.text, lost.last_outcome, lost.last_ok) == ("", "its process died", False)
    assert [(e.error_type, e.count) for e in progress.errors] == [("participant_lost", 1)]
