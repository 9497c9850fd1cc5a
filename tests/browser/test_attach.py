"""A run outlives its kernel: after a restart it is had again from PostgreSQL, by its id."""

from __future__ import annotations

import pytest
from desk import Desk, Lab
from playwright.sync_api import expect

OPEN = """\
from collector.settings import Settings
from collector.workbench import Workbench
bench = Workbench.open(Settings(collector_sandbox_latency=1.0))
"""
LAUNCH = "run = bench.launch(['172541'], name='Outlives its kernel')\nrun"
ATTACH = "run = bench.attach('latest')\nrun"


@pytest.fixture
def restarted(lab: Lab, desk: Desk) -> Desk:
    """A notebook that launched a run, whose kernel was restarted, and that attached again."""
    desk.open(lab.write("outlives.ipynb", OPEN, LAUNCH, ATTACH, ""))
    desk.wide()
    desk.run(0)
    desk.run(1)
    expect(desk.panel.locator(".clp-status")).to_have_text("● Running")
    expect(desk.panel.locator(".clp-row").first).to_be_visible()
    desk.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    desk.wait_idle()
    desk.command("notebook:clear-all-cell-outputs")
    expect(desk.page.locator(".clp-live")).to_have_count(0)
    desk.run(0)
    desk.run(2)
    return desk


def test_a_restarted_kernel_attaches_and_resumes(restarted: Desk) -> None:
    panel = restarted.panel
    expect(panel).to_contain_text("Outlives its kernel")
    expect(panel.locator(".clp-status")).to_contain_text("Interrupted")
    assert restarted.ask("run.progress().interrupted") == "True"
    panel.get_by_role("button", name="Resume").click()
    expect(panel.locator(".clp-status")).to_have_text("● Running")
    expect(panel.locator(".clp-status")).to_contain_text("Completed", timeout=90_000)
    assert restarted.ask("run.progress().failed_items") == "0"
