"""The history in a real JupyterLab: what runs and edits changed, and runs started again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from desk import Desk, Lab
from one_notebook import one_notebook, show
from playwright.sync_api import Browser, Locator, expect

SETUP = """\
from scripted_list import ScriptedHistory
past = ScriptedHistory({given})
history = past.history()
history"""


@pytest.fixture(scope="module")
def desk(lab: Lab, chromium: Browser) -> Iterator[Desk]:
    """One notebook for all of these tests."""
    with one_notebook(lab, chromium, "history.ipynb") as desk:
        yield desk


def opened(desk: Desk, given: str) -> Locator:
    """A new history of these runs and edits."""
    return show(desk, SETUP.format(given=given), ".clh")


def test_a_run_shows_what_it_added_and_who_was_not_seen(desk: Desk) -> None:
    history = opened(desk, "24")
    newest = history.get_by_role("option").first
    for words in ("Kitchen, week 24", "+240", "1,240", "6 min 7 s", "SANDBOX"):
        expect(newest).to_contain_text(words)
    expect(desk.page.locator(".clp-beside")).to_be_hidden()
    added = history.locator(".clh-section").first
    expect(added.locator("h4")).to_have_text("Added to the list 240")
    expect(added.locator("li")).to_have_count(200)
    expect(added.locator(".clh-rest")).to_contain_text("and 40 more")
    expect(added.locator("li").first.locator(".clh-sign")).to_have_text("+")
    gone = history.locator(".clh-section").nth(1)
    expect(gone.locator("h4")).to_have_text("Not seen again 3")
    expect(gone.locator("li").first.locator(".clh-sign")).to_have_text("−")
    assert desk.page.evaluate("window.__pwned") is None
    assert desk.errors == []


def test_an_edit_shows_its_names_and_the_keyboard_chooses(desk: Desk) -> None:
    history = opened(desk, "1, edits=3")
    history.get_by_role("listbox").focus()
    desk.page.keyboard.press("End")
    oldest = history.get_by_role("option").last
    expect(oldest).to_have_attribute("aria-selected", "true")
    expect(history.locator(".clh-section h4").first).to_have_text("Removed 3")
    expect(history.locator(".clh-names")).to_contain_text("<img src=x onerror=")
    expect(history.get_by_role("button", name="Start again")).to_have_count(0)
    desk.page.keyboard.press("ArrowUp")
    expect(oldest).to_have_attribute("aria-selected", "false")
    assert desk.page.evaluate("window.__pwned") is None


def test_a_run_is_started_again_once_and_its_panel_appears(desk: Desk) -> None:
    history = opened(desk, "2")
    history.get_by_role("button", name="Start again").click()
    expect(history.locator(".clp-note")).to_contain_text("Started as run")
    expect(desk.page.locator(".clp-status").first).to_have_text("● Running")
    assert desk.ask("past.calls == [past.runs.run_id[0]]") == "True"
    history.get_by_role("button", name="Start again").click()
    note = history.locator(".clp-note")
    expect(note).to_contain_text("The budget cannot be: <img src=x onerror=alert(1)>.")
    expect(history.get_by_role("button", name="Start again")).to_be_enabled()
    assert desk.errors == []


def test_a_long_history_comes_in_pages(desk: Desk) -> None:
    history = opened(desk, "150, edits=300")
    expect(history.get_by_role("option")).to_have_count(200)
    history.get_by_role("button", name="Show 200 older of 250").click()
    expect(history.get_by_role("option")).to_have_count(400)
    history.get_by_role("button", name="Show 50 older of 50").click()
    expect(history.get_by_role("option")).to_have_count(450)


def test_an_empty_history_says_so(desk: Desk) -> None:
    history = opened(desk, "0")
    expect(history.locator(".clp-empty")).to_contain_text("No runs yet.")
    expect(history.get_by_role("option")).to_have_count(0)


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_history_looks_well(desk: Desk, shot: Callable[..., None], theme: str) -> None:
    history = opened(desk, "6, edits=4")
    desk.theme(f"JupyterLab {theme}")
    expect(history.locator(".clh-section").first).to_be_visible()
    desk.page.wait_for_timeout(400)
    shot(desk.page, f"history-{theme.lower()}", ".clh.clp-live")
    assert desk.errors == []
