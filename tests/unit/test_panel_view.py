"""The view of a run: the words, figures and buttons for every way it may stand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.models import ActivityEntry
from collector.panel.notes import Surroundings
from collector.panel.sentences import row
from collector.panel.static_picture import picture
from collector.panel.view import View, view
from collector.progress import ErrorCount, RunProgress, WorkerState
from collector.words import Action, PauseReason, Phase, RunStatus, Source

NOW = datetime(2026, 11, 23, 14, 8, 12, tzinfo=UTC)
AROUND = Surroundings(short_id="1a2b")
RUNNING = RunProgress(
    run_id=UUID(int=1),
    name="Electronics and kitchen, November",
    status=RunStatus.RUNNING,
    source=Source.SANDBOX,
    started_at=NOW - timedelta(seconds=372),
    eta_s=540,
    budget=1500,
    requests=402,
    categories=10,
    lists_total=20,
    lists_done=18,
    products_total=880,
    products_searched=362,
    products_failed=4,
    sellers_found=549,
    sellers_new=118,
    seller_count=1204,
    seller_count_before=1086,
    failed_items=4,
    median_ms=5100,
    errors=(
        ErrorCount("timeout", "fetch", 2, "No answer within 180 s"),
        ErrorCount("page_not_understood", "parse", 1, "no card names a seller"),
    ),
    workers=(
        WorkerState(
            1,
            Phase.SELLER_SEARCH,
            "Garlic press",
            "$22.48-27.48 · page 2",
            NOW,
            1,
            "14 sellers, 3 new",
            requests=80,
            failures={"timeout": 2},
            median_ms=5100,
        ),
        WorkerState(2),
    ),
)


def shown(progress: RunProgress = RUNNING, **around: object) -> View:
    return view(progress, replace(AROUND, **around), now=NOW)


def first_note(progress: RunProgress = RUNNING, **around: object) -> str:
    note = shown(progress, **around)["notes"][0]
    return f"{note['head']} {note['text']}"


def test_the_figures_lead_with_the_list_and_how_it_moves() -> None:
    figures = {f["key"]: (f["value"], f["extra"], f["label"]) for f in shown()["figures"]}
    assert figures == {
        "sellers": ("1,204", "▲ 118", "sellers on the list"),
        "new": ("118", "", "new in this run"),
        "again": ("431", "", "seen again"),
        "cost": ("3.4", "", "requests per new seller"),
        "requests": ("402", "of 1,500", "requests spent"),
    }


@pytest.mark.parametrize(
    ("before", "extra"), [(None, ""), (1204, "± 0"), (1300, "▼ 96"), (4, "▲ 1,200")]
)
def test_the_list_moves_up_down_or_not_at_all(before: int | None, extra: str) -> None:
    figures = shown(replace(RUNNING, seller_count_before=before))["figures"]
    assert figures[0]["extra"] == extra


def test_a_finished_run_tells_the_count_right_after_it() -> None:
    """Other runs have moved the list since; this picture is of then."""
    ended = replace(
        RUNNING, status=RunStatus.COMPLETED, seller_count_snapshot=1204, seller_count=5000
    )
    assert shown(ended)["figures"][0]["value"] == "1,204"


def test_failures_are_part_of_the_bar() -> None:
    bar = shown()["bars"][1]
    assert (bar["done"], bar["failed"], bar["total"]) == (362, 4, 880)
    assert (bar["words"], bar["failed_words"]) == ("362 of 880", "4 failed")


@given(*(st.integers(0, 10**6) for _ in range(3)))
def test_a_bar_is_never_fuller_than_full(done: int, failed: int, total: int) -> None:
    """Totals grow while lists are still being read, and may lag behind."""
    progress = replace(
        RUNNING, products_total=total, products_searched=done, products_failed=failed
    )
    bar = shown(progress)["bars"][1]
    assert bar["done"] + bar["failed"] <= bar["total"]


@pytest.mark.parametrize(
    ("status", "failed", "buttons"),
    [
        (RunStatus.PENDING, 0, ["pause", "cancel"]),
        (RunStatus.RUNNING, 3, ["pause", "cancel"]),
        (RunStatus.PAUSED, 0, ["resume", "cancel"]),
        (RunStatus.PAUSED, 3, ["resume", "retry", "cancel"]),
        (RunStatus.COMPLETED, 0, []),
        (RunStatus.COMPLETED, 3, ["retry"]),
        (RunStatus.FAILED, 3, ["retry"]),
        (RunStatus.CANCELLED, 3, []),
    ],
)
def test_only_buttons_that_can_do_something_are_shown(
    status: RunStatus, failed: int, buttons: list[str]
) -> None:
    assert shown(replace(RUNNING, status=status, failed_items=failed))["can"] == buttons


def test_an_interrupted_run_says_that_nobody_works_on_it_and_how_to_resume() -> None:
    interrupted = replace(RUNNING, interrupted=True)
    assert shown(interrupted)["head"]["words"] == "Interrupted"
    assert shown(interrupted)["can"][0] == "resume"
    assert "Nobody living works on this run" in first_note(interrupted)
    assert "Resume" in first_note(interrupted)


@pytest.mark.parametrize("reason", list(PauseReason))
def test_a_paused_run_says_why_and_what_to_do(reason: PauseReason) -> None:
    paused = replace(
        RUNNING, status=RunStatus.PAUSED, pause_reason=reason, message="Something happened."
    )
    note = first_note(paused)
    assert "Something happened. " in note
    assert "esume" in note


def test_a_slow_down_says_who_asked_and_until_when_and_passes() -> None:
    held = replace(
        RUNNING,
        holds=2,
        hold_until=NOW + timedelta(seconds=7),
        hold_message="Oxylabs answered 429",
    )
    note, after = shown(held)["notes"]
    assert note["text"] == "Oxylabs answered 429; no new request leaves for"
    assert note["until"] == int((NOW.timestamp() + 7) * 1000)
    assert note["aside"] == "2nd time in this run"
    assert after["text"].startswith("All is well")
    over = view(held, AROUND, now=NOW + timedelta(seconds=8))["notes"]
    assert [n["head"] for n in over] == [""]


def test_the_most_pressing_note_stands_first() -> None:
    held = replace(RUNNING, hold_until=NOW + timedelta(seconds=7))
    notes = shown(
        held, problem="The run was taken over.", failing=(12, 20), last_failure="500", lag_s=4.2
    )["notes"]
    assert [n["head"] for n in notes] == [
        "That did not work.",
        "Experiencing problems.",
        "Slowed down.",
        "Held up.",
        "",
    ]
    assert notes[1]["text"] == "12 of the last 20 requests failed. Last: 500"


def test_five_cards_stand_there_before_a_worker_has_done_anything() -> None:
    pending = replace(RUNNING, status=RunStatus.PENDING, workers=())
    cards = [part for key, part in shown(pending).items() if key.startswith("worker:")]
    assert [card["id"] for card in cards] == [1, 2, 3, 4, 5]
    assert {card["text"] for card in cards} == {"Waiting to start"}


def test_a_card_tells_what_a_worker_does_above_what_it_did() -> None:
    card = shown()["worker:1"]
    assert (card["tag"], card["text"], card["detail"]) == (
        "eBay",
        "Garlic press",
        "$22.48-27.48 · page 2",
    )
    assert (card["last"], card["ok"], card["idle"]) == ("14 sellers, 3 new", True, False)
    assert (card["requests"], card["failures"], card["median"]) == (80, "2 timeouts", "5.1 s")
    assert shown()["worker:2"]["idle"]


def test_a_forecast_does_not_flicker() -> None:
    """It moves with every answer; only steps of five seconds reach the browser."""
    forecasts = {
        view(replace(RUNNING, eta_s=540 + jitter), AROUND, now=NOW)["head"]["forecast"]
        for jitter in range(5)
    }
    assert len(forecasts) <= 2


@pytest.mark.parametrize("status", list(RunStatus))
@pytest.mark.parametrize("interrupted", [False, True])
def test_every_view_is_json_and_has_a_lasting_note(status: RunStatus, interrupted: bool) -> None:
    sections = shown(replace(RUNNING, status=status, interrupted=interrupted))
    assert json.loads(json.dumps(sections)) == sections
    assert any(n["until"] is None for n in sections["notes"])


@pytest.mark.parametrize(("plan", "words"), [(None, ""), (50, "50 jobs/s"), (1200, "1,200 jobs/s")])
def test_the_foot_tells_the_plan_once_an_answer_named_it(plan: int | None, words: str) -> None:
    sections = shown(replace(RUNNING, plan_per_second=plan))
    assert sections["foot"]["plan"] == words
    text = Tags(picture(sections, [], moment=NOW, tz=UTC)).text
    assert (f"plan {words}" in text) is (plan is not None)


def test_more_than_five_workers_are_lines_under_a_heading_that_counts_them() -> None:
    six = [WorkerState(n, Phase.SELLER_SEARCH, "Garlic press", since=NOW) for n in range(1, 7)]
    few = picture(shown(replace(RUNNING, workers=tuple(six[:5]))), [], moment=NOW, tz=UTC)
    assert 'class="clp-workers"' in few
    workers = (*six, WorkerState(7))
    many = picture(shown(replace(RUNNING, workers=workers)), [], moment=NOW, tz=UTC)
    assert 'class="clp-workers clp-crowd"' in many
    assert "Workers 6 of 7 at work" in Tags(many).text


class Tags(HTMLParser):
    """The elements, attributes and text of a page, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(1)</script></style>{0}"


