"""Sentences: every entry reads like one, whatever a stranger put into it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.models import ActivityEntry
from collector.panel.backlog import ROWS, Backlog, outnumbered
from collector.panel.pulse import Pulse
from collector.panel.sentences import (
    FILTERS,
    MARKS,
    errors_counted,
    ordinal,
    printable,
    row,
    seconds,
    span,
)
from collector.words import Action, Phase

SEARCH, LIST = Phase.SELLER_SEARCH, Phase.BEST_SELLERS
LIST_FOUND = {
    "action": Action.FOUND,
    "phase": LIST,
    "category": "Electronics › Headphones",
    "items_count": 50,
}


def entry(action: Action, *, phase: Phase = SEARCH, **told: object) -> ActivityEntry:
    """An entry of worker 3."""
    return ActivityEntry(id=1, worker_id=3, phase=phase, action=action, **told)


@pytest.mark.parametrize(
    ("told", "kind", "sentence"),
    [
        (
            {
                "action": Action.INSERTED,
                "items_count": 22,
                "new_sellers_count": 6,
                "product_name": "Wireless earbuds",
            },
            "new",
            "6 new of 22 sellers · Wireless earbuds",
        ),
        (
            {"action": Action.DEDUPED, "items_count": 9, "product_name": "Lids"},
            "known",
            "Nothing new of 9 sellers · Lids",
        ),
        (
            {
                "action": Action.FOUND,
                "items_count": 0,
                "product_name": "Milk frother",
                "params": {"unmatched": 48},
            },
            "none",
            "No exact match: 48 cards under “fewer words” left out · Milk frother",
        ),
        (
            {"action": Action.FOUND, "items_count": 0, "product_name": "Lamp"},
            "none",
            "No listing in the price window · Lamp",
        ),
        (
            {**LIST_FOUND, "params": {"page": 1, "skipped": 2, "elsewhere": 6}},
            "list",
            "50 products · Electronics › Headphones, 6 already due elsewhere, 2 left out",
        ),
        (
            {**LIST_FOUND, "params": {"page": 1, "skipped": 0, "elsewhere": 0, "not_due": 31}},
            "list",
            "50 products · Electronics › Headphones, 31 not due",
        ),
        ({**LIST_FOUND, "items_count": 0}, "none", "No products · Electronics › Headphones"),
        (
            {
                "action": Action.ERROR,
                "phase": LIST,
                "category": "Coffee makers",
                "error_type": "timeout",
                "error_message": "No answer within 180 s",
                "params": {"page": 2, "will_retry": True, "delay_s": 4.0},
            },
            "error",
            "Timed out · Coffee makers, page 2, will try again in 4 s · No answer within 180 s",
        ),
        (
            {
                "action": Action.ERROR,
                "product_name": "Lamp",
                "error_type": "something_else",
                "params": {"will_retry": False},
            },
            "error",
            "Something else · Lamp, given up",
        ),
        (
            {"action": Action.RATE_LIMITED, "product_name": "Lamp", "params": {"wait_s": 11.98}},
            "wait",
            "Told to wait 12 s (429) · Lamp",
        ),
        (
            {
                "action": Action.FETCHING,
                "product_name": "Lamp",
                "attempt": 2,
                "params": {"page": 2, "price_from": "22.48", "price_to": 27.5},
            },
            "step",
            "Searching · Lamp · $22.48–27.50, page 2, attempt 2",
        ),
        (
            {"action": Action.PAUSED, "error_message": "5 items failed in a row"},
            "system",
            "Paused · 5 items failed in a row",
        ),
        ({"action": Action.COMPLETE}, "system", "Completed"),
        (
            {"action": Action.GAP, "items_count": 1234},
            "gap",
            "1,234 entries went by too fast to be shown here; the activity log has them",
        ),
    ],
)
def test_an_entry_is_a_sentence(told: dict[str, object], kind: str, sentence: str) -> None:
    line = row(entry(**told))
    assert line[4] == kind
    assert line[5] + line[6] == sentence


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("phase", list(Phase))
def test_every_action_has_a_kind_with_a_mark_and_a_filter(action: Action, phase: Phase) -> None:
    kind = row(entry(action, phase=phase))[4]
    assert kind in MARKS
    assert any(kind in kinds for _, _, kinds in FILTERS)


@given(st.text(st.characters(codec=None), max_size=2000))
def test_a_strangers_text_becomes_one_line_that_json_can_carry(text: str) -> None:
    """Control characters, lone surrogates and marks that turn the reading direction go."""
    shown = printable(text)
    assert len(shown) <= 160
    assert json.loads(json.dumps(shown, ensure_ascii=False).encode()) == shown
    assert not set(shown) & set("\n\r\t\x00\x1b\u202e\u2066\u200f\ufeff")


@given(product=st.text(max_size=300), message=st.text(max_size=300))
def test_nothing_a_stranger_wrote_is_a_format(product: str, message: str) -> None:
    line = row(entry(Action.ERROR, product_name=product, error_message=message))
    assert printable(message) in line[6]


def test_an_entry_carries_its_moment_in_milliseconds() -> None:
    moment = datetime(2026, 11, 23, 14, 8, 11, 250_000, tzinfo=UTC)
    line = row(entry(Action.COMPLETE, timestamp=moment, duration_ms=5200))
    assert line[1] == int(moment.timestamp() * 1000)
    assert line[7] == 5200


def test_lengths_of_time_read_as_people_say_them() -> None:
    assert [span(s) for s in (0, 59.9, 372, 7500, 100_000)] == [
        "0 s",
        "59 s",
        "6 min 12 s",
        "2 h 5 min",
        "1 d 3 h",
    ]
    assert [seconds(ms) for ms in (None, 0, 250, 5200, 180_000)] == [
        "",
        "0.0 s",
        "0.2 s",
        "5.2 s",
        "180 s",
    ]
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"),
    ]
    assert errors_counted("page_not_understood", 2) == "2 pages not understood"
    assert errors_counted("weird_kind", 1) == "1 weird kind"


def test_a_backlog_stays_as_small_as_it_was() -> None:
    backlog = Backlog()
    for number in range(1, 5001):
        action = Action.FETCHING if number % 2 else Action.DEDUPED
        backlog.add([ActivityEntry(id=number, worker_id=number % 5 + 1, action=action)])
    assert len(backlog.newest()) <= 2 * ROWS
    assert [line[0] for line in backlog.newest()][-ROWS:] == list(range(4901, 5001))
    assert [line[0] for line in backlog.log("outcomes")] == list(range(4802, 5001, 2))
    assert len(backlog.log("", worker=2)) == ROWS
    assert {line[2] for line in backlog.log("", worker=2)} == {2}
    assert backlog.log("no such filter") == []
    assert backlog.log("", worker=99) == []


def test_a_backlog_takes_an_entry_once() -> None:
    """A viewer that subscribes again is given what it has seen already."""
    backlog = Backlog()
    entries = [ActivityEntry(id=n, action=Action.COMPLETE) for n in (1, 2, 3)]
    assert len(backlog.add(entries)) == 3
    assert backlog.add(entries) == []


def test_trouble_is_failures_that_outnumber_successes_among_enough_outcomes() -> None:
    assert outnumbered([False] * 5) is None
    assert outnumbered([False] * 6) == (6, 6)
    assert outnumbered([False, True] * 10) is None
    assert outnumbered([False] * 11 + [True] * 9) == (11, 20)


def test_trouble_is_forgotten_when_a_run_resumes() -> None:
    backlog = Backlog()
    errors = [ActivityEntry(id=n, action=Action.ERROR, error_message="no") for n in range(1, 9)]
    backlog.add(errors)
    assert backlog.failing() == (8, 8)
    assert backlog.last_failure == "no"
    backlog.add([ActivityEntry(id=9, action=Action.RESUMED)])
    assert backlog.failing() is None


def test_the_pulse_tells_how_free_the_loop_is() -> None:
    pulse = Pulse()
    assert pulse.free is None
    at = 0.0
    for _ in range(100):
        at += 0.1
        pulse.beat(0.1, late_s=0.0, at=at)
    assert pulse.free == 1.0
    assert pulse.lag_s == 0
    pulse.beat(5.0, late_s=4.9, at=at + 5)
    assert pulse.lag_s == 4.9
    assert pulse.free is not None
    assert 0.4 < pulse.free < 0.6
    pulse.beat(0.1, late_s=0.0, at=at + 16)
    assert pulse.lag_s == 0
