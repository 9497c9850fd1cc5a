"""The live panel in a real JupyterLab: it lives beside other cells, and clicks reach Python."""

from __future__ import annotations

import json
import re

import pytest
from desk import Desk, Lab
from playwright.sync_api import expect

RUN = """\
import asyncio, time
from scripted_run import ScriptedRun
run = ScriptedRun(rate={rate}).history(steps={steps}).start()
"""
SHOW = "panel = run.panel()\npanel"


@pytest.fixture
def running(lab: Lab, desk: Desk, request: pytest.FixtureRequest) -> Desk:
    """A notebook with the panel of a run that is going on; the last cell is free."""
    name = f"{request.node.name}.ipynb"
    desk.open(lab.write(name, RUN.format(rate=16, steps=150), SHOW, "x = 6 * 7\nx", ""))
    desk.wide()
    desk.run(0)
    desk.run(1)
    expect(desk.panel.locator(".clp-status")).to_have_text("● Running")
    return desk


def test_a_panel_lives_while_other_cells_run(running: Desk) -> None:
    newest = running.panel.locator(".clp-row").first
    seen = newest.get_attribute("data-id")
    running.run(2)
    assert running.output(2) == "42"
    expect(newest).not_to_have_attribute("data-id", str(seen))
    searched = running.panel.get_by_role("progressbar", name="Products searched")
    before = searched.get_attribute("aria-valuenow")
    expect(searched).not_to_have_attribute("aria-valuenow", str(before))
    assert running.panel.locator(".clp-card").count() == 5
    assert running.errors == []


def test_pause_is_acknowledged_at_once_and_reaches_python_within_a_second(running: Desk) -> None:
    clicked = running.page.evaluate(
        """() => {
          const button = document.querySelector('.clp-live .clp-do-pause');
          button.click();
          return [Date.now() / 1000, button.textContent, button.disabled];
        }"""
    )
    assert clicked[1:] == ["Pausing…", True]
    expect(running.panel.locator(".clp-status")).to_have_text("❚❚ Paused", timeout=1000)
    expect(running.panel.locator(".clp-note")).to_contain_text("Paused by hand.")
    [[verb, reached]] = json.loads(running.ask("__import__('json').dumps(run.clicks)"))
    assert verb == "pause"
    assert reached - clicked[0] < 1
    running.panel.get_by_role("button", name="Resume").click()
    expect(running.panel.locator(".clp-status")).to_have_text("● Running")
    assert running.errors == []


def test_cancel_asks_once(running: Desk) -> None:
    cancel = running.panel.get_by_role("button", name="Cancel", exact=True)
    cancel.click()
    expect(running.panel.get_by_role("button", name="No, keep it")).to_be_focused()
    running.page.keyboard.press("Escape")
    expect(cancel).to_be_focused()
    assert running.ask("run.clicks") == "[]"
    cancel.click()
    running.panel.get_by_role("button", name="Yes, cancel").click()
    expect(running.panel.locator(".clp-status")).to_have_text("■ Cancelled")
    expect(running.panel.locator(".clp-buttons button:visible")).to_have_count(0)
    assert running.ask("[verb for verb, _ in run.clicks]") == "['cancel']"


def test_what_a_click_could_not_do_is_told_in_the_panel(running: Desk) -> None:
    """Nothing that a widget's callback raises ever reaches a cell."""
    running.ask("setattr(run, 'refuses', 'Another process has taken this run over: attach again.')")
    running.panel.get_by_role("button", name="Pause").click()
    note = running.panel.locator(".clp-note")
    expect(note).to_contain_text("That did not work.")
    expect(note).to_contain_text("Another process has taken this run over: attach again.")
    expect(running.panel.get_by_role("button", name="Pause")).to_be_enabled()
    running.ask("setattr(run, 'refuses', None)")
    running.panel.get_by_role("button", name="Pause").click()
    expect(note).to_contain_text("Paused by hand.")


def test_a_click_opens_a_workers_log_and_figures_and_a_click_closes_it(running: Desk) -> None:
    height = running.panel.bounding_box()["height"]
    card = running.panel.locator(".clp-card").nth(2)
    card.click()
    expect(card).to_have_attribute("aria-pressed", "true")
    expect(running.panel.locator(".clp-strip")).to_contain_text(re.compile(r"Worker 3\d+ requests"))
    expect(running.panel.locator(".clp-strip")).to_contain_text("median")
    expect(running.panel.locator(".clp-row").nth(20)).to_be_attached()
    assert set(running.panel.locator(".clp-who").all_inner_texts()) == {"W3"}
    assert running.panel.bounding_box()["height"] == height
    card.click()
    expect(running.panel.locator(".clp-strip")).to_be_hidden()
    running.page.wait_for_function(
        "() => new Set([...document.querySelectorAll('.clp-live .clp-who')]"
        ".map((e) => e.textContent)).size >= 5"
    )


def test_filters_show_one_kind_of_entry(running: Desk) -> None:
    for name, kinds in {
        "New": {"new"},
        "Errors": {"error", "wait"},
        "Found": {"new", "known", "list"},
    }.items():
        chip = running.panel.get_by_role("button", name=name, exact=True)
        chip.click()
        expect(chip).to_have_attribute("aria-pressed", "true")
        classes = running.panel.locator(".clp-row").evaluate_all(
            "rows => rows.map((row) => row.className.match(/clp-is-(\\w+)/)[1])"
        )
        assert classes
        assert set(classes) <= kinds
    running.panel.locator(".clp-errors").click()
    expect(running.panel.locator(".clp-strip")).to_contain_text("while")
    expect(running.panel.locator(".clp-strip")).to_contain_text("last:")


