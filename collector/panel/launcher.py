"""The launcher: choose categories and terms, see what it may cost, launch.

Given plain values and callbacks; knows neither the collection service nor the store. What was
chosen is a trait that the browser writes, so that it survives a reload of the page; what it comes
to (estimate, warnings, what is wrong) is a trait that the kernel answers with.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import anywidget
import ipywidgets  # type: ignore[import-untyped]
import traitlets
from IPython.display import DisplayHandle, display

from collector.errors import CollectorError
from collector.estimate import Estimate
from collector.models import Category, RunOptions
from collector.panel.front_end import in_kernel, script
from collector.panel.launching import (
    LaunchChoice,
    Presets,
    estimate_words,
    fields_of,
    read_choice,
    warnings,
)
from collector.panel.launching import estimate as rough_estimate
from collector.panel.live import LivePanel
from collector.panel.static_picture import stylesheet
from collector.words import Source

# A second click within this time is a double click, not a second run.
DOUBLE_CLICK_S = 2.0

_log = logging.getLogger(__name__)


class Launched(Protocol):
    """A run that was launched."""

    @property
    def short_id(self) -> str:
        """The beginning of its id."""

    def panel(self) -> LivePanel:
        """Its live panel."""


class LauncherWidget(anywidget.AnyWidget):
    """The launcher's half in the browser. `choice` is written there, everything else here."""

    _esm = script("elements.js", "category_tree.js", "launcher.js")
    _css = stylesheet() + script("launcher.css")
    catalogue: traitlets.List[Any] = traitlets.List().tag(sync=True)
    choice = traitlets.Dict().tag(sync=True)
    presets: traitlets.List[Any] = traitlets.List().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)


