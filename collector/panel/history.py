"""The history: runs and edits on one timeline, and what each of them added and removed.

Given frames and callbacks; knows neither the collection service nor the store. What reads the
database does so on a thread of the panel's own. The first page of the timeline and what is chosen
are traits, so that a page that is loaded again shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import anywidget
import ipywidgets  # type: ignore[import-untyped]
import traitlets

from collector.panel.aside import Aside
from collector.panel.front_end import script
from collector.panel.history_picture import history_picture
from collector.panel.live import LivePanel
from collector.panel.sentences import printable
from collector.panel.shown import Shown
from collector.panel.static_picture import stylesheet
from collector.panel.timeline import (
    Detail,
    Frame,
    Moment,
    edit_detail,
    figures,
    plain,
    rows_of,
    run_detail,
    timeline,
)

PAGE = 200


class Comparison(Protocol):
    """One run beside the run before it."""

    @property
    def run(self) -> dict[str, Any]:
        """The run's row of the `runs` frame."""

    @property
    def before(self) -> dict[str, Any] | None:
        """The other run's."""

    @property
    def delta(self) -> Frame:
        """One row a seller that either saw (`analysis.DELTAS`)."""


class Launched(Protocol):
    """A run that was launched."""

    @property
    def short_id(self) -> str:
        """The beginning of its id."""

    def panel(self) -> LivePanel:
        """Its live panel."""


@dataclass(frozen=True, slots=True)
class HistorySource:
    """Where the history comes from. All are called on a thread and may raise `CollectorError`.

    Attributes:
        runs: the `runs` frame.
        edits: the `edits` frame.
        compare: a run, by its id, beside the run before it.
        marks: what to know about a comparison, in sentences.
        changes: the `changes` frame of an edit, by its audit entry.
        again: starts a run again with the same settings, by its id.
    """

    runs: Callable[[], Frame]
    edits: Callable[[], Frame]
    compare: Callable[[str], Comparison]
    marks: Callable[[Any], Sequence[str]]
    changes: Callable[[int], Frame]
    again: Callable[[str], Launched]


class HistoryWidget(anywidget.AnyWidget):
    """The history's half in the browser. `History` owns it and alone changes it."""

    _esm = script("elements.js", "history.js")
    _css = stylesheet() + script("history.css")
    head = traitlets.Dict().tag(sync=True)
    moments: traitlets.List[Any] = traitlets.List().tag(sync=True)
    detail = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    note = traitlets.Dict().tag(sync=True)


class History(Shown):
    """Runs and edits on one timeline; shows the panel of a run it started again under itself.

    Args:
        source: frames and callbacks.

    Attributes:
        run: the run started again last, None before the first.
    """

    def __init__(self, source: HistorySource) -> None:
        super().__init__()
        self.run: Launched | None = None
        self._source = source
        self._runs: dict[str, dict[str, Any]] = {}
        self._edits: dict[str, dict[str, Any]] = {}
        self._moments: list[Moment] = []
        self._panel: LivePanel | None = None
        self._aside = Aside("collector history", on_error=self._complain)
        self.view = HistoryWidget()
        self._below = ipywidgets.VBox()
        self.widget = ipywidgets.VBox([self.view, self._below])
        self.view.on_msg(self._receive)
        # The first time on the caller's thread: an error belongs into the cell that asks.
        self._read()

    def __repr__(self) -> str:
        return f"History(runs={len(self._runs)}, edits={len(self._edits)})"

    def refresh(self) -> None:
        """Read the timeline again; what is chosen stays chosen."""
        self._read()

    def choose(self, key: str) -> None:
        """Show what an entry of the timeline changed.

        Args:
            key: `run:` and the run's id, or `edit:` and the audit entry's number.
        """
        detail = self._detail_of(key)
        if detail is not None:
            self.view.detail = detail
            self._renew_pictures()

    def picture(self, *, beside: bool = False) -> str:
        """Return the history as it stands, as static HTML that needs no kernel and no network."""
        return history_picture(self.view.head, self.view.moments, self.view.detail, beside=beside)

    def close(self) -> None:
        """End the panel's thread; the live panel goes, and its picture stays."""
        self._aside.close()
        self._renew_pictures()
        self.widget.close()
        self.view.close()

    # ---- on the panel's thread

    def _read(self) -> None:
        self._runs = {str(row["run_id"]): row for row in rows_of(self._source.runs())}
        self._edits = {str(row["audit_id"]): row for row in rows_of(self._source.edits())}
        self._moments = timeline(self._runs.values(), self._edits.values())
        with self.view.hold_sync():
            self.view.head = {**figures(self._moments), "total": len(self._moments)}
            self.view.moments = self._moments[:PAGE]
        self._renew_pictures()

    def _read_again(self, key: str | None) -> None:
        self._read()
        if key is not None:
            self.choose(key)
        self._tell("", "calm")
        self.view.send({"type": "read"})

    def _detail_of(self, key: str) -> Detail | None:
        kind, _, name = key.partition(":")
        if kind == "run" and name in self._runs:
            found = self._source.compare(name)
            return run_detail(
                plain(found.run),
                rows_of(found.delta),
                before=found.before,
                marks=self._source.marks(found),
            )
        if kind == "edit" and name in self._edits:
            return edit_detail(self._edits[name], rows_of(self._source.changes(int(name))))
        return None

    def _start_again(self, run_id: str) -> None:
        if run_id not in self._runs:
            return
        run = self._source.again(run_id)
        self.run = run
        self._read()
        short = printable(run.short_id, longest=20)
        self._tell(f"Started as run {short}: its panel stands below.", "ok")
        self.view.send({"type": "started"})
        if self._panel is not None:
            self._panel.close()
        self._panel = run.panel()
        self._below.children = (self._panel.widget,)

    def _tell(self, text: str, tone: str) -> None:
        self.view.note = {"text": text, "tone": tone}

    def _complain(self, problem: str) -> None:
        self._tell(problem, "bad")
        self.view.send({"type": "failed"})

    # ---- messages from the browser, on whatever thread they arrive

    def _receive(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        match message:
            case {"type": "choose", "key": str(key)}:
                self._aside.do(self.choose, key)
            case {"type": "again", "run": str(run_id)}:
                self._aside.do(self._start_again, run_id)
            case {"type": "refresh", "key": str() | None as key}:
                self._aside.do(self._read_again, key)
            case {"type": "older", "after": int(after)}:
                page = self._moments[after : after + PAGE]
                self.view.send({"type": "older", "after": after, "moments": page})
