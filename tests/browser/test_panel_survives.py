"""What outlives a panel's page, its kernel and its run: other views, and the static picture."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk, Lab
from playwright.sync_api import Browser, expect

SETUP = """\
from scripted_run import HOSTILE, ScriptedRun
run = ScriptedRun(rate=16{more}).history(steps=150).start()
panel = run.panel()
panel"""
TRAP = """\
window.__pwned = undefined;
window.alert = () => { window.__pwned = 'alert'; };
"""
IDS = "rows => rows.map((row) => row.dataset.id)"


def opened(lab: Lab, desk: Desk, name: str, *, more: str = "") -> Desk:
    """A notebook with the panel of a run that is going on; the last cell is free."""
    desk.open(lab.write(name, SETUP.format(more=more), ""))
    desk.wide()
    desk.run(0)
    expect(desk.panel.locator(".clp-status")).to_have_text("● Running")
    return desk


def test_a_page_loaded_again_shows_the_panel_live(lab: Lab, desk: Desk) -> None:
    opened(lab, desk, "again.ipynb").save()
    desk.page.reload()
    desk.wait_idle()
    expect(desk.panel.locator(".clp-status")).to_have_text("● Running")
    newest = desk.panel.locator(".clp-row").first
    seen = newest.get_attribute("data-id")
    expect(newest).not_to_have_attribute("data-id", str(seen))
    assert desk.panel.locator(".clp-row").count() >= 50
    desk.panel.get_by_role("button", name="Pause").click()
    expect(desk.panel.locator(".clp-status")).to_have_text("❚❚ Paused")


def test_two_views_in_two_browsers_show_the_same(lab: Lab, desk: Desk, chromium: Browser) -> None:
    opened(lab, desk, "two.ipynb").save()
    context = chromium.new_context(viewport={"width": 1100, "height": 1000})
    other = Desk.at(lab, context).open("two.ipynb")
    expect(other.panel.locator(".clp-status")).to_have_text("● Running")
    other.panel.get_by_role("button", name="Pause").click()
    for view in (desk, other):
        expect(view.panel.locator(".clp-status")).to_have_text("❚❚ Paused")
    desk.page.wait_for_timeout(1500)
    pictures = [
        (view.locator(".clp-row").evaluate_all(IDS), view.locator(".clp-figures").inner_text())
        for view in (desk.panel, other.panel)
    ]
    assert pictures[0] == pictures[1]
    context.close()


def test_a_panel_shown_a_second_time_in_one_notebook_moves_in_both_places(
    lab: Lab, desk: Desk
) -> None:
    desk.open(lab.write("twice.ipynb", SETUP.format(more=""), "panel", ""))
    desk.wide()
    desk.run(0)
    desk.run(1)
    expect(desk.page.locator(".clp-live")).to_have_count(2)
    desk.ask("run.finish()")
    for index in range(2):
        status = desk.page.locator(".clp-live .clp-status").nth(index)
        expect(status).to_have_text("✓ Completed")


def test_a_finished_run_sends_its_failed_items_again(lab: Lab, desk: Desk) -> None:
    """The panel had stopped following: the click wakes it."""
    opened(lab, desk, "retry.ipynb")
    desk.ask("run.finish()")
    expect(desk.panel.locator(".clp-note")).to_contain_text("sends them again")
    desk.page.wait_for_timeout(6000)
    assert desk.ask("panel._task.done()") == "True"
    desk.panel.get_by_role("button", name="Retry failed").click()
    expect(desk.panel.locator(".clp-status")).to_have_text("● Running")


def test_a_saved_notebook_shows_the_picture_without_its_kernel(
    lab: Lab, desk: Desk, shot: Callable[..., None]
) -> None:
    opened(lab, desk, "kept.ipynb")
    # It stands in the document all the time, hidden while the live panel is there.
    still = desk.page.locator(".clp-static")
    expect(still).to_have_count(1)
    desk.ask("run.finish()")
    expect(still.locator(".clp-badge").first).to_have_text("✓ Completed")
    expect(still).to_be_hidden()
    figures = desk.panel.locator(".clp-figures").inner_text()
    desk.save()
    desk.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    desk.page.reload()
    expect(still).to_be_visible(timeout=30_000)
    expect(still).to_contain_text("✓ Completed")
    assert still.locator(".clp-figures").inner_text() == figures
    expect(desk.page.get_by_text("Error displaying widget")).to_be_hidden()
    shot(desk.page, "saved", ".clp-static")


def test_a_closed_panel_leaves_its_picture(lab: Lab, desk: Desk) -> None:
    opened(lab, desk, "closed.ipynb")
    desk.ask("panel.close()")
    expect(desk.page.locator(".clp-live")).to_have_count(0)
    expect(desk.page.locator(".clp-static")).to_be_visible()
    expect(desk.page.locator(".clp-static .clp-note")).to_contain_text("As of")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_export_shows_the_picture_offline(
    lab: Lab, desk: Desk, chromium: Browser, shot: Callable[..., None], theme: str
) -> None:
    opened(lab, desk, f"export-{theme}.ipynb", more=", titles=HOSTILE")
    desk.ask("run.finish()")
    expect(desk.page.locator(".clp-static .clp-badge").first).to_have_text("✓ Completed")
    figures = desk.panel.locator(".clp-figures").inner_text()
    desk.save()
    page = export(lab, f"export-{theme}.ipynb", theme)
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    reader = context.new_page()
    reader.add_init_script(TRAP)
    reader.goto(page.as_uri())
    still = reader.locator(".clp-static")
    expect(still).to_have_count(1)
    expect(still).to_be_visible()
    assert still.locator(".clp-figures").inner_text() == figures
    assert still.locator(".clp-row").count() >= 50
    expect(still).to_contain_text("<img src=x onerror=")
    assert reader.evaluate("() => window.__pwned") is None
    assert still.locator("img, iframe, script, svg, a").count() == 0
    shot(reader, f"export-{theme}", ".clp-static")
    context.close()


def export(lab: Lab, notebook: str, theme: str) -> Path:
    """A notebook as a page, as `jupyter nbconvert` makes it."""
    source = lab.root / notebook
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", f"--theme={theme}", str(source)],
        env=lab.environment,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return source.with_suffix(".html")


def test_hostile_titles_are_shown_and_execute_nothing(lab: Lab, desk: Desk) -> None:
    desk.page.add_init_script(TRAP)
    opened(lab, desk, "hostile.ipynb", more=", titles=HOSTILE, name=HOSTILE[0], products=10**6")
    desk.ask("setattr(run, 'error_share', 0.4)")
    desk.page.wait_for_timeout(3000)
    for chip in ("Every step", "Errors", "Outcomes"):
        desk.panel.get_by_role("button", name=chip, exact=True).click()
    desk.panel.locator(".clp-card").first.click()
    expect(desk.panel.locator(".clp-name")).to_have_text(re.compile("^<img src=x onerror="))
    expect(desk.panel.locator(".clp-feed")).to_contain_text("<script>window.__pwned")
    assert desk.panel.locator("img, iframe, script, svg, a").count() == 0
    desk.ask("run.pause_for('failures', HOSTILE[1])")
    expect(desk.panel.locator(".clp-note")).to_contain_text("<iframe srcdoc=")
    desk.ask("panel.close()")
    expect(desk.page.locator(".clp-static")).to_be_visible()
    desk.page.wait_for_timeout(500)
    assert desk.page.evaluate("() => window.__pwned") is None
    assert desk.page.locator(".clp-static").locator("img, iframe, script, svg, a").count() == 0
