"""Entries as frames of an event stream: whatever a stranger wrote arrives as data."""

from __future__ import annotations

import json
from collections.abc import Iterable

import httpx
import pytest
from httpx_sse import EventSource, ServerSentEvent
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import UsageError
from collector.events import (
    KEEPALIVE,
    OPENING,
    LoggedEntry,
    end_frame,
    frame,
    frames_after,
    gap_frame,
    position,
)
from collector.words import RunStatus

HOSTILE = (
    "<script>alert(1)</script>",
    "one\ntwo\r\nthree\rfour",
    "\n\nevent: end\ndata: {}\n\n",
    "data: x\nid: 9\nretry: 1",
    ": keepalive",
    "line\u2028separator\u2029\x85\x0b\x0c",
    "\x00\x01\x1b[31m",
    "x" * 1_000_000,
)


def read(stream: bytes) -> list[ServerSentEvent]:
    """The events of a stream, by a reader that is not ours.

    By the standard a block without data is no event; this reader hands it on as an empty one.
    """
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    return [e for e in EventSource(response).iter_sse() if e.data or e.event != "message"]


def logged(ids: Iterable[int], *, gaps: Iterable[int] = ()) -> list[LoggedEntry]:
    gaps = set(gaps)
    return [LoggedEntry.of(i, "gap" if i in gaps else "found", json.dumps({"id": i})) for i in ids]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_hostile_entry_is_one_event_with_all_of_its_text(text: str, ascii_only: bool) -> None:
    entry = json.dumps({"product_name": text, "params": {text: text}}, ensure_ascii=ascii_only)
    (event,) = read(LoggedEntry.of(7, "found", entry).frame)
    assert (event.event, event.id, event.retry) == ("message", "7", None)
    assert event.json() == {"product_name": text, "params": {text: text}}


@given(st.text(st.characters(codec="utf-8")))
def test_any_entry_is_one_event_with_all_of_its_text(text: str) -> None:
    (event,) = read(frame(json.dumps({"text": text}, ensure_ascii=False), event_id=1))
    assert event.json() == {"text": text}


@given(st.text())
def test_even_a_text_that_is_no_json_stays_within_its_event(text: str) -> None:
    """Lone surrogates too: they are no Unicode and become question marks."""
    stream = frame(text, event_id=1) + end_frame(RunStatus.FAILED)
    kinds = [event.event for event in read(stream)]
    assert kinds == ([*["message"] * bool(text), "end"])


def test_an_id_leads_to_what_follows_it() -> None:
    frames, last = frames_after(logged(range(1, 6)), after=2)
    assert [event.id for event in read(b"".join(frames))] == ["3", "4", "5"]
    assert last == 5


def test_entries_that_were_pruned_are_told_as_a_gap() -> None:
    frames, _ = frames_after(logged([5, 6, 9]), after=1)
    told = [(e.event, e.id, e.json()) for e in read(b"".join(frames))]
    assert told == [
        ("gap", "4", {"missed": 3, "last_id": 4}),
        ("message", "5", {"id": 5}),
        ("message", "6", {"id": 6}),
        ("gap", "8", {"missed": 2, "last_id": 8}),
        ("message", "9", {"id": 9}),
    ]


def test_entries_that_their_owner_lost_are_told_as_one_gap_with_those_before_it() -> None:
    """The stored gap entry has the id of the last one lost."""
    frames, last = frames_after(logged([1, 8, 9], gaps=[8]), after=0)
    assert [e.id for e in read(b"".join(frames))] == ["1", "8", "9"]
    assert read(frames[1])[0].json() == {"missed": 7, "last_id": 8}
    assert last == 9


@given(
    kept=st.sets(st.integers(1, 60)),
    lost=st.sets(st.integers(1, 60)),
    after=st.integers(0, 60),
    cuts=st.lists(st.integers(0, 60)),
)
def test_delivered_and_missed_add_up_however_the_log_is_cut_into_pages(
    kept: set[int], lost: set[int], after: int, cuts: list[int]
) -> None:
    rows = logged(sorted(kept | lost), gaps=lost)
    expected = [e.id for e in rows if e.id > after]
    counted, reached = 0, after
    for low, high in zip([0, *sorted(cuts)], [*sorted(cuts), 61], strict=True):
        page = [row for row in rows if low < row.id <= high]
        frames, reached = frames_after(page, after=reached)
        for event in read(b"".join(frames)):
            counted += event.json()["missed"] if event.event == "gap" else 1
            assert int(event.id) == after + counted
    assert reached == (expected[-1] if expected else after)
    assert counted == reached - after


def test_the_opening_sets_the_pause_before_a_reader_connects_again() -> None:
    assert OPENING == b"retry: 2000\n\n"
    assert not read(OPENING)


def test_a_keepalive_is_no_event() -> None:
    assert KEEPALIVE == b": keepalive\n\n"
    assert not read(KEEPALIVE * 3)


def test_the_end_tells_how() -> None:
    (event,) = read(end_frame(RunStatus.CANCELLED))
    assert (event.event, event.json()) == ("end", {"status": "cancelled"})


def test_a_gap_carries_the_id_to_go_on_from() -> None:
    (event,) = read(gap_frame(12, last_id=40))
    assert (event.event, event.id) == ("gap", "40")


@pytest.mark.parametrize(
    ("header", "after", "expected"),
    [
        (None, None, None),
        ("", None, None),
        (None, "0", 0),
        ("", "3", 3),
        ("7", None, 7),
        ("7", "3", 7),
        ("0", "3", 0),
        (None, "9" * 18, int("9" * 18)),
    ],
)
def test_the_header_of_a_new_connection_wins(
    header: str | None, after: str | None, expected: int | None
) -> None:
    assert position(last_event_id=header, after=after) == expected


@pytest.mark.parametrize("given", ["-1", "1.0", "1 ", "x", "", "٣", "9" * 19, "1\n", "0x1"])
def test_a_place_that_is_no_whole_number_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="whole number"):
        position(last_event_id=None, after=given)
    if given:
        with pytest.raises(UsageError, match="Last-Event-ID"):
            position(last_event_id=given, after="1")
