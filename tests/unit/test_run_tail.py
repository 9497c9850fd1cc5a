"""The newest entries of a run in memory: bounded, and never with a hole that nobody tells."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from collector.events import LoggedEntry
from collector.run_tail import WINDOW_BYTES, RunTail, Viewer

RUN = UUID(int=1)


def entries(first: int, last: int, *, size: int = 100) -> list[LoggedEntry]:
    return [LoggedEntry(i, False, b"x" * size) for i in range(first, last + 1)]


def test_before_the_log_was_looked_at_it_has_to_be_asked() -> None:
    assert RunTail(RUN).since(0) is None


def test_what_came_since_an_id_is_given_from_memory() -> None:
    tail = RunTail(RUN)
    tail.start(10)
    assert tail.since(10) == []
    assert tail.since(9) is None
    tail.add(entries(11, 15))
    assert [e.id for e in tail.since(12) or ()] == [13, 14, 15]
    assert [e.id for e in tail.since(10) or ()] == [11, 12, 13, 14, 15]
    assert tail.since(15) == []


def test_whoever_is_ahead_of_it_gets_nothing_twice() -> None:
    """A viewer who read pages of the log may know more than this window yet."""
    tail = RunTail(RUN)
    tail.start(0)
    assert tail.since(3) == []
    tail.add(entries(1, 5))
    assert [e.id for e in tail.since(3) or ()] == [4, 5]


def test_an_entry_larger_than_the_window_is_left_to_the_log() -> None:
    tail = RunTail(RUN)
    tail.start(0)
    tail.add(entries(1, 1, size=WINDOW_BYTES + 1))
    assert tail.since(0) is None
    assert tail.since(1) == []


@given(
    sizes=st.lists(st.integers(1, WINDOW_BYTES // 2), max_size=40),
    step=st.integers(1, 7),
    after=st.integers(0, 45),
)
def test_memory_is_bounded_and_what_is_given_is_whole(
    sizes: list[int], step: int, after: int
) -> None:
    tail = RunTail(RUN)
    tail.start(0)
    made = [LoggedEntry(i, False, b"x" * size) for i, size in enumerate(sizes, start=1)]
    for start in range(0, len(made), step):
        tail.add(made[start : start + step])
    kept = next(found for i in range(len(made) + 1) if (found := tail.since(i)) is not None)
    assert sum(len(entry.frame) for entry in kept) <= WINDOW_BYTES
    given_now = tail.since(after)
    assert given_now is None or given_now == made[after:]


def test_everybody_who_watches_is_woken_and_a_closed_viewer_too() -> None:
    tail = RunTail(RUN)
    tail.viewers |= {Viewer(tail), Viewer(tail)}
    tail.wake()
    assert all(viewer.wake.is_set() for viewer in tail.viewers)
    viewer = Viewer(tail)
    viewer.close()
    assert viewer.closed
    assert viewer.wake.is_set()
