"""The runner over items in memory, on a clock that skips every wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shelf import Place, Shelf
from skipping_time import run_skipping

from collector.errors import (
    BadRequest,
    BudgetExhausted,
    PageNotUnderstood,
    Refused,
    Throttled,
    Unavailable,
)
from collector.policy import MAX_ATTEMPTS, MAX_ATTEMPTS_BILLED, MAX_ATTEMPTS_THROTTLED, Step
from collector.runner import (
    MAX_CONSECUTIVE_FAILURES,
    MAX_WORKERS,
    HeldBack,
    ParallelCollectionRunner,
    RunEnd,
)
from collector.words import PauseReason

Steps = Callable[[ParallelCollectionRunner[str]], Coroutine[Any, Any, None]]


def names(count: int, *, prefix: str = "item") -> list[str]:
    return [f"{prefix} {number:03}" for number in range(count)]


def work_through(shelf: Shelf, steps: Steps | None = None, **options: Any) -> RunEnd:
    """Run a runner over a shelf, with an operator beside it, until it ends."""

    async def both() -> RunEnd:
        runner = ParallelCollectionRunner(shelf, **options)
        running = asyncio.create_task(runner.run())
        if steps is not None:
            await steps(runner)
        end = await running
        # One poison pill a worker: none is left behind, nor is the feeder.
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return end

    return run_skipping(both())


async def until(condition: Callable[[], bool]) -> None:
    """Wait on the skipping clock for something that must come to be within a minute."""
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("It never came to be.")


def test_five_workers_and_five_failures_are_the_defaults() -> None:
    assert (MAX_WORKERS, MAX_CONSECUTIVE_FAILURES) == (5, 5)
    assert ParallelCollectionRunner(Shelf([])).workers == 5


def test_an_empty_shelf_ends_at_once() -> None:
    assert work_through(Shelf([])) is RunEnd.DRAINED


def test_every_item_is_done_once_by_five_workers_at_once() -> None:
    shelf = Shelf(names(100))
    assert work_through(shelf) is RunEnd.DRAINED
    assert sorted(a.item for a in shelf.attempts) == sorted(shelf.finished) == names(100)
    assert shelf.most_at_once == MAX_WORKERS
    assert {a.worker_id for a in shelf.attempts} == {1, 2, 3, 4, 5}


def test_the_number_of_workers_can_be_chosen() -> None:
    shelf = Shelf(names(30))
    work_through(shelf, workers=2)
    assert shelf.most_at_once == 2


def test_any_idle_worker_takes_the_next_item() -> None:
    """List scheduling: never later than the even share plus one longest item."""
    takes_s = {item: 0.1 + (number * 7 % 13) for number, item in enumerate(names(60))}
    shelf = Shelf(names(60), takes_s=takes_s)

    async def both() -> float:
        await ParallelCollectionRunner(shelf).run()
        return asyncio.get_running_loop().time()

    share_s = sum(takes_s.values()) / MAX_WORKERS
    assert share_s <= run_skipping(both()) <= share_s + max(takes_s.values()) + 1
    assert [a.item for a in shelf.attempts] == names(60)


def test_a_worker_that_is_held_up_stops_no_other() -> None:
    shelf = Shelf(names(51), takes_s={"item 000": 1000})
    work_through(shelf)
    assert shelf.finished[-1] == "item 000"
    assert len({a.worker_id for a in shelf.attempts if a.item != "item 000"}) == 4


def test_no_more_is_claimed_ahead_than_the_queue_holds() -> None:
    shelf = Shelf(names(300))
    work_through(shelf)
    assert shelf.most_ahead <= 2 * MAX_WORKERS
    # All workers are held up: what is claimed meanwhile is one queue and no more.
    shelf = Shelf(names(300), takes_s=dict.fromkeys(names(5), 1000))
    work_through(shelf)
    assert shelf.most_ahead == 2 * MAX_WORKERS


def test_items_that_are_added_by_the_last_one_in_flight_are_done() -> None:
    follow = {"list": names(12), "item 011": ["page 2"], "page 2": ["page 3"]}
    shelf = Shelf(["list"], follow=follow, takes_s={"list": 5, "page 2": 5})
    assert work_through(shelf) is RunEnd.DRAINED
    assert shelf.of(Place.DONE) == ["list", *names(12), "page 2", "page 3"]


def test_items_that_another_owner_adds_are_waited_for() -> None:
    """Nothing to claim, but somebody else has an item under way, which may add further ones."""
    shelf = Shelf(["elsewhere"])
    shelf.places["elsewhere"] = Place.CLAIMED

    async def finish_elsewhere(runner: ParallelCollectionRunner[str]) -> None:
        await asyncio.sleep(20)
        shelf.places.update({"elsewhere": Place.DONE, "added": Place.PENDING})

    assert work_through(shelf, finish_elsewhere) is RunEnd.DRAINED
    assert shelf.finished == ["added"]


def test_an_item_is_tried_again_after_growing_waits() -> None:
    shelf = Shelf(["flaky"], scripts={"flaky": [Unavailable("500"), Unavailable("500"), None]})
    assert work_through(shelf, jitter=lambda: 0.5) is RunEnd.DRAINED
    first, second, third = shelf.attempts
    assert [a.attempt for a in shelf.attempts] == [1, 2, 3]
    assert second.at_s - first.at_s == pytest.approx(1.01)
    assert third.at_s - second.at_s == pytest.approx(2.01)
    assert shelf.put_back == []


def test_a_worker_takes_other_items_while_one_waits_to_be_tried_again() -> None:
    shelf = Shelf(names(20), scripts={"item 000": [Unavailable("500")] * 3})
    ended: list[float] = []

    async def look(runner: ParallelCollectionRunner[str]) -> None:
        await until(lambda: len(shelf.finished) == 19)
        ended.append(asyncio.get_running_loop().time())

    assert work_through(shelf, look, workers=1, jitter=lambda: 0.5) is RunEnd.DRAINED
    # Its waits are seven seconds in all, and the others take 10 ms each.
    assert ended[0] < 1
    assert shelf.finished[-1] == "item 000"


def test_in_an_outage_workers_do_not_go_on_to_ever_new_items() -> None:
    """Otherwise many items would be attempted before the first had failed for good."""
    shelf = Shelf(names(500), scripts={i: [Unavailable("500")] * 4 for i in names(500)})

    async def see(runner: ParallelCollectionRunner[str]) -> None:
        await until(lambda: bool(shelf.pauses))
        await runner.wait_until_idle()
        assert len({a.item for a in shelf.attempts}) <= 3 * MAX_WORKERS
        shelf.scripts.clear()
        runner.resume()

    assert work_through(shelf, see) is RunEnd.DRAINED
    assert shelf.of(Place.DONE) == names(500)


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (Unavailable("500"), MAX_ATTEMPTS),
        (PageNotUnderstood("what?"), MAX_ATTEMPTS_BILLED),
        (BadRequest("422"), 1),
        (Throttled("429", retry_after_s=1), MAX_ATTEMPTS_THROTTLED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_item_that_keeps_failing_is_kept_as_failed(error: Exception, attempts: int) -> None:
    shelf = Shelf(["bad", *names(3)], scripts={"bad": [error] * 50})
    assert work_through(shelf) is RunEnd.DRAINED
    assert len(shelf.begun("bad")) == attempts
    assert shelf.of(Place.FAILED) == ["bad"]
    assert shelf.of(Place.DONE) == names(3)
    assert shelf.decisions[-1][1].step is Step.FAIL


def test_a_success_resets_the_count_of_failures() -> None:
    order = [*names(4, prefix="bad"), "good", *names(4, prefix="worse")]
    shelf = Shelf(order, scripts={i: [BadRequest("422")] for i in order if i != "good"})
    assert work_through(shelf, workers=1) is RunEnd.DRAINED
    assert len(shelf.of(Place.FAILED)) == 8
    assert shelf.pauses == []


def test_five_failures_in_a_row_pause_and_put_the_five_back() -> None:
    shelf = Shelf(names(20), scripts={i: [BadRequest("it is down")] for i in names(5)})

    async def see(runner: ParallelCollectionRunner[str]) -> None:
        await until(lambda: bool(shelf.pauses))
        assert runner.paused
        assert runner.consecutive_failures == 0
        await runner.wait_until_idle()
        assert shelf.pauses == [(PauseReason.FAILURES, "it is down")]
        assert shelf.of(Place.FAILED) == []
        assert set(names(5)) <= set(shelf.put_back)
        assert set(names(5)) <= set(shelf.of(Place.PENDING))
        begun = len(shelf.attempts)
        await asyncio.sleep(100)
        assert len(shelf.attempts) == begun
        runner.resume()

    assert work_through(shelf, see, workers=1) is RunEnd.DRAINED
    assert shelf.of(Place.DONE) == names(20)


@pytest.mark.parametrize("lateness", [0, 1])
def test_what_fails_while_failures_have_paused_the_run_is_put_back_too(lateness: int) -> None:
    """Nine workers run into one outage at once: four of them are late for the count."""
    late_s = {item: 0.01 + 0.02 * lateness for item in names(9)[5:]}
    shelf = Shelf(names(9), scripts={i: [BadRequest("down")] for i in names(9)}, takes_s=late_s)

    async def see(runner: ParallelCollectionRunner[str]) -> None:
        await until(lambda: bool(shelf.pauses))
        await runner.wait_until_idle()
        await until(lambda: shelf.of(Place.PENDING) == names(9))
        runner.resume()

    assert work_through(shelf, see, workers=9) is RunEnd.DRAINED
    assert len(shelf.pauses) == 1
    assert shelf.of(Place.DONE) == names(9)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Refused("401: wrong password"), PauseReason.CREDENTIALS),
        (BudgetExhausted("The budget is spent"), PauseReason.BUDGET),
    ],
)
def test_refused_credentials_and_a_spent_budget_pause_at_once(
    error: Exception, reason: PauseReason
) -> None:
    shelf = Shelf(names(30), scripts={i: [error] for i in names(5)})

    async def see(runner: ParallelCollectionRunner[str]) -> None:
        await until(lambda: bool(shelf.pauses))
        await asyncio.sleep(100)
        # Five workers met it at once; it is told once, and nothing else was begun.
        assert shelf.pauses == [(reason, str(error))]
        assert len(shelf.attempts) == 5
        assert shelf.of(Place.FAILED) == []
        runner.resume()

    assert work_through(shelf, see) is RunEnd.DRAINED
    assert shelf.of(Place.DONE) == names(30)


def test_a_429_holds_every_worker_as_long_as_it_says() -> None:
    shelf = Shelf(names(40), scripts={"item 007": [Throttled("429", retry_after_s=60)]})
    work_through(shelf)
    refused = shelf.begun("item 007")[0].at_s + 0.01
    assert [a for a in shelf.attempts if refused < a.at_s < refused + 60] == []
    assert len(shelf.begun("item 007")) == 2
    assert shelf.of(Place.DONE) == names(40)


def test_throttled_attempts_do_not_count_as_failed_ones() -> None:
    script = [Throttled("429", retry_after_s=1)] * 6 + [Unavailable("500")] * 3
    shelf = Shelf(["slow"], scripts={"slow": script})
    work_through(shelf)
    assert [a.attempt for a in shelf.attempts] == list(range(1, 11))
    assert shelf.of(Place.DONE) == ["slow"]


def test_two_attempts_are_never_closer_than_the_pace() -> None:
    shelf = Shelf(names(20), pace_s=0.5)
    work_through(shelf)
    times = [a.at_s for a in shelf.attempts]
    assert min(b - a for a, b in pairwise(times)) == pytest.approx(0.5)


def test_after_a_pause_nothing_begins_until_resume() -> None:
    shelf = Shelf(names(50))

    async def pause(runner: ParallelCollectionRunner[str]) -> None:
        await until(lambda: len(shelf.finished) > 10)
        runner.pause()
        begun, in_flight = len(shelf.attempts), set(shelf.under_way)
        await runner.wait_until_idle()
        assert runner.idle
        await asyncio.sleep(1000)
        assert len(shelf.attempts) == begun
        assert in_flight <= set(shelf.finished)
        runner.resume()

    assert work_through(shelf, pause) is RunEnd.DRAINED
    assert sorted(shelf.finished) == names(50)


@pytest.mark.parametrize(
    "error", [Unavailable("500"), Throttled("429", retry_after_s=30)], ids=["backoff", "hold"]
)
def test_a_pause_reaches_workers_that_wait(error: Exception) -> None:
    shelf = Shelf(["waits"], scripts={"waits": [error]})

    async def pause(runner: ParallelCollectionRunner[str]) -> None:
        await until(lambda: bool(shelf.decisions))
        runner.pause()
        await asyncio.sleep(1000)
        assert len(shelf.attempts) == 1
        runner.resume()
        await asyncio.sleep(1)
        # No wait is left over.
        assert shelf.of(Place.DONE) == ["waits"]

    assert work_through(shelf, pause) is RunEnd.DRAINED


@pytest.mark.parametrize("way", ["cancel", "stop"])
@pytest.mark.parametrize("when", ["working", "backoff", "hold", "paused"])
def test_cancel_and_stop_put_back_whatever_has_not_begun(way: str, when: str) -> None:
    errors = {"backoff": Unavailable("500"), "hold": Throttled("429", retry_after_s=30)}
    scripts = {i: [errors[when]] * 9 for i in names(50)} if when in errors else {}
    shelf = Shelf(names(50), scripts=scripts, takes_s=dict.fromkeys(names(50), 5))
    ended_at: list[float] = []

    async def end(runner: ParallelCollectionRunner[str]) -> None:
        loop = asyncio.get_running_loop()
        await until(lambda: len(shelf.attempts) >= 7 or bool(shelf.decisions))
        if when == "paused":
            runner.pause()
            await asyncio.sleep(50)
        getattr(runner, way)()
        begun, at = len(shelf.attempts), loop.time()
        await until(lambda: not shelf.of(Place.CLAIMED))
        ended_at.append(loop.time() - at)
        assert len(shelf.attempts) == begun

    expected = RunEnd.CANCELLED if way == "cancel" else RunEnd.STOPPED
    assert work_through(shelf, end) is expected
    # What was in flight finished and is kept, which took it five seconds at most.
    assert ended_at[0] <= 5.1
    assert shelf.of(Place.DONE) == sorted(shelf.finished)
    assert len(shelf.of(Place.DONE)) + len(shelf.of(Place.PENDING)) == 50


@pytest.mark.parametrize(
    ("ways", "end"),
    [
        (("stop", "cancel"), RunEnd.CANCELLED),
        (("cancel", "stop"), RunEnd.CANCELLED),
        (("stop", "stop"), RunEnd.STOPPED),
    ],
)
def test_cancel_outweighs_stop(ways: tuple[str, ...], end: RunEnd) -> None:
    async def both(runner: ParallelCollectionRunner[str]) -> None:
        await asyncio.sleep(0.05)
        for way in ways:
            getattr(runner, way)()

    assert work_through(Shelf(names(50)), both) is end


def test_a_fault_of_ours_ends_the_run_and_surfaces_as_it_is() -> None:
    fault = RuntimeError("the disk is full")
    shelf = Shelf(names(50), scripts={"item 010": [fault]})

    async def both() -> None:
        with pytest.raises(RuntimeError, match="the disk is full") as caught:
            await ParallelCollectionRunner(shelf).run()
        assert caught.value is fault
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_skipping(both())
    assert len(shelf.attempts) < 20
    assert shelf.of(Place.FAILED) == []


def test_a_fault_in_keeping_a_failed_item_surfaces_too() -> None:
    class Broken(Shelf):
        async def fail(self, item: str, **_: Any) -> None:
            raise OSError("no database")

    shelf = Broken(names(3), scripts={"item 000": [BadRequest("422")]})
    with pytest.raises(OSError, match="no database"):
        work_through(shelf)


@pytest.mark.parametrize("first", ["completed", "cancelled", "stopped", "crashed"])
def test_a_second_runner_in_the_same_loop_behaves_like_the_first(first: str) -> None:
    async def both() -> None:
        scripts = {"item 003": [RuntimeError("crash")]} if first == "crashed" else {}
        before = ParallelCollectionRunner(Shelf(names(30), scripts=scripts))
        if first == "crashed":
            with pytest.raises(RuntimeError):
                await before.run()
        else:
            running = asyncio.create_task(before.run())
            await asyncio.sleep(0.02)
            if first == "cancelled":
                before.cancel()
            elif first == "stopped":
                before.stop()
            await running
        shelf = Shelf(names(30))
        assert await ParallelCollectionRunner(shelf).run() is RunEnd.DRAINED
        assert len(shelf.finished) == 30
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_skipping(both())


def test_cancelling_the_run_itself_ends_every_worker() -> None:
    async def both() -> None:
        running = asyncio.create_task(ParallelCollectionRunner(Shelf(names(50))).run())
        await asyncio.sleep(0.03)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_skipping(both())


@pytest.mark.parametrize("way", ["pause", "cancel", "stop"])
def test_an_attempt_that_was_held_back_is_none(way: str) -> None:
    """It was being prepared when somebody paused: nothing has left, nothing is counted."""

    class Slow(Shelf):
        async def perform(self, item: str, *, worker_id: int, attempt: int) -> None:
            await asyncio.sleep(5)
            if not runners[0].may_begin:
                raise HeldBack
            await super().perform(item, worker_id=worker_id, attempt=attempt)

    runners: list[ParallelCollectionRunner[str]] = []
    shelf = Slow(names(7))

    async def command(runner: ParallelCollectionRunner[str]) -> None:
        runners.append(runner)
        await asyncio.sleep(2)
        getattr(runner, way)()
        await asyncio.sleep(20)
        assert shelf.attempts == []
        assert shelf.decisions == []
        if way == "pause":
            runner.resume()

    work_through(shelf, command)
    assert shelf.of(Place.DONE if way == "pause" else Place.PENDING) == names(7)
    assert {a.attempt for a in shelf.attempts} <= {1}


def test_what_the_last_of_a_budget_was_spent_on_leaves_though_it_is_spent() -> None:
    """Reserved, but not sent yet, when somebody else found that there is no more."""

    class Slow(Shelf):
        async def perform(self, item: str, *, worker_id: int, attempt: int) -> None:
            if item == "item 000":
                await asyncio.sleep(5)
                if not runners[0].may_begin:
                    raise HeldBack
            await super().perform(item, worker_id=worker_id, attempt=attempt)

    runners: list[ParallelCollectionRunner[str]] = []
    shelf = Slow(names(2), scripts={"item 001": [BudgetExhausted("spent")]})

    async def look(runner: ParallelCollectionRunner[str]) -> None:
        runners.append(runner)
        await until(lambda: bool(shelf.pauses))
        await runner.wait_until_idle()
        assert shelf.finished == ["item 000"]
        runner.resume()

    assert work_through(shelf, look) is RunEnd.DRAINED


ERRORS: dict[str, Callable[[], Exception | None]] = {
    "ok": lambda: None,
    "unavailable": lambda: Unavailable("500"),
    "bad request": lambda: BadRequest("422"),
    "throttled": lambda: Throttled("429", retry_after_s=2),
    "not understood": lambda: PageNotUnderstood("?"),
    "refused": lambda: Refused("401"),
    "budget": lambda: BudgetExhausted("spent"),
}
SCRIPTS = st.lists(st.lists(st.sampled_from(sorted(ERRORS)), max_size=6), min_size=1, max_size=25)
COMMANDS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.005, 0.01, 0.3, 2.0]), st.sampled_from(["pause", "resume"])),
    max_size=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    scripts=SCRIPTS,
    commands=COMMANDS,
    ending=st.sampled_from(["drain", "stop", "cancel"]),
    workers=st.integers(1, 7),
    jitter=st.floats(0, 0.999),
)
def test_every_item_is_done_failed_or_put_back_exactly_once(
    scripts: list[list[str]],
    commands: list[tuple[float, str]],
    ending: str,
    workers: int,
    jitter: float,
) -> None:
    """Whatever the attempts meet, and whatever the operator does meanwhile."""
    items = names(len(scripts))
    shelf = Shelf(
        items,
        scripts={
            item: [ERRORS[word]() for word in script]
            for item, script in zip(items, scripts, strict=True)
        },
        takes_s={item: 0.01 * (1 + number % 3) for number, item in enumerate(items)},
    )
    late: list[str] = []

    async def operate(runner: ParallelCollectionRunner[str]) -> None:
        def watch(item: str) -> None:
            if not runner.may_begin:
                late.append(item)

        shelf.on_begin = watch
        for wait_s, command in commands:
            await asyncio.sleep(wait_s)
            getattr(runner, command)()
        if ending != "drain":
            getattr(runner, ending)()
            return
        # An operator who resumes whatever pauses.
        for _ in range(2000):
            runner.resume()
            if not shelf.of(Place.PENDING) and not shelf.of(Place.CLAIMED):
                return
            await asyncio.sleep(60)

    end = work_through(shelf, operate, workers=workers, jitter=lambda: jitter)
    assert late == []
    assert shelf.of(Place.CLAIMED) == []
    assert len(shelf.finished) == len(set(shelf.finished)) == len(shelf.of(Place.DONE))
    if ending == "drain":
        assert end is RunEnd.DRAINED
        assert shelf.of(Place.PENDING) == []
    # Never six attempts that count at one item between two times it was put back.
    for item in items:
        put_back = shelf.put_back.count(item)
        counted = len([d for i, d in shelf.decisions if i == item and d.step is Step.RETRY])
        assert counted <= (MAX_ATTEMPTS - 1) * (put_back + 1)
