"""The first notebook, run to its end by hand in a real JupyterLab, as a newcomer would."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from desk import Desk, Lab
from playwright.sync_api import expect

NOTEBOOK = "01_launch_run.ipynb"


@pytest.fixture
def cells(lab: Lab) -> dict[str, int]:
    """Where the notebook's code cells are, by how they begin."""
    notebook = nbformat.read(lab.root / NOTEBOOK, as_version=4)
    return {c.source: n for n, c in enumerate(notebook.cells) if c.cell_type == "code"}


def test_the_first_notebook_runs_to_its_end(
    lab: Lab, desk: Desk, cells: dict[str, int], shot: Callable[..., None]
) -> None:
    def cell(beginning: str) -> int:
        return next(n for source, n in cells.items() if beginning in source)

    desk.open(NOTEBOOK)
    desk.wide()
    desk.run(cell("categories = None"))
    desk.run(cell("Workbench.open()"))
    assert "sandbox" in desk.output(cell("Workbench.open()"))
    desk.run(cell("bench.categories("))
    desk.run(cell("bench.launch("))
    panel = desk.panel
    expect(panel.locator(".clp-status")).to_have_text("● Running")
    expect(panel).to_contain_text("SANDBOX")

    # The panel is live while other cells run.
    searched = panel.get_by_role("progressbar", name="Products searched")
    before = searched.get_attribute("aria-valuenow")
    desk.run(cell("run.progress()"))
    assert "products searched" in desk.output(cell("run.progress()"))
    expect(searched).not_to_have_attribute("aria-valuenow", str(before))

    shot(desk.page, "launch")

    # A click on Pause pauses within a second.
    clicked = time.monotonic()
    panel.get_by_role("button", name="Pause").click()
    expect(panel.locator(".clp-status")).to_have_text("❚❚ Paused", timeout=1000)
    assert time.monotonic() - clicked < 1.5
    panel.get_by_role("button", name="Resume").click()
    expect(panel.locator(".clp-status")).to_have_text("● Running")

    desk.run(cell("await run"), wait=False)
    desk.wait_for_execution(cell("await run"), timeout_ms=120_000)
    assert "completed: " in desk.output(cell("await run"))
    expect(panel.locator(".clp-status")).to_contain_text("Completed")
    for beginning in ("bench.sellers(run=run)", "bench.deltas(run)", "deltas.head", "bench.export"):
        desk.run(cell(beginning))
        assert "Error" not in desk.output(cell(beginning))
    assert "new" in desk.output(cell("bench.deltas(run)"))
    desk.run(cell("bench.report("))
    written = {Path(f).suffix for f in lab.root.iterdir() if "run-" in f.name}
    assert {".csv", ".html"} <= written
    assert desk.errors == []
