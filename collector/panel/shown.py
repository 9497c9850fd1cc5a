"""How a panel is shown: the live widget, and beside it a picture for where no kernel lives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import ipywidgets  # type: ignore[import-untyped]
from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display

PICTURES_KEPT = 8
_VIEW_MIME = "application/vnd.jupyter.widget-view+json"


class Shown(ABC):
    """A panel that shows itself as the last expression of a cell, any number of times.

    The picture is hidden by the style sheet while the live panel is on the page.
    """

    widget: ipywidgets.DOMWidget

    def __init__(self) -> None:
        self._pictures: list[DisplayHandle] = []

    @abstractmethod
    def picture(self, *, beside: bool = False) -> str:
        """Return the panel as it stands, as static HTML that needs no kernel and no network."""

    def _ipython_display_(self) -> None:
        shell = get_ipython()
        if shell is None or not hasattr(shell, "kernel"):
            print(repr(self))
            return
        live = {_VIEW_MIME: self._view_reference(), "text/html": "", "text/plain": repr(self)}
        display(live, raw=True)  # type: ignore[no-untyped-call]
        beside = {"text/html": self.picture(beside=True), "text/plain": ""}
        handle = display(beside, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        if handle is not None:
            self._pictures = [*self._pictures[1 - PICTURES_KEPT :], handle]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        reference = self._view_reference()
        return {_VIEW_MIME: reference, "text/html": self.picture(), "text/plain": repr(self)}

    def _view_reference(self) -> dict[str, Any]:
        return {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}

    def _renew_pictures(self) -> None:
        if self._pictures:
            html = self.picture(beside=True)
            for handle in self._pictures:
                handle.update({"text/html": html, "text/plain": ""}, raw=True)  # type: ignore[no-untyped-call]
