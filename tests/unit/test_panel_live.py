"""The live panel without a browser: what it sends, when, and what it does with what it is sent.

The comm is a recording one: the comm package asks for its factory to be replaced in such a case.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import comm
import pytest
from comm.base_comm import BaseComm

from collector.activity import ActivityStream, Subscription
from collector.errors import OwnershipLost
from collector.models import ActivityEntry, utc_now
from collector.panel import LivePanel, RunControls
from collector.progress import RunProgress
from collector.words import Action, RunStatus, Source


class RecordingComm(BaseComm):
    """A comm whose other side writes down what it is sent."""

    sent: list[dict[str, Any]]

    def publish_msg(self, msg_type: str, data: Any = None, **_: Any) -> None:
        """Write it down."""
        if "sent" not in self.__dict__:
            self.sent = []
        self.sent.append({"type": msg_type, **(data or {})})


@pytest.fixture(autouse=True)
def recording() -> Iterator[None]:
    """Widgets made here have a recording comm."""
    factory = comm.create_comm
    comm.create_comm = RecordingComm
    yield
    comm.create_comm = factory


class Feed:
    """A run that does what it is told."""

    id = UUID(int=7)
    short_id = "0000"

    def __init__(self) -> None:
        self.stream = ActivityStream(self.id)
        self.now = RunProgress(
            run_id=self.id,
            name="Kitchen",
            status=RunStatus.RUNNING,
            source=Source.SANDBOX,
            started_at=utc_now(),
        )
        self.calls: list[tuple[str, int]] = []
        self.error: Exception | None = None

    def progress(self) -> RunProgress:
        """How it stands."""
        return self.now

    def subscribe(self, after: int | None = None) -> Subscription:
        """A viewer's subscription."""
        return self.stream.subscribe(after=after)

    def move(self, **changes: Any) -> None:
        """Change how it stands."""
        self.now = replace(self.now, **changes)

    def publish(self, count: int) -> None:
        """As many entries."""
        for _ in range(count):
            self.stream.publish(
                ActivityEntry(worker_id=1, action=Action.DEDUPED, product_name="Lamp")
            )

    def end(self) -> None:
        """Complete."""
        self.move(status=RunStatus.COMPLETED, finished_at=utc_now())
        self.stream.end(RunStatus.COMPLETED)

    def panel(self, **given: Any) -> LivePanel:
        """A panel of it."""

        def control(verb: str) -> Callable[[], None]:
            def click() -> None:
                self.calls.append((verb, threading.get_ident()))
                if self.error is not None:
                    raise self.error

            return click

        verbs = ("pause", "resume", "cancel", "retry")
        return LivePanel(self, RunControls(**{v: control(v) for v in verbs}), **given)


def sent(panel: LivePanel, kind: str | None = None) -> list[dict[str, Any]]:
    """The custom messages a panel sent."""
    messages = [m for m in panel.widget.comm.sent if m.get("method") == "custom"]
    return [m["content"] for m in messages if kind in (None, m["content"]["type"])]


def states(panel: LivePanel) -> list[dict[str, Any]]:
    """The trait updates a panel sent."""
    return [m["state"] for m in panel.widget.comm.sent if m.get("method") == "update"]


def click(panel: LivePanel, **content: Any) -> None:
    """A message from the browser, by the way that Jupyter delivers it."""
    data = {"method": "custom", "content": content}
    panel.widget.comm.handle_msg({"content": {"data": data}, "buffers": []})


def test_without_a_loop_a_panel_is_drawn_once() -> None:
    feed = Feed()
    feed.publish(3)
    panel = feed.panel()
    assert panel.widget.view["head"]["name"] == "Kitchen"
    assert len(panel.widget.entries) == 3
    assert repr(panel) == "LivePanel(run='0000', status='running')"
    bundle = panel._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "Kitchen" in bundle["text/html"]


async def test_entries_reach_the_browser_in_batches_in_order_and_once() -> None:
    feed = Feed()
    panel = feed.panel()
    began = asyncio.get_running_loop().time()
    for _ in range(40):
        feed.publish(5)
        await asyncio.sleep(0.025)
    await asyncio.sleep(0.25)
    passed = asyncio.get_running_loop().time() - began
    batches = sent(panel, "batch")
    assert len(batches) <= passed / 0.1 + 2
    ids = [line[0] for batch in batches for line in batch["entries"]]
    assert ids == list(range(1, 201))
    assert len(states(panel)) <= passed + 2
    panel.close()


async def test_only_sections_that_changed_are_sent() -> None:
    feed = Feed()
    panel = feed.panel()
    await asyncio.sleep(0.3)
    before = len(sent(panel, "batch"))
    feed.move(requests=7)
    await asyncio.sleep(0.3)
    changed = {key for batch in sent(panel, "batch")[before:] for key in batch["view"]}
    assert "figures" in changed
    assert "head" not in changed
    assert "worker:1" not in changed
    panel.close()


