"""A run in a terminal: everything in its place, nothing hostile, nothing too high."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from rich.console import Console

from collector.activity import ActivityStream, Subscription
from collector.models import ActivityEntry, utc_now
from collector.panel.notes import Surroundings
from collector.panel.sentences import row
from collector.panel.view import view
from collector.progress import ErrorCount, RunProgress, WorkerState
from collector.terminal import line_of, picture, print_line, shown, status_line
from collector.words import Action, Phase, RunStatus, Source

RUN_ID = UUID("1a2b0000-0000-4000-8000-000000000000")
HOSTILE = "Garlic \x1b[2J\x1b]0;owned\x07 press [bold red]x[/] \u202egnihton"
NOW = utc_now()
RUNNING = RunProgress(
    run_id=RUN_ID,
    name=f"Kitchen {HOSTILE}",
    status=RunStatus.RUNNING,
    source=Source.SANDBOX,
    started_at=NOW - timedelta(seconds=372),
    eta_s=540,
    requests=402,
    budget=1500,
    categories=10,
    lists_total=20,
    lists_done=18,
    products_total=880,
    products_searched=358,
    products_failed=4,
    sellers_found=549,
    sellers_new=118,
    seller_count=1204,
    seller_count_before=1086,
    median_ms=5100,
    errors=(ErrorCount("timeout", "fetch", 2, HOSTILE),),
    workers=tuple(
        WorkerState(
            worker_id=number,
            phase=Phase.SELLER_SEARCH,
            text=HOSTILE,
            since=NOW - timedelta(seconds=4),
            last_outcome=HOSTILE,
        )
        for number in range(1, 6)
    ),
)


class Feed:
    """A run that stands as it is told to."""

    short_id = "1a2b"

    def __init__(self, progress: RunProgress) -> None:
        self.now = progress
        self.stream = ActivityStream(RUN_ID)

    def progress(self) -> RunProgress:
        return self.now

    def subscribe(self, after: int | None = None) -> Subscription:
        return self.stream.subscribe(after=after)


def entry(number: int, action: Action = Action.INSERTED) -> ActivityEntry:
    return ActivityEntry(
        id=number,
        worker_id=number % 5 + 1,
        phase=Phase.SELLER_SEARCH,
        action=action,
        product_name=HOSTILE,
        items_count=22,
        new_sellers_count=6,
        error_type="timeout",
        error_message=HOSTILE,
        duration_ms=5200,
    )


def drawn(progress: RunProgress, *, height: int = 30, width: int = 110, entries: int = 20) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, markup=False, highlight=False)
    around = Surroundings(short_id="1a2b")
    rows = [row(entry(number)) for number in range(1, entries + 1)]
    console.print(picture(view(progress, around, now=NOW), rows, now=NOW, height=height))
    return out.getvalue()


def assert_harmless(text: str) -> None:
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[bold red]" in text or "Garlic" not in text, "text from a page was taken for markup"


def test_the_picture_says_how_the_run_stands() -> None:
    text = drawn(RUNNING, width=160)
    for words in (
        "● Running",
        " SANDBOX ",
        "6 min 12 s",
        "1,204 ▲ 118 sellers on the list",
        "402 of 1,500 requests",
        "18 of 20",
        "358 of 880 · 4 failed",
        "6 new of 22 sellers",
        "2 errors: 2 timeouts",
        "run 1a2b",
    ):
        assert words in text


@pytest.mark.parametrize("height", [20, 24, 30, 60])
@pytest.mark.parametrize("width", [60, 110, 200])
def test_the_picture_fits_the_terminal(height: int, width: int) -> None:
    """A picture higher than the terminal cannot be repainted in place."""
    lines = drawn(RUNNING, height=height, width=width).splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width


def test_the_picture_keeps_its_height_when_nothing_happened_yet() -> None:
    pending = replace(RUNNING, status=RunStatus.PENDING, workers=(), lists_total=0)
    heights = {
        len(drawn(RUNNING, entries=20).splitlines()),
        len(drawn(RUNNING, entries=0).splitlines()),
        len(drawn(pending, entries=1).splitlines()),
    }
    assert len(heights) == 1


def test_a_hundred_workers_still_fit() -> None:
    crowd = tuple(WorkerState(worker_id=number) for number in range(1, 101))
    text = drawn(replace(RUNNING, workers=crowd), height=30)
    assert "and 92 more workers" in text
    assert len(text.splitlines()) < 30


def test_text_from_pages_cannot_steer_the_terminal() -> None:
    assert_harmless(drawn(RUNNING))
    assert_harmless(drawn(replace(RUNNING, status=RunStatus.PAUSED, message=HOSTILE)))
    for number, action in enumerate(Action, 1):
        assert_harmless(line_of(row(entry(number, action))).plain)


def test_the_hold_is_counted_down() -> None:
    held = replace(RUNNING, hold_until=NOW + timedelta(seconds=7), hold_message="429", holds=2)
    assert "no new request leaves for 7 s" in drawn(held)


@pytest.mark.parametrize("status", RunStatus)
def test_every_status_has_a_plain_line(status: RunStatus) -> None:
    around = Surroundings(short_id="1a2b")
    line = status_line(view(replace(RUNNING, status=status), around, now=NOW))
    assert line.startswith("SANDBOX ")
    assert "products searched 358 of 880 (4 failed)" in line
    assert "\n" not in line


async def test_a_log_gets_plain_lines_and_the_last_word() -> None:
    out = io.StringIO()
    feed = Feed(RUNNING)
    async with shown(feed, console=Console(file=out, width=80, markup=False)):
        feed.stream.publish(entry(0, Action.ERROR))
        feed.stream.publish(entry(0, Action.INSERTED))
        await asyncio.sleep(0.6)
        feed.now = replace(RUNNING, status=RunStatus.COMPLETED)
        feed.stream.publish(
            ActivityEntry(action=Action.COMPLETE, error_message="118 new of 549 sellers found.")
        )
    lines = out.getvalue().splitlines()
    assert_harmless(out.getvalue())
    assert sum("Timed out" in line for line in lines) == 1
    assert not any("6 new of 22" in line for line in lines), "a log would drown in these"
    assert "118 new of 549 sellers found." in lines[-2]
    assert "SANDBOX completed" in lines[-1]


async def test_a_terminal_is_left_as_it_was() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, height=30, force_terminal=True, markup=False)
    async with shown(Feed(RUNNING), console=console):
        await asyncio.sleep(0.6)
    assert "Running" in out.getvalue()
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")


async def test_a_feed_that_breaks_is_not_passed_over() -> None:
    feed = Feed(RUNNING)

    async def break_while_shown() -> None:
        async with shown(feed, console=Console(file=io.StringIO())):
            feed.now = None  # type: ignore[assignment]
            await asyncio.sleep(0.6)

    with pytest.raises(AttributeError):
        await break_while_shown()


def test_a_long_line_is_not_wrapped_in_a_log() -> None:
    out = io.StringIO()
    print_line(Console(file=out, width=40, markup=False), line_of(row(entry(1))))
    assert len(out.getvalue().splitlines()) == 1