def test_a_static_picture_escapes_every_text() -> None:
    worker = WorkerState(1, Phase.SELLER_SEARCH, HOSTILE, HOSTILE, NOW, 1, HOSTILE, last_ok=False)
    for status in RunStatus:
        progress = replace(
            RUNNING,
            name=HOSTILE,
            status=status,
            message=HOSTILE,
            hold_message=HOSTILE,
            hold_until=NOW + timedelta(seconds=5),
            workers=(worker,),
            errors=(ErrorCount(HOSTILE, HOSTILE, 1, HOSTILE),),
        )
        entries = [
            ActivityEntry(
                id=n,
                action=action,
                product_name=HOSTILE,
                category=HOSTILE,
                error_message=HOSTILE,
                error_type=HOSTILE,
                seller_found=HOSTILE,
            )
            for n, action in enumerate(Action, 1)
        ]
        around = Surroundings(short_id=HOSTILE, problem=HOSTILE, failing=(9, 9))
        sections = view(progress, around, now=NOW)
        page = Tags(picture(sections, [row(e) for e in entries], moment=NOW, tz=UTC))
        assert page.tags == {"section", "style", "div", "span", "b", "i", "bdi", "em"}
        assert page.attributes == {"class", "aria-label", "role", "style"}
        assert "<img src=x onerror=alert(1)>" in page.text


