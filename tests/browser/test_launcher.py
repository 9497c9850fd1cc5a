"""The launcher in a real JupyterLab: choose, see what it may cost, launch once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from desk import Desk, Lab
from playwright.sync_api import Locator, expect

SHOW = """\
from collector.models import Category
from collector.words import Source
from scripted_desk import ScriptedDesk
from scripted_run import HOSTILE
desk = ScriptedDesk({given})
desk.launcher"""


def opened(lab: Lab, desk: Desk, name: str, given: str = "") -> Locator:
    """The launcher, shown by a notebook's first cell; the second is free."""
    desk.open(lab.write(name, SHOW.format(given=given), ""))
    desk.wide()
    desk.run(0)
    form = desk.page.locator(".clp-launcher")
    expect(form).to_be_visible()
    return form


def test_choosing_by_search_by_department_and_all(lab: Lab, desk: Desk) -> None:
    form = opened(lab, desk, "choose.ipynb")
    badge = form.locator(".clp-treetools .clp-badge")
    launch = form.get_by_role("button", name="Launch")
    expect(badge).to_have_text("0 of 334 categories chosen")
    expect(launch).to_be_disabled()
    expect(form.locator(".clp-estimate")).to_have_text("Choose at least one category.")
    form.get_by_role("checkbox", name="Select all of Automotive").check()
    expect(badge).to_have_text("13 of 334 categories chosen")
    form.get_by_role("searchbox").fill("coffee")
    form.get_by_role("button", name="Select these", exact=True).click()
    found = form.locator(".clp-category:visible")
    assert found.count() >= 1
    assert all("coffee" in text.lower() for text in found.all_inner_texts())
    expect(badge).to_have_text(f"{13 + found.count()} of 334 categories chosen")
    form.get_by_role("searchbox").fill("no such thing")
    expect(form.get_by_text("No category is called that.")).to_be_visible()
    form.get_by_role("searchbox").fill("")
    form.get_by_role("button", name="Select all", exact=True).click()
    expect(badge).to_have_text("334 of 334 categories chosen")
    expect(form.locator(".clp-warnings")).to_contain_text("not confirmed")
    form.get_by_role("button", name="Select none").click()
    form.get_by_role("button", name="Unfold Appliances").click()
    form.locator(".clp-category:visible").nth(1).click()
    expect(form.locator(".clp-some")).to_have_text("1 of 12")
    assert (
        form.locator("input[type=checkbox]").evaluate_all(
            "boxes => boxes.filter((box) => box.indeterminate).length"
        )
        == 1
    )
    expect(launch).to_be_enabled()
    assert desk.errors == []


def test_presets_in_the_form(lab: Lab, desk: Desk) -> None:
    form = opened(lab, desk, "presets.ipynb")
    form.get_by_role("button", name="Use", exact=True).click()
    expect(form.locator(".clp-treetools .clp-badge")).to_have_text("20 of 334 categories chosen")
    form.get_by_role("button", name="Save as…").click()
    form.locator(".clp-ask input").fill("Second <b>choice</b>")
    form.get_by_role("button", name="Save", exact=True).click()
    preset = form.get_by_role("combobox", name="Preset")
    expect(preset).to_have_value("Second <b>choice</b>")
    form.get_by_role("button", name="Make default").click()
    expect(preset.locator("option:checked")).to_have_text("★ Second <b>choice</b> (20)")
    form.get_by_role("button", name="Rename…").click()
    form.locator(".clp-ask input").fill("Third")
    desk.page.keyboard.press("Enter")
    expect(preset).to_have_value("Third")
    form.get_by_role("button", name="Delete…").click()
    expect(form.get_by_role("button", name="Keep as it is")).to_be_focused()
    form.get_by_role("button", name="Delete", exact=True).click()
    expect(preset).to_have_value("Everyday")
    assert desk.ask("list(desk.presets), desk.default") == "['Everyday'] Third"
    form.get_by_role("button", name="Select none").click()
    form.get_by_role("button", name="Save as…").click()
    form.get_by_role("button", name="Save", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("at least one category")


def test_bad_input_is_shown_in_its_place_and_keeps_launch_shut(lab: Lab, desk: Desk) -> None:
    form = opened(lab, desk, "bad.ipynb")
    form.get_by_role("button", name="Use", exact=True).click()
    launch = form.get_by_role("button", name="Launch")
    expect(launch).to_be_enabled()
    budget = form.get_by_label("Budget")
    budget.fill("0")
    expect(budget).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_text("✕ A whole number from 1.")).to_be_visible()
    expect(launch).to_be_disabled()
    budget.press_sequentially("e")
    expect(launch).to_be_disabled()
    budget.fill("500")
    expect(form.locator(".clp-estimate")).to_contain_text("The budget of 500 ends it.")
    form.get_by_label("Upper end of the price window").fill("70")
    expect(form.get_by_text("✕ Must be more than the lower end.")).to_be_visible()
    form.get_by_label("Upper end of the price window").fill("130")
    expect(launch).to_be_enabled()


