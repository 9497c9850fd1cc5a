"""Streams of entries: numbering, bounded buffers, exact gaps, wake-ups across threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.activity import (
    BUFFERED_ENTRIES,
    ENDED_STREAMS_KEPT,
    ActivityStream,
    ActivityStreamManager,
    Subscription,
    get_activity_stream,
)
from collector.models import ActivityEntry
from collector.words import Action, RunStatus


def found(number: int = 0) -> ActivityEntry:
    return ActivityEntry(action=Action.FOUND, worker_id=1, items_count=number)


def publish(stream: ActivityStream, count: int) -> list[ActivityEntry]:
    return [stream.publish(found(n)) for n in range(count)]


def missed(entries: list[ActivityEntry]) -> int:
    return sum(e.items_count or 0 for e in entries if e.action is Action.GAP)


def ids(entries: list[ActivityEntry]) -> list[int]:
    return [e.id for e in entries if e.action is not Action.GAP]


@pytest.fixture
def stream() -> ActivityStream:
    return ActivityStream(uuid4())


@pytest.fixture
def loop_elsewhere() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs on another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_entries_are_numbered_from_one(stream: ActivityStream) -> None:
    assert [e.id for e in publish(stream, 3)] == [1, 2, 3]
    assert stream.last_id == 3


def test_a_hundred_entries_are_buffered_and_the_oldest_dropped(stream: ActivityStream) -> None:
    assert BUFFERED_ENTRIES == 100
    publish(stream, 130)
    assert [e.id for e in stream.recent()] == list(range(31, 131))


def test_an_entry_read_back_keeps_its_number_and_comes_once(stream: ActivityStream) -> None:
    viewer = stream.subscribe()
    for number in (7, 8, 7, 8, 9):
        stream.publish(found().model_copy(update={"id": number}))
    assert ids(viewer.take()) == [7, 8, 9]
    assert stream.publish(found()).id == 10


def test_each_subscriber_gets_every_entry(stream: ActivityStream) -> None:
    """Taking an entry takes it from nobody else."""
    viewers = [stream.subscribe() for _ in range(5)]
    publish(stream, 100)
    for viewer in viewers:
        assert ids(viewer.take()) == list(range(1, 101))
        assert viewer.take() == []


def test_a_slow_subscriber_is_told_exactly_what_it_missed(stream: ActivityStream) -> None:
    slow, quick = stream.subscribe(), stream.subscribe()
    seen: list[ActivityEntry] = []
    for _ in range(50):
        publish(stream, 7)
        seen += quick.take()
    assert ids(seen) == list(range(1, 351))
    gap, *rest = slow.take(1000)
    assert (gap.action, gap.items_count, gap.id) == (Action.GAP, 250, 250)
    assert ids(rest) == list(range(251, 351))
    assert slow.take() == []


def test_a_slow_subscriber_costs_the_publisher_nothing_to_speak_of(stream: ActivityStream) -> None:
    viewers = [stream.subscribe() for _ in range(20)]
    publish(stream, 5000)
    assert all(len(viewer._queue) == BUFFERED_ENTRIES for viewer in viewers)


def test_a_lost_gap_counts_for_all_it_stood_for(stream: ActivityStream) -> None:
    """A gap that was read back from the log may itself be lost by a slow viewer."""
    viewer = stream.subscribe()
    stream.publish(ActivityEntry(id=40, action=Action.GAP, items_count=40))
    publish(stream, 100)
    entries = viewer.take(1000)
    assert missed(entries) == 40
    assert ids(entries) == list(range(41, 141))


def test_a_limit_takes_the_oldest_first(stream: ActivityStream) -> None:
    viewer = stream.subscribe()
    publish(stream, 110)
    assert viewer.take(0) == []
    first = viewer.take(3)
    assert (missed(first), ids(first)) == (10, [11, 12])
    assert ids(viewer.take(1)) == [13]


def test_a_late_subscriber_gets_what_is_buffered(stream: ActivityStream) -> None:
    publish(stream, 120)
    entries = stream.subscribe().take(1000)
    assert ids(entries) == list(range(21, 121))
    assert missed(entries) == 0


@pytest.mark.parametrize(
    ("after", "missing", "first"),
    [(0, 20, 21), (10, 10, 21), (20, 0, 21), (60, 0, 61), (119, 0, 120)],
)
def test_a_subscriber_goes_on_after_the_id_it_saw_last(
    stream: ActivityStream, after: int, missing: int, first: int
) -> None:
    publish(stream, 120)
    entries = stream.subscribe(after=after).take(1000)
    assert missed(entries) == missing
    assert ids(entries) == list(range(first, 121))


def test_a_subscriber_who_saw_everything_gets_only_what_comes(stream: ActivityStream) -> None:
    publish(stream, 5)
    viewer = stream.subscribe(after=5)
    assert viewer.take() == []
    publish(stream, 2)
    assert ids(viewer.take()) == [6, 7]


async def test_iterating_ends_with_the_stream(stream: ActivityStream) -> None:
    viewer = stream.subscribe()
    publish(stream, 3)
    stream.end(RunStatus.COMPLETED)
    assert not viewer.closed
    assert viewer.final_status is None
    assert ids([entry async for entry in viewer]) == [1, 2, 3]
    assert viewer.closed
    assert viewer.final_status is RunStatus.COMPLETED


async def test_iterating_waits_for_what_comes(stream: ActivityStream) -> None:
    viewer = stream.subscribe()
    waiting = asyncio.create_task(anext(viewer))
    await asyncio.sleep(0)
    assert not waiting.done()
    publish(stream, 1)
    assert (await waiting).id == 1


@pytest.mark.parametrize("how", ["end", "close"])
async def test_a_waiting_iteration_ends_when_stream_or_subscription_does(
    stream: ActivityStream, how: str
) -> None:
    viewer = stream.subscribe()
    waiting = asyncio.create_task(anext(viewer, None))
    await asyncio.sleep(0)
    if how == "end":
        stream.end(RunStatus.CANCELLED)
    else:
        viewer.close()
    assert await asyncio.wait_for(waiting, 5) is None
    assert viewer.closed


def test_a_closed_subscription_receives_no_more(stream: ActivityStream) -> None:
    viewer = stream.subscribe()
    publish(stream, 150)
    viewer.close()
    publish(stream, 1)
    assert viewer.take() == []
    assert viewer.closed


def test_a_reopened_stream_goes_on_counting(stream: ActivityStream) -> None:
    viewer = stream.subscribe()
    publish(stream, 3)
    stream.end(RunStatus.FAILED)
    stream.start(after=2)
    assert stream.final_status is None
    assert stream.publish(found()).id == 4
    stream.start(after=90)
    assert stream.publish(found()).id == 91
    assert ids(viewer.take()) == [1, 2, 3, 4, 91]
    assert not viewer.closed


async def test_a_subscriber_on_another_threads_loop_is_woken(
    stream: ActivityStream, loop_elsewhere: asyncio.AbstractEventLoop
) -> None:
    viewer = stream.subscribe()

    async def read_all() -> list[ActivityEntry]:
        return [entry async for entry in viewer]

    reading = asyncio.run_coroutine_threadsafe(read_all(), loop_elsewhere)
    for _ in range(20):
        publish(stream, 5)
        await asyncio.sleep(0.001)
    stream.end(RunStatus.COMPLETED)
    assert ids(await asyncio.wait_for(asyncio.wrap_future(reading), 5)) == list(range(1, 101))


def test_a_subscriber_whose_loop_is_gone_does_not_hinder_the_publisher(
    stream: ActivityStream,
) -> None:
    viewer = stream.subscribe()
    loop = asyncio.new_event_loop()

    async def wait_a_moment() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(viewer), 0.01)

    loop.run_until_complete(wait_a_moment())
    loop.close()
    publish(stream, 2)
    assert ids(viewer.take()) == [1, 2]


def test_entries_of_publishers_on_many_threads_are_numbered_without_holes(
    stream: ActivityStream,
) -> None:
    viewer = stream.subscribe()
    seen: list[ActivityEntry] = []
    threads = [threading.Thread(target=publish, args=(stream, 400)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen += viewer.take()
        time.sleep(0)
    seen += viewer.take(1000)
    assert stream.last_id == 1600
    assert len(ids(seen)) + missed(seen) == 1600
    assert ids(seen) == sorted(set(ids(seen)))


def test_the_manager_is_one_a_process() -> None:
    assert ActivityStreamManager() is ActivityStreamManager() is get_activity_stream()
    run_id = uuid4()
    assert get_activity_stream().stream(run_id) is get_activity_stream().stream(run_id)


def test_the_manager_keeps_runs_apart() -> None:
    manager, one, other = get_activity_stream(), uuid4(), uuid4()
    viewer = manager.stream(one).subscribe()
    assert manager.publish(one, found()).id == 1
    assert manager.publish(other, found()).id == 1
    manager.end(other, RunStatus.COMPLETED)
    assert ids(viewer.take()) == [1]
    assert not viewer.closed
    manager.end(one, RunStatus.COMPLETED)
    assert viewer.closed


def test_the_oldest_ended_streams_are_forgotten_and_no_other() -> None:
    manager = get_activity_stream()
    alive = uuid4()
    manager.stream(alive)
    ended = [uuid4() for _ in range(ENDED_STREAMS_KEPT + 10)]
    for run_id in ended:
        manager.end(run_id, RunStatus.COMPLETED)
    manager.stream(uuid4())
    kept = [run_id for run_id in ended if run_id in manager._streams]
    assert kept == ended[-ENDED_STREAMS_KEPT:]
    assert alive in manager._streams


def test_a_dropped_subscriber_is_collected_with_its_queue(stream: ActivityStream) -> None:
    viewer = weakref.ref(stream.subscribe())
    gc.collect()
    assert viewer() is None
    assert len(stream._subscriptions) == 0
    publish(stream, 1)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 140)),
        st.tuples(st.just("take"), st.integers(0, 3), st.integers(0, 150)),
        st.tuples(st.just("subscribe"), st.one_of(st.none(), st.integers(0, 300))),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(operations=OPERATIONS)
def test_what_each_subscriber_took_and_missed_is_what_was_published(
    operations: list[tuple[str, ...]],
) -> None:
    """Every entry of the run in order, or an explicit gap with the number it missed."""
    stream = ActivityStream(uuid4())
    viewers: list[tuple[Subscription, int, list[ActivityEntry]]] = []

    def subscribe(after: int | None) -> None:
        after = None if after is None else min(after, stream.last_id)
        recent = stream.recent()
        start = after if after is not None else (recent[0].id - 1 if recent else 0)
        viewers.append((stream.subscribe(after=after), start, []))

    subscribe(None)
    for operation, *arguments in operations:
        if operation == "publish":
            publish(stream, int(arguments[0]))
        elif operation == "subscribe":
            subscribe(arguments[0])  # type: ignore[arg-type]
        else:
            viewer, _, seen = viewers[int(arguments[0]) % len(viewers)]
            taken = viewer.take(int(arguments[1]))
            assert len(taken) <= int(arguments[1])
            seen += taken
    stream.end(RunStatus.COMPLETED)
    for viewer, start, seen in viewers:
        while not viewer.closed:
            seen += viewer.take(7)
        at = start
        for entry in seen:
            step = (entry.items_count or 0) if entry.action is Action.GAP else 1
            assert entry.id == at + step
            at = entry.id
        assert at == stream.last_id
