"""A run that does what it is told: a feed and controls for panels, without database or requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from collector.activity import ActivityStream, Subscription
from collector.models import ActivityEntry, utc_now
from collector.panel import LivePanel, RunControls
from collector.progress import RunProgress
from collector.words import Action, RunStatus, Source


class ToldRun:
    """A run that does what it is told, and writes down which buttons were pressed.

    Args:
        name: the run's name.
    """

    id = UUID(int=7)
    short_id = "0000"

    def __init__(self, name: str = "Kitchen") -> None:
        self.stream = ActivityStream(self.id)
        self.now = RunProgress(
            run_id=self.id,
            name=name,
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