def test_a_double_click_launches_one_run_and_shows_its_panel(lab: Lab, desk: Desk) -> None:
    form = opened(lab, desk, "launch.ipynb")
    expect(form.locator(".clp-head .clp-badge")).to_have_text("SANDBOX")
    expect(form.locator(".clp-warnings")).to_contain_text("No credentials are set")
    form.get_by_role("button", name="Use", exact=True).click()
    form.get_by_label("Name").fill("Double")
    form.get_by_label("Budget").fill("777")
    form.get_by_label("Next page").select_option("while somebody is new to the list")
    launch = form.locator(".clp-launch")
    expect(launch).to_be_enabled()
    # Both clicks, and the last field's value, leave before the kernel has answered anything.
    launch.dblclick()
    expect(launch).to_have_text("Launching…")
    expect(desk.panel.locator(".clp-name")).to_have_text("Double")
    expect(desk.panel.locator(".clp-status")).to_have_text("● Running")
    expect(launch).to_be_enabled()
    told = "[(c.name, c.budget, len(c.categories), c.options.page_on) for c in desk.choices]"
    assert desk.ask(told) == "[('Double', 777, 20, 'while_new')]"
    desk.panel.get_by_role("button", name="Pause").click()
    expect(desk.panel.locator(".clp-status")).to_have_text("❚❚ Paused")
    assert desk.errors == []


def test_what_launching_could_not_do_is_told(lab: Lab, desk: Desk) -> None:
    form = opened(lab, desk, "refused.ipynb")
    desk.ask("setattr(desk, 'refuses', 'PostgreSQL cannot be reached: start it.')")
    form.get_by_role("button", name="Use", exact=True).click()
    form.get_by_role("button", name="Launch").click()
    expect(form.get_by_role("alert")).to_contain_text("PostgreSQL cannot be reached: start it.")


def test_a_page_loaded_again_still_shows_what_was_chosen(lab: Lab, desk: Desk) -> None:
    form = opened(lab, desk, "reload.ipynb")
    form.get_by_role("button", name="Use", exact=True).click()
    form.get_by_label("Budget").fill("321")
    expect(form.locator(".clp-estimate")).to_contain_text("321")
    desk.save()
    desk.page.reload()
    desk.wait_idle()
    expect(form.locator(".clp-treetools .clp-badge")).to_have_text("20 of 334 categories chosen")
    expect(form.get_by_label("Budget")).to_have_value("321")


def test_hostile_names_of_categories_and_presets_execute_nothing(lab: Lab, desk: Desk) -> None:
    more = "more=[Category(str(n), t, t, 'x', False) for n, t in enumerate(HOSTILE[:6])]"
    form = opened(lab, desk, "hostile-launcher.ipynb", more)
    desk.ask(
        "desk.presets.update({t: ('1',) for t in HOSTILE[:6]}), desk.launcher._renew_presets()"
    )
    form.get_by_role("searchbox").fill("__pwned")
    form.get_by_role("button", name="Select these", exact=True).click()
    expect(form.locator(".clp-warnings")).to_contain_text("<img src=x onerror=")
    expect(form.locator(".clp-preset option")).to_have_count(7)
    desk.page.wait_for_timeout(500)
    assert desk.page.evaluate("() => window.__pwned") is None
    assert form.locator("img, iframe, script, svg, a").count() == 0


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1280, 700])
def test_the_form_fits_its_pane(
    lab: Lab, desk: Desk, shot: Callable[..., None], theme: str, width: int
) -> None:
    desk.page.set_viewport_size({"width": width, "height": 1100})
    form = opened(lab, desk, f"form-{theme}-{width}.ipynb")
    desk.theme(f"JupyterLab {theme}")
    form.get_by_role("button", name="Use", exact=True).click()
    form.get_by_role("searchbox").fill("baby")
    desk.page.wait_for_timeout(500)
    shot(desk.page, f"launcher-{theme.lower()}-{width}", ".clp-launcher")
    box = form.bounding_box()
    for part in (".clp-treetools", ".clp-departments", ".clp-fields", ".clp-launchline"):
        inner = form.locator(part).bounding_box()
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1, part