def test_a_static_picture_needs_nothing_from_elsewhere() -> None:
    page = picture(shown(), [], moment=NOW, tz=UTC)
    for outside in ("http", "url(", "@import", "<script", "<link", "src="):
        assert outside not in page


def test_a_picture_of_a_run_that_goes_on_tells_its_moment() -> None:
    going_on = Tags(picture(shown(), [], moment=NOW, tz=UTC)).text
    assert "As of 23 Nov 2026, 14:08:12" in going_on
    assert "started 23 Nov 2026, 14:02 · 6 min 12 s" in going_on
    ended = replace(RUNNING, status=RunStatus.COMPLETED, finished_at=NOW)
    text = Tags(picture(shown(ended), [], moment=NOW + timedelta(days=365), tz=UTC)).text
    assert "As of" not in text
    assert "6 min 12 s" in text


@pytest.mark.parametrize(
    ("changed", "aside"),
    [
        ({}, ""),
        ({"products_covered": 1240}, "1,240 not due"),
        ({"products_skipped": 3}, "3 left out"),
        ({"products_covered": 2, "products_skipped": 3}, "2 not due, 3 left out"),
    ],
)
def test_the_bar_says_beside_it_what_is_not_searched(changed: dict[str, int], aside: str) -> None:
    _, products = view(replace(RUNNING, **changed), AROUND, now=NOW)["bars"]
    assert products["aside"] == aside
    assert products["words"] == "362 of 880"
