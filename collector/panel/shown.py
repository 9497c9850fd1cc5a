"""How a panel is shown: the live widget, and beside it a picture for where no kernel lives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import ipywidgets  # type: ignore[import-untyped]
from IPython.display import DisplayHandle, display

from collector.panel.front_end import in_kernel

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

    def keep_picture(self, place: DisplayHandle) -> None:
        """Keep a displayed output up to date as the static picture beside the live panel."""
        self._pictures = [*self._pictures[1 - PICTURES_KEPT :], place]
        self._renew_pictures()

    def _about_to_show(self) -> None:  # noqa: B027 - a choice, not a duty
        """Do what a panel does whenever it is shown; most do nothing."""

    def _ipython_display_(self) -> None:
        """Show the live panel, and under it a picture that takes its place without a kernel."""
        if not in_kernel():
            print(repr(self))
            return
        self._about_to_show()
        live = {_VIEW_MIME: self._view_reference(), "text/html": "", "text/plain": repr(self)}
        display(live, raw=True)  # type: ignore[no-untyped-call]
        nothing = {"text/html": "", "text/plain": ""}
        place = display(nothing, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        if place is not None:
            self.keep_picture(place)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Both in one, for whoever composes outputs: Jupyter takes the live one where it can."""
        self._about_to_show()
        reference = self._view_reference()
        return {_VIEW_MIME: reference, "text/html": self.picture(), "text/plain": repr(self)}

    def _view_reference(self) -> dict[str, Any]:
        return {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}

    def _renew_pictures(self) -> None:
        if self._pictures:
            html = self.picture(beside=True)
            for handle in self._pictures:
                handle.update({"text/html": html, "text/plain": ""}, raw=True)  # type: ignore[no-untyped-call]