class Launcher:
    """A form that launches runs, and shows the panel of the last one it launched under itself.

    Args:
        categories: the catalogue's, department by department.
        on_launch: called with the choice; launches and returns the run.
        presets: saved choices of categories.
        estimate: what a choice may cost; by default from the numbers of lists and pages.
        chosen: the node ids chosen at the start.
        budget: the budget that stands there at the start.
        options: the options that stand there, and those that have no field.
        source: where answers come from.
        has_credentials: whether credentials are set.
        unfruitful: the node ids of categories that bring few new sellers for their requests.
        check: reads a department's own page, at the cost of one request; returns what it says in
            a sentence, and the catalogue's categories from then on. None: no such button.

    Attributes:
        run: the run launched last, None before the first.
    """

    def __init__(
        self,
        categories: Sequence[Category],
        on_launch: Callable[[LaunchChoice], Launched],
        *,
        presets: Presets,
        estimate: Callable[[LaunchChoice], Estimate] = rough_estimate,
        chosen: Sequence[str] = (),
        budget: int | None = None,
        options: RunOptions | None = None,
        source: Source = Source.OXYLABS,
        has_credentials: bool = True,
        unfruitful: Collection[str] = (),
        check: Callable[[str], tuple[str, Sequence[Category]]] | None = None,
    ) -> None:
        self.run: Launched | None = None
        self._categories = {c.node_id: c for c in categories}
        self._on_launch = on_launch
        self._presets = presets
        self._estimate = estimate
        self._options = options or RunOptions()
        self._source = source
        self._has_credentials = has_credentials
        self._unfruitful = frozenset(unfruitful)
        self._check = check
        self._launching = threading.Lock()
        self._launched_at = 0.0
        fields = fields_of(self._options, budget=budget)
        known = [n for n in chosen if n in self._categories]
        self.form = LauncherWidget(
            catalogue=self._catalogue(), choice={"chosen": known, "fields": fields}
        )
        self._below = ipywidgets.VBox()
        self.widget = ipywidgets.VBox([self.form, self._below])
        self._panel: LivePanel | None = None
        self._picture: DisplayHandle | None = None
        self.form.observe(self._consider, names="choice")
        self.form.on_msg(self._receive)
        self._renew_presets()
        self._consider()

    def __repr__(self) -> str:
        return f"Launcher(categories={len(self._categories)}, run={self.run!r})"

    def _ipython_display_(self) -> None:
        """Show the form, and under it a place for the picture of the run it launches."""
        if not in_kernel():
            print(repr(self))
            return
        display(self.widget)  # type: ignore[no-untyped-call]
        nothing = {"text/html": "", "text/plain": ""}
        self._picture = display(nothing, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def _catalogue(self) -> list[Any]:
        """`[department, [[node id, name, confirmed, unfruitful], …]]`, department by department."""
        departments: dict[str, list[Any]] = {}
        for c in self._categories.values():
            listed = departments.setdefault(c.department, [])
            name = c.name or f"{c.department}, the whole department"
            listed.append([c.node_id, name, c.confirmed, c.node_id in self._unfruitful])
        return [[name, listed] for name, listed in departments.items()]

    # ---- what stands in the form

    def choice(self) -> LaunchChoice | None:
        """What is chosen, None while something is wrong with it."""
        return self._read()[0]

    def _read(self) -> tuple[LaunchChoice | None, dict[str, str]]:
        stands = self.form.choice
        return read_choice(
            stands.get("fields") or {},
            stands.get("chosen") or [],
            known=self._categories,
            defaults=self._options,
        )

    def _consider(self, _change: object = None) -> None:
        """Answer a changed choice with what it comes to."""
        choice, problems = self._read()
        words = ""
        if choice is not None:
            words = estimate_words(self._estimate(choice))
        chosen = self.form.choice.get("chosen") or []
        self.form.answer = {
            "source": "SANDBOX" if self._source is Source.SANDBOX else "Oxylabs",
            "sandbox": self._source is Source.SANDBOX,
            "estimate": words,
            "problems": problems,
            "checks": self._check is not None,
            "warnings": warnings(chosen, self._categories, has_credentials=self._has_credentials),
        }

    def _renew_presets(self) -> None:
        default = self._presets.default()
        self.form.presets = [
            {"name": name, "chosen": list(ids), "default": name == default}
            for name, ids in self._presets.all().items()
        ]

    # ---- messages from the browser, on whatever thread they arrive

    def _receive(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        about = str(message.get("type"))
        try:
            match message:
                case {"type": "launch", "choice": dict(choice)}:
                    # It comes along: a trait's update may still be on its way.
                    self.form.choice = choice
                    self._launch()
                case {"type": "check", "department": str(department)}:
                    # Its answer may take minutes: the kernel must not wait for it.
                    threading.Thread(target=self._check_department, args=(department,)).start()
                    return
                case {"type": "preset", "do": "save", "name": str(name)}:
                    self._presets.save(name, self._known(message.get("chosen")))
                case {"type": "preset", "do": "rename", "name": str(name), "to": str(new_name)}:
                    self._presets.rename(name, new_name)
                case {"type": "preset", "do": "delete", "name": str(name)}:
                    self._presets.remove(name)
                case {"type": "preset", "do": "default", "name": str(name)}:
                    self._presets.make_default(name)
                case _:
                    return
            if about == "preset":
                self._renew_presets()
        except Exception as exc:
            self._tell_failure(about, exc)
        else:
            self.form.send({"type": "done", "about": about, "error": ""})

    def _tell_failure(self, about: str, exc: Exception) -> None:
        # Nothing raised here would reach a cell: the form is where it can be seen.
        _log.warning("%s failed", about, exc_info=exc)
        words = str(exc) if isinstance(exc, CollectorError) else f"{type(exc).__name__}: {exc}"
        self.form.send({"type": "done", "about": about, "error": words})

    def _check_department(self, department: str) -> None:
        if self._check is None:
            return
        try:
            told, categories = self._check(department)
            self._categories = {c.node_id: c for c in categories}
            self.form.catalogue = self._catalogue()
            self._consider()
        except Exception as exc:
            self._tell_failure("check", exc)
        else:
            self.form.send({"type": "done", "about": "check", "error": "", "told": told})

    def _known(self, chosen: Any) -> list[str]:
        return [n for n in chosen if n in self._categories] if isinstance(chosen, list) else []

    def _launch(self) -> None:
        """Launch what is chosen, once: a click that comes while or right after one does nothing."""
        if not self._launching.acquire(blocking=False):
            return
        try:
            choice, _ = self._read()
            if choice is None or time.monotonic() - self._launched_at < DOUBLE_CLICK_S:
                return
            self.run = self._on_launch(choice)
            self._launched_at = time.monotonic()
            if self._panel is not None:
                self._panel.close()
            self._panel = self.run.panel()
            self._below.children = (self._panel.widget,)
            if self._picture is not None:
                self._panel.keep_picture(self._picture)
            self._consider()
        finally:
            self._launching.release()