async def test_a_panel_is_idle_when_nothing_changes() -> None:
    feed = Feed()
    feed.move(status=RunStatus.PAUSED)
    panel = feed.panel()
    await asyncio.sleep(1.2)
    before = len(panel.widget.comm.sent)
    await asyncio.sleep(1.5)
    assert len(panel.widget.comm.sent) == before
    panel.close()


async def test_a_viewer_that_comes_later_is_told_all_within_a_second() -> None:
    feed = Feed()
    panel = feed.panel()
    feed.publish(20)
    feed.move(requests=20)
    await asyncio.sleep(1.4)
    assert [line[0] for line in panel.widget.entries] == list(range(1, 21))
    figures = {f["key"]: f["value"] for f in panel.widget.view["figures"]}
    assert figures["requests"] == "20"
    panel.close()


async def test_a_panel_stops_following_by_itself_after_the_end() -> None:
    feed = Feed()
    panel = feed.panel()
    feed.publish(3)
    feed.end()
    assert panel._task is not None
    await asyncio.wait_for(panel._task, 8)
    assert panel.widget.view["head"]["status"] == "completed"
    assert len(panel.widget.entries) == 3
    assert panel._task.exception() is None


async def test_a_click_wakes_a_panel_that_had_stopped() -> None:
    feed = Feed()
    feed.end()
    panel = feed.panel()
    assert panel._task is not None
    await asyncio.wait_for(panel._task, 8)
    click(panel, type="do", verb="retry")
    feed.stream.start()
    feed.move(status=RunStatus.RUNNING)
    feed.publish(1)
    await asyncio.sleep(1.2)
    assert panel.widget.view["head"]["status"] == "running"
    panel.close()


async def test_a_click_on_another_thread_is_done_and_acknowledged_there() -> None:
    """Jupyter delivers clicks on whatever thread it likes; none may wait for the loop."""
    feed = Feed()
    panel = feed.panel()
    thread = threading.Thread(target=click, args=(panel,), kwargs={"type": "do", "verb": "pause"})
    thread.start()
    # The loop is blocked here, as by a cell.
    thread.join(5)
    assert feed.calls == [("pause", thread.ident)]
    assert [(ack["verb"], ack["ok"]) for ack in sent(panel, "ack")] == [("pause", True)]
    panel.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OwnershipLost("Another process has taken this run over."), "Another process has taken"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
async def test_what_a_click_raises_is_told_in_the_panel(error: Exception, words: str) -> None:
    feed = Feed()
    panel = feed.panel()
    feed.error = error
    click(panel, type="do", verb="pause")
    [ack] = sent(panel, "ack")
    assert not ack["ok"]
    assert words in ack["view"]["notes"][0]["text"]
    await asyncio.sleep(0.3)
    assert words in str(panel._sent["notes"][0]["text"])
    feed.error = None
    click(panel, type="do", verb="pause")
    await asyncio.sleep(0.3)
    assert panel._sent["notes"][0]["head"] == ""
    panel.close()


async def test_a_panel_that_cannot_follow_says_so_and_goes_on_trying() -> None:
    feed = Feed()
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
    feed = Feed()
    panel = feed.panel()
    for number in range(90):
        worker = 2 if number % 3 else 1
        feed.stream.publish(ActivityEntry(worker_id=worker, action=Action.DEDUPED))
    await asyncio.sleep(0.3)
    click(panel, type="log", filter="steps", worker=2)
    [log] = sent(panel, "log")
    assert len(log["entries"]) == 60
    click(panel, type="log", filter="errors", worker=None)
    assert sent(panel, "log")[1]["entries"] == []
    panel.close()


async def test_messages_that_make_no_sense_do_nothing() -> None:
    feed = Feed()
    panel = feed.panel()
    for content in (
        {},
        {"type": "do"},
        {"type": "do", "verb": "__init__"},
        {"type": "do", "verb": ["pause"]},
        {"type": "log", "filter": 3, "worker": "x"},
        {"type": "<img>"},
    ):
        click(panel, **content)
    assert feed.calls == []
    assert sent(panel, "ack") == []
    assert sent(panel, "log") == []
    panel.close()


async def test_a_page_that_says_hello_is_told_the_kernels_time() -> None:
    feed = Feed()
    panel = feed.panel()
    before = utc_now().timestamp() * 1000
    click(panel, type="hello")
    [answer] = sent(panel, "hello")
    assert before <= answer["now"] <= utc_now().timestamp() * 1000
    panel.close()


async def test_a_blocked_loop_shows_in_how_free_the_kernel_is() -> None:
    feed = Feed()
    panel = feed.panel()
    await asyncio.sleep(0.3)
    threading.Event().wait(1.5)  # what a cell does that does not await
    await asyncio.sleep(0.3)
    assert panel._sent["notes"][0]["head"] == "Held up."
    panel.close()


async def test_a_closed_panel_lets_go_of_everything() -> None:
    feed = Feed()
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
