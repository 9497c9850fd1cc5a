"""The live panel without a browser: what it sends, when, and what it does with what it is sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from recording_comm import click, recording_comms, sent, states
from told_run import ToldRun

from collector.errors import OwnershipLost
from collector.models import ActivityEntry, utc_now
from collector.words import Action, RunStatus


@pytest.fixture(autouse=True)
def recording() -> Iterator[None]:
    """Widgets made here have a recording comm."""
    with recording_comms():
        yield


def test_without_a_loop_a_panel_is_drawn_once() -> None:
    feed = ToldRun()
    feed.publish(3)
    panel = feed.panel()
    assert panel.widget.view["head"]["name"] == "Kitchen"
    assert len(panel.widget.entries) == 3
    assert repr(panel) == "LivePanel(run='0000', status='running')"
    bundle = panel._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "Kitchen" in bundle["text/html"]


async def test_entries_reach_the_browser_in_batches_in_order_and_once() -> None:
    feed = ToldRun()
    panel = feed.panel()
    began = asyncio.get_running_loop().time()
    for _ in range(40):
        feed.publish(5)
        await asyncio.sleep(0.025)
    await asyncio.sleep(0.25)
    passed = asyncio.get_running_loop().time() - began
    batches = sent(panel.widget, "batch")
    assert len(batches) <= passed / 0.1 + 2
    ids = [line[0] for batch in batches for line in batch["entries"]]
    assert ids == list(range(1, 201))
    assert len(states(panel.widget)) <= passed + 2
    panel.close()


async def test_only_sections_that_changed_are_sent() -> None:
    feed = ToldRun()
    panel = feed.panel()
    await asyncio.sleep(0.3)
    before = len(sent(panel.widget, "batch"))
    feed.move(requests=7)
    await asyncio.sleep(0.3)
    changed = {key for batch in sent(panel.widget, "batch")[before:] for key in batch["view"]}
    assert "figures" in changed
    assert "head" not in changed
    assert "worker:1" not in changed
    panel.close()


async def test_a_panel_is_idle_when_nothing_changes() -> None:
    feed = ToldRun()
    feed.move(status=RunStatus.PAUSED)
    panel = feed.panel()
    await asyncio.sleep(1.2)
    before = len(panel.widget.comm.sent)
    await asyncio.sleep(1.5)
    assert len(panel.widget.comm.sent) == before
    panel.close()


async def test_a_viewer_that_comes_later_is_told_all_within_a_second() -> None:
    feed = ToldRun()
    panel = feed.panel()
    feed.publish(20)
    feed.move(requests=20)
    await asyncio.sleep(1.4)
    assert [line[0] for line in panel.widget.entries] == list(range(1, 21))
    figures = {f["key"]: f["value"] for f in panel.widget.view["figures"]}
    assert figures["requests"] == "20"
    panel.close()


async def test_a_panel_stops_following_by_itself_after_the_end() -> None:
    feed = ToldRun()
    panel = feed.panel()
    feed.publish(3)
    feed.end()
    assert panel._task is not None
    await asyncio.wait_for(panel._task, 8)
    assert panel.widget.view["head"]["status"] == "completed"
    assert len(panel.widget.entries) == 3
    assert panel._task.exception() is None


async def test_a_click_wakes_a_panel_that_had_stopped() -> None:
    feed = ToldRun()
    feed.end()
    panel = feed.panel()
    assert panel._task is not None
    await asyncio.wait_for(panel._task, 8)
    click(panel.widget, type="do", verb="retry")
    feed.stream.start()
    feed.move(status=RunStatus.RUNNING)
    feed.publish(1)
    await asyncio.sleep(1.2)
    assert panel.widget.view["head"]["status"] == "running"
    panel.close()


async def test_a_click_on_another_thread_is_done_and_acknowledged_there() -> None:
    """Jupyter delivers clicks on whatever thread it likes; none may wait for the loop."""
    feed = ToldRun()
    panel = feed.panel()
    thread = threading.Thread(
        target=click, args=(panel.widget,), kwargs={"type": "do", "verb": "pause"}
    )
    thread.start()
    # The loop is blocked here, as by a cell.
    thread.join(5)
    assert feed.calls == [("pause", thread.ident)]
    assert [(ack["verb"], ack["ok"]) for ack in sent(panel.widget, "ack")] == [("pause", True)]
    panel.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OwnershipLost("Another process has taken this run over."), "Another process has taken"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
async def test_what_a_click_raises_is_told_in_the_panel(error: Exception, words: str) -> None:
    feed = ToldRun()
    panel = feed.panel()
    feed.error = error
    click(panel.widget, type="do", verb="pause")
    [ack] = sent(panel.widget, "ack")
    assert not ack["ok"]
    assert words in ack["view"]["notes"][0]["text"]
    await asyncio.sleep(0.3)
    assert words in str(panel._sent["notes"][0]["text"])
    feed.error = None
    click(panel.widget, type="do", verb="pause")
    await asyncio.sleep(0.3)
    assert panel._sent["notes"][0]["head"] == ""
    panel.close()


async def test_a_panel_that_cannot_follow_says_so_and_goes_on_trying() -> None:
    feed = ToldRun()
    panel = feed.panel()
    good = feed.now
    feed.now = None  # type: ignore[assignment]
    await asyncio.sleep(0.4)
    assert "The panel cannot follow the run" in panel._sent["notes"][0]["text"]
    feed.now = replace(good, requests=3)
    await asyncio.sleep(1.6)
    assert panel._sent["notes"][0]["text"].startswith("All is well")
    panel.close()


async def test_a_workers_log_is_given_on_request() -> None:
    feed = ToldRun()
    panel = feed.panel()
    for number in range(90):
        worker = 2 if number % 3 else 1
        feed.stream.publish(ActivityEntry(worker_id=worker, action=Action.DEDUPED))
    await asyncio.sleep(0.3)
    click(panel.widget, type="log", filter="steps", worker=2)
    [log] = sent(panel.widget, "log")
    assert len(log["entries"]) == 60
    click(panel.widget, type="log", filter="errors", worker=None)
    assert sent(panel.widget, "log")[1]["entries"] == []
    panel.close()


async def test_messages_that_make_no_sense_do_nothing() -> None:
    feed = ToldRun()
    panel = feed.panel()
    for content in (
        {},
        {"type": "do"},
        {"type": "do", "verb": "__init__"},
        {"type": "do", "verb": ["pause"]},
        {"type": "log", "filter": 3, "worker": "x"},
        {"type": "<img>"},
    ):
        click(panel.widget, **content)
    assert feed.calls == []
    assert sent(panel.widget, "ack") == []
    assert sent(panel.widget, "log") == []
    panel.close()


async def test_a_page_that_says_hello_is_told_the_kernels_time() -> None:
    feed = ToldRun()
    panel = feed.panel()
    before = utc_now().timestamp() * 1000
    click(panel.widget, type="hello")
    [answer] = sent(panel.widget, "hello")
    assert before <= answer["now"] <= utc_now().timestamp() * 1000
    panel.close()


async def test_a_blocked_loop_shows_in_how_free_the_kernel_is() -> None:
    feed = ToldRun()
    panel = feed.panel()
    await asyncio.sleep(0.3)
    threading.Event().wait(1.5)  # what a cell does that does not await
    await asyncio.sleep(0.3)
    assert panel._sent["notes"][0]["head"] == "Held up."
    panel.close()


async def test_a_closed_panel_lets_go_of_everything() -> None:
    feed = ToldRun()
    panel = feed.panel()
    await asyncio.sleep(0.2)
    panel.close()
    assert panel._task is not None
    await asyncio.wait_for(panel._task, 2)
    assert panel._subscription.closed
    assert panel.widget.comm is None
    feed.publish(5)
    panel.follow()
    assert panel._task.done()
