"""The live panel: one run, watched and steered from a notebook.

Everything that moves goes to the browser in batches of what changed, at most ten a second, from
one task on the kernel's loop; what a page that is loaded later needs is kept in two traits,
renewed at most once a second. Time is counted in the browser. Clicks may arrive on any thread:
they are acknowledged from there, and handed to controls that are thread-safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from typing import Any

from collector.errors import CollectorError
from collector.models import utc_now
from collector.panel.backlog import Backlog
from collector.panel.front_end import PanelWidget, RunControls, RunFeed, running_loop
from collector.panel.notes import Surroundings, problem_note
from collector.panel.pulse import Pulse
from collector.panel.sentences import FILTERS, MARKS, Row, printable
from collector.panel.shown import Shown
from collector.panel.static_picture import picture
from collector.panel.view import View, view
from collector.words import RunStatus

__all__ = ["LivePanel", "RunControls", "RunFeed"]

TICK_S = 0.1
TICK_AT_REST_S = 0.5
HEARTBEAT_S = 2.0
TRAITS_EVERY_S = 1.0
PICTURE_EVERY_S = 60.0
# After its end a run is followed a little longer: last entries come, or a click wakes it again.
LINGER_S = 5.0

_VERBS = ("pause", "resume", "cancel", "retry")
_log = logging.getLogger(__name__)


class LivePanel(Shown):
    """A run's panel. Shows itself as the last expression of a cell; can be shown again any time.

    Args:
        feed: the run to show.
        controls: what its buttons call.
        loop: the loop to follow the run on; by default the running one. Without any (a plain
            script) the panel is drawn once.
    """

    def __init__(
        self,
        feed: RunFeed,
        controls: RunControls,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__()
        self._feed = feed
        self._controls = controls
        self._loop = loop or running_loop()
        # On a loop of the run's own, lateness says nothing about the kernel.
        self._on_kernels_loop = self._loop is running_loop()
        # Tasks and widget messages belong to the cell that made the panel.
        self._context = contextvars.copy_context()
        self._lock = threading.RLock()
        self._backlog = Backlog()
        self._pulse = Pulse()
        self._problem = ""
        self._sent: View = {}
        self._traits_due = False
        self._woken_at = time.monotonic()
        self._status: RunStatus | None = None
        self._task: asyncio.Task[None] | None = None
        self._nudge: asyncio.Event | None = None
        self._closed = False
        self._subscription = feed.subscribe()
        self.widget = PanelWidget(look={"marks": MARKS, "filters": FILTERS})
        self.widget.on_msg(self._receive)
        self._draw()
        self._renew_traits()
        self.follow()

    def __repr__(self) -> str:
        status = self._status.value if self._status else "unknown"
        return f"LivePanel(run={self._feed.short_id!r}, status={status!r})"

    # ---- showing itself

    def _about_to_show(self) -> None:
        self.follow()

    def picture(self, *, beside: bool = False) -> str:
        """Return the panel as it stands, as static HTML that needs no kernel and no network."""
        with self._lock:
            shown, rows = dict(self._sent), self._backlog.log(FILTERS[0][0])
        return picture(shown, rows[::-1], moment=utc_now(), beside=beside)

    def close(self) -> None:
        """Stop following; the live panel goes, and its picture stays."""
        self._closed = True
        self._wake()
        self._subscription.close()
        self._renew_pictures()
        self.widget.close()

    # ---- following the run, on the loop

    def follow(self) -> None:
        """Follow the run (again). Returns at once; does nothing without a loop or once closed."""
        self._woken_at = time.monotonic()
        if self._loop is None or self._loop.is_closed() or self._closed:
            return
        if running_loop() is self._loop:
            self._start()
        else:
            self._loop.call_soon_threadsafe(self._start, context=self._context)

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._nudge = asyncio.Event()
            self._task = asyncio.get_running_loop().create_task(self._drive())
        elif self._nudge is not None:
            self._nudge.set()

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed() and self._nudge is not None:
            self._loop.call_soon_threadsafe(self._nudge.set)

    async def _drive(self) -> None:
        """Draw what changed until the run has ended and everything was drawn."""
        nudge = self._nudge
        assert nudge is not None  # noqa: S101 - _start has just made it
        traits_at = picture_at = spoke_at = time.monotonic()
        drawn_status, failed = self._status, False
        while not self._closed:
            running = self._status is RunStatus.RUNNING
            await self._pause(nudge, TICK_S if running else TICK_AT_REST_S)
            now = time.monotonic()
            if failed:
                self._problem, failed = "", False
            try:
                if self._draw(heartbeat=running and now - spoke_at >= HEARTBEAT_S):
                    spoke_at = now
                moved = self._status is not drawn_status
                over = self._is_over(now)
                if self._traits_due and (moved or over or now - traits_at >= TRAITS_EVERY_S):
                    self._renew_traits()
                    traits_at = now
                if moved or over or (running and now - picture_at >= PICTURE_EVERY_S):
                    self._renew_pictures()
                    picture_at, drawn_status = now, self._status
                if over:
                    return
            except Exception as exc:
                # A panel must not die silently: it says so and goes on trying, slowly.
                _log.exception("the panel of run %s could not be drawn", self._feed.short_id)
                failed = True
                self._complain(f"The panel cannot follow the run: {_words(exc)}")
                await asyncio.sleep(1)

    async def _pause(self, nudge: asyncio.Event, length_s: float) -> None:
        began = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(nudge.wait(), length_s)
        nudge.clear()
        took = time.monotonic() - began
        self._pulse.beat(took, late_s=took - length_s, at=began + took)

    def _is_over(self, now: float) -> bool:
        if self._status is None or not self._status.is_final:
            return False
        waited = now - self._woken_at
        return waited >= LINGER_S or (self._subscription.closed and waited >= 2 * TICK_AT_REST_S)

    def _draw(self, *, heartbeat: bool = False) -> bool:
        """Send what changed since the last time; returns whether anything was sent."""
        with self._lock:
            rows = self._backlog.add(self._subscription.take())
            changed = self._look_again()
            if not (rows or changed or heartbeat):
                return False
            self._traits_due = self._traits_due or bool(rows or changed)
            self._send("batch", entries=rows, view=changed)
            return True

    def _look_again(self) -> View:
        """Return the sections of the view that changed, and remember them as sent."""
        progress = self._feed.progress()
        status = progress.status
        if status is RunStatus.RUNNING and self._status is not status and self._subscription.closed:
            self._subscription = self._feed.subscribe(self._backlog.last_id)
        if status is not self._status:
            self._woken_at = time.monotonic()
        self._status = status
        around = Surroundings(
            short_id=self._feed.short_id,
            failing=self._backlog.failing(),
            last_failure=self._backlog.last_failure,
            kernel_free=self._pulse.free if self._on_kernels_loop else None,
            lag_s=self._pulse.lag_s if self._on_kernels_loop else 0.0,
            problem=self._problem,
        )
        shown = view(progress, around, now=utc_now())
        changed = {key: part for key, part in shown.items() if self._sent.get(key) != part}
        self._sent.update(changed)
        return changed

    def _send(self, kind: str, **content: Any) -> None:
        self.widget.send({"type": kind, "now": time.time() * 1000, **content})

    def _renew_traits(self) -> None:
        with self._lock, self.widget.hold_sync():
            self.widget.view = dict(self._sent)
            self.widget.entries = self._backlog.newest()
            self._traits_due = False

    # ---- messages from the browser, on whatever thread they arrive

    def _receive(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        match message:
            case {"type": "hello"}:
                self._traits_due = True
                self._send("hello")
            case {"type": "log", "filter": str(name), "worker": int() | None as worker}:
                with self._lock:
                    rows: list[Row] = self._backlog.log(name, worker=worker)
                self._send("log", entries=rows)
            case {"type": "do", "verb": str(verb)} if verb in _VERBS:
                self._do(verb)

    def _do(self, verb: str) -> None:
        self._problem = ""
        try:
            getattr(self._controls, verb)()
        except Exception as exc:
            # Nothing raised here would reach a cell: the panel is where it can be seen.
            _log.warning("%s of run %s failed", verb, self._feed.short_id, exc_info=exc)
            self._complain(_words(exc), verb=verb)
        else:
            self._send("ack", verb=verb, ok=True)
        self.follow()

    def _complain(self, problem: str, *, verb: str | None = None) -> None:
        self._problem = problem
        with self._lock:
            self._sent["notes"] = [problem_note(problem)]
            self._send("ack", verb=verb, ok=False, view={"notes": self._sent["notes"]})


def _words(exc: Exception) -> str:
    text = printable(str(exc), longest=400)
    return text if isinstance(exc, CollectorError) and text else f"{type(exc).__name__}: {text}"
