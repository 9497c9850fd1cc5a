"""The launcher asks a department's own page what lists it has, and shows what it says."""

from __future__ import annotations

import re

from desk import Desk, Lab
from playwright.sync_api import expect

OPEN = "from collector.workbench import Workbench\nbench = Workbench.open()"
SHOW = "launcher = bench.launcher()\nlauncher"


def test_a_department_is_checked_from_the_form(lab: Lab, desk: Desk) -> None:
    desk.open(lab.write("check.ipynb", OPEN, SHOW, ""))
    desk.wide()
    desk.run(0)
    desk.run(1)
    form = desk.page.locator(".clp-launcher")
    form.get_by_label("Department to check").select_option("Electronics")
    form.get_by_role("button", name="Check", exact=True).click()
    group = form.get_by_role("group", name="Catalogue")
    expect(group).to_contain_text(re.compile(r"Electronics: .*\d+ known\."), timeout=20_000)
    expect(form.get_by_role("button", name="Check", exact=True)).to_be_enabled()
    expect(form.locator(".clp-tree")).to_be_visible()
    assert desk.ask("len(bench.choose())") == "5"
    assert desk.errors == []
