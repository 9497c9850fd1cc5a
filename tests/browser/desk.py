"""What the browser tests work with: a running JupyterLab, and a page with a notebook open in it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

KERNEL_IDLE_WITHIN_MS = 45_000


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    token: str
    root: Path
    environment: dict[str, str]

    def address(self, notebook: str) -> str:
        """Where a notebook opens, in a workspace of its own."""
        return (
            f"{self.url}/lab/workspaces/{secrets.token_hex(4)}/tree/{notebook}?token={self.token}"
        )

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells; returns its path for `address`."""
        notebook = nbformat.v4.new_notebook()
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(notebook, self.root / name)
        return name

    def read(self, name: str) -> nbformat.NotebookNode:
        """A notebook as it was saved."""
        return nbformat.read(self.root / name, as_version=4)


@dataclass
class Desk:
    """One browser page with one notebook open in JupyterLab."""

    lab: Lab
    page: Page
    errors: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, lab: Lab, context: BrowserContext) -> Desk:
        """A new page that notes what goes wrong in it."""
        desk = cls(lab, context.new_page())
        desk.page.on("console", desk._note)
        desk.page.on("pageerror", lambda error: desk.errors.append(f"uncaught: {error}"))
        return desk

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def open(self, notebook: str) -> Desk:
        """Open a notebook and wait for its kernel (a kernel once stayed busy: one reload)."""
        self.page.goto(self.lab.address(notebook))
        try:
            self.wait_idle()
        except PlaywrightTimeout:
            self.page.reload()
            self.wait_idle()
        # A theme is the server's to remember, and another test may have changed it.
        self.theme("JupyterLab Light")
        return self

    def wait_idle(self, *, timeout_ms: float = KERNEL_IDLE_WITHIN_MS) -> None:
        """Wait until the kernel answers and has nothing to do."""
        self.page.wait_for_function(
            """() => {
              const notebook = window.jupyterapp?.shell?.currentWidget;
              const kernel = notebook?.sessionContext?.session?.kernel;
              return kernel?.status === 'idle' && kernel?.connectionStatus === 'connected';
            }""",
            timeout=timeout_ms,
        )

    def command(self, name: str, **arguments: Any) -> None:
        """Execute one of JupyterLab's commands, as its menus do."""
        self.page.evaluate(
            "([name, args]) => { window.jupyterapp.commands.execute(name, args); }",
            [name, arguments],
        )

    def run(self, cell: int, *, wait: bool = True) -> None:
        """Run a cell by its number."""
        self.page.evaluate(
            """(cell) => {
              const notebook = window.jupyterapp.shell.currentWidget.content;
              notebook.activeCellIndex = cell;
              notebook.deselectAll();
              window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            cell,
        )
        if wait:
            self.wait_for_execution(cell)

    def wait_for_execution(self, cell: int, *, timeout_ms: float = 60_000) -> None:
        """Wait until a cell that was run has its number."""
        self.page.wait_for_function(
            """(cell) => {
              const model = window.jupyterapp.shell.currentWidget.content.model.cells.get(cell);
              return model.executionCount !== null && model.executionState !== 'running';
            }""",
            arg=cell,
            timeout=timeout_ms,
        )

    def output(self, cell: int) -> str:
        """The text of a cell's outputs, as the notebook's document holds it."""
        outputs = self.page.evaluate(
            """(cell) => window.jupyterapp.shell.currentWidget.content.model
                 .cells.get(cell).outputs.toJSON()""",
            cell,
        )
        return "".join(_text_of(output) for output in outputs)

    def ask(self, expression: str) -> str:
        """What an expression prints: it is run in the notebook's last cell."""
        last: int = self.page.evaluate(
            """(source) => {
              const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
              const model = cells.get(cells.length - 1);
              model.sharedModel.setSource(source);
              model.executionCount = null;
              return cells.length - 1;
            }""",
            f"print({expression})",
        )
        self.run(last)
        return self.output(last).strip()

    def save(self) -> None:
        """Save the notebook, and wait until it is on disk."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function(
            "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"
        )

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme: `JupyterLab Dark`, `JupyterLab Light`."""
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            name,
        )
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")

    @property
    def panel(self) -> Locator:
        """The (first) live panel."""
        return self.page.locator(".clp-live").first

    def wide(self) -> None:
        """Give the notebook the whole width: no side bar."""
        self.page.evaluate(
            """() => {
              window.jupyterapp.shell.collapseLeft();
              window.jupyterapp.shell.collapseRight();
            }"""
        )


def _text_of(output: dict[str, Any]) -> str:
    if "text" in output:
        text = output["text"]
    elif "traceback" in output:
        text = output["traceback"]
    else:
        text = output.get("data", {}).get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)
