"""A panel of more than five workers: a line each, in the room that five cards have."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from desk import Desk, Lab
from playwright.sync_api import expect

SETUP = """\
from scripted_run import ScriptedRun
run = ScriptedRun(rate={rate}, workers={workers}).history(steps=400).start()
panel = run.panel()
panel"""


@pytest.fixture
def crowd(lab: Lab, desk: Desk, request: pytest.FixtureRequest) -> Callable[..., Desk]:
    """Opens a notebook with the panel of so many workers."""

    def opened(workers: int, *, rate: int = 16) -> Desk:
        name = f"{request.node.name}-{workers}.ipynb"
        desk.open(lab.write(name, SETUP.format(workers=workers, rate=rate), ""))
        desk.wide()
        desk.run(0)
        expect(desk.panel.locator(".clp-status")).to_have_text("● Running")
        expect(desk.panel.locator(".clp-card")).to_have_count(workers)
        return desk

    return opened


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_twenty_workers_are_seen_without_scrolling(
    crowd: Callable[..., Desk], shot: Callable[..., None], theme: str
) -> None:
    desk = crowd(20)
    desk.theme(f"JupyterLab {theme}")
    desk.page.wait_for_timeout(1500)
    box = desk.panel.locator(".clp-workers").bounding_box()
    lines = [c.bounding_box() for c in desk.panel.locator(".clp-card").all()]
    assert all(line["height"] >= 24 for line in lines), "too low to be clicked"
    assert max(line["y"] + line["height"] for line in lines) <= box["y"] + box["height"] + 1
    assert min(line["x"] for line in lines) >= box["x"]
    assert max(line["x"] + line["width"] for line in lines) <= box["x"] + box["width"] + 1
    # In their order, row by row.
    assert lines == sorted(lines, key=lambda line: (line["y"], line["x"]))
    expect(desk.panel.locator(".clp-side .clp-title")).to_have_text(
        re.compile(r"^Workers\d+ of 20 at work$")
    )
    shot(desk.page, f"twenty-workers-{theme.lower()}")
    assert desk.errors == []


def test_the_panel_is_as_high_as_with_five(crowd: Callable[..., Desk]) -> None:
    few = crowd(5).panel.bounding_box()
    many = crowd(20).panel.bounding_box()
    assert many["height"] == few["height"]


def test_a_hundred_workers_scroll_and_each_opens_its_log(crowd: Callable[..., Desk]) -> None:
    desk = crowd(100)
    line = desk.panel.locator(".clp-card").nth(96)
    expect(line).not_to_be_in_viewport()
    line.click()
    expect(line).to_be_in_viewport()
    expect(line).to_have_attribute("aria-pressed", "true")
    expect(desk.panel.locator(".clp-strip")).to_contain_text("Worker 97")
    expect(desk.panel.locator(".clp-row").first).to_be_attached()
    assert set(desk.panel.locator(".clp-who").all_inner_texts()) == {"W97"}
    desk.panel.locator(".clp-close").click()
    expect(line).to_be_focused()
    assert desk.errors == []


def test_a_line_tells_the_rest_and_marks_a_failure(crowd: Callable[..., Desk]) -> None:
    desk = crowd(8)
    line = desk.panel.locator(".clp-card").nth(4)
    expect(line.locator(".clp-more")).to_be_hidden()
    expect(line).to_have_attribute("title", re.compile(" · last: "))
    assert desk.panel.locator(".clp-card .clp-t-bad").count() == 0
    desk.ask("setattr(run, 'error_share', 1.0)")
    failed = desk.panel.locator(".clp-card:has(.clp-t-bad) .clp-id").first
    expect(failed).to_be_attached()
    mark = failed.evaluate("node => getComputedStyle(node, '::after').content")
    assert mark == '"!"'
