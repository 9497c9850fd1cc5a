"""One notebook for the tests of a module: opening one takes seconds, running a cell does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from desk import Desk, Lab
from playwright.sync_api import Browser, Locator, expect


@contextmanager
def one_notebook(lab: Lab, chromium: Browser, name: str) -> Iterator[Desk]:
    """A page with a notebook of two empty cells, its kernel running."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    desk = Desk.at(lab, context)
    desk.open(lab.write(name, "", ""))
    desk.wide()
    yield desk
    context.close()


def show(desk: Desk, source: str, selector: str) -> Locator:
    """Run a source in the notebook's first cell; the live panel that it shows."""
    desk.errors.clear()
    desk.page.evaluate(
        """(source) => {
          const model = window.jupyterapp.shell.currentWidget.content.model.cells.get(0);
          model.clearExecution();
          model.sharedModel.setSource(source);
        }""",
        source,
    )
    desk.run(0)
    panel = desk.page.locator(f"{selector}.clp-live").first
    expect(panel).to_be_visible()
    return panel