def test_the_readers_place_and_selection_survive_new_entries(running: Desk) -> None:
    feed = running.panel.locator(".clp-feed")
    feed.evaluate("list => { list.scrollTop = 540; }")
    in_view = "list => list.children[20].dataset.id"
    read = feed.evaluate(in_view)
    newer = running.panel.locator(".clp-newer")
    expect(newer).to_contain_text(re.compile(r"\d+ newer"))
    running.page.wait_for_timeout(1500)
    assert feed.evaluate("list => list.scrollTop") == 540
    assert feed.evaluate(in_view) == read
    newer.click()
    expect(newer).to_be_hidden()
    assert feed.evaluate("list => list.scrollTop") == 0

    selected = feed.evaluate(
        """list => {
          const text = list.children[3].querySelector('.clp-text');
          document.getSelection().selectAllChildren(text);
          return text.textContent;
        }"""
    )
    expect(newer).to_be_visible()
    running.page.wait_for_timeout(1000)
    assert running.page.evaluate("() => document.getSelection().toString()") == selected
    running.page.evaluate("() => document.getSelection().removeAllRanges()")
    expect(newer).to_be_hidden()


def test_a_countdown_runs_in_the_browser_and_goes_by_itself(running: Desk) -> None:
    running.ask("run.hold(6)")
    note = running.panel.locator(".clp-note")
    expect(note).to_contain_text(re.compile(r"Slowed down\. Oxylabs answered 429; .* for [56] s\."))
    expect(note).to_contain_text(re.compile(r"for [12] s\."), timeout=6000)
    expect(note).not_to_contain_text("Slowed down", timeout=4000)


def test_a_blocking_cell_is_told_and_a_click_waits_for_it(running: Desk) -> None:
    running.page.evaluate(
        """() => {
          const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
          cells.get(3).sharedModel.setSource('time.sleep(8)');
        }"""
    )
    running.run(3, wait=False)
    note = running.panel.locator(".clp-note")
    running.page.wait_for_timeout(1000)
    running.panel.get_by_role("button", name="Pause").click()
    expect(note).to_contain_text("No answer from the kernel", timeout=6000)
    expect(note).to_contain_text("Pausing… waits for it")
    expect(running.panel.locator(".clp-status")).to_have_text("❚❚ Paused", timeout=15_000)
    running.panel.get_by_role("button", name="Resume").click()
    expect(note).to_contain_text(re.compile(r"A cell kept the kernel busy for \d s"))
    expect(running.panel.locator(".clp-foot")).to_contain_text(re.compile(r"kernel free \d\d? %"))


def test_everything_is_reached_by_keyboard_and_named_for_screen_readers(running: Desk) -> None:
    bars = running.panel.get_by_role("progressbar")
    assert bars.count() == 2
    assert re.match(r"\d+ of 880", bars.nth(1).get_attribute("aria-valuetext") or "")
    expect(running.panel.get_by_role("list", name="Activity, newest first")).to_be_visible()
    pause = running.panel.get_by_role("button", name="Pause")
    pause.focus()
    reached = []
    for _ in range(14):
        running.page.keyboard.press("Tab")
        reached.append(running.page.evaluate("() => document.activeElement.className"))
    for part in ("clp-do-cancel", "clp-card", "clp-chip", "clp-feed", "clp-errors"):
        assert any(part in name for name in reached), part
    pause.focus()
    running.page.keyboard.press("Enter")
    expect(running.panel.locator("[aria-live=polite]")).to_have_text("The run is now: Paused")


def test_failures_that_outnumber_successes_raise_a_banner(running: Desk) -> None:
    running.ask("setattr(run, 'error_share', 0.9)")
    note = running.panel.locator(".clp-note")
    expect(note).to_contain_text("Experiencing problems.", timeout=10_000)
    running.ask("setattr(run, 'error_share', 0)")
    expect(note).to_contain_text("All is well", timeout=10_000)


def test_ten_thousand_entries_leave_the_page_light_and_smooth(lab: Lab, desk: Desk) -> None:
    notebook = lab.write(
        "many.ipynb",
        "from scripted_run import ScriptedRun\nrun = ScriptedRun(rate=800, products=10**6).start()",
        SHOW,
        "",
    )
    desk.open(notebook)
    desk.wide()
    desk.run(0)
    desk.run(1)
    # Other work on this machine must not decide: the best of three windows, of ten at most.
    frames_a_second = [desk.page.evaluate(FRAMES) for _ in range(3)]
    while max(frames_a_second) < 50 and len(frames_a_second) < 10:
        frames_a_second.append(desk.page.evaluate(FRAMES))
    assert int(desk.ask("run.stream.last_id")) > 10_000
    assert desk.panel.locator(".clp-row").count() == 100
    assert max(frames_a_second) >= 50
    heap = desk.page.evaluate("() => performance.memory.usedJSHeapSize")
    assert heap < 300_000_000
    assert desk.errors == []


FRAMES = """() => new Promise((done) => {
  let frames = 0;
  const began = performance.now();
  const count = () => {
    frames += 1;
    const passed = performance.now() - began;
    if (passed > 4500) done((1000 * frames) / passed);
    else requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
})"""
