"""What a department's page says, and what becomes of the catalogue."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue import Catalogue
from collector.catalogue_checks import compare, to_store, with_changes
from collector.errors import Blocked, PageNotUnderstood, UnknownCategory
from collector.models import Category
from collector.sandbox.categories import PRESET_NODES
from collector.sandbox.departments import department_page
from collector.sources.departments import (
    DepartmentChild,
    department_children,
    department_payload,
    department_url,
)

PAGE = (Path(__file__).parent / "pages" / "department.html").read_text(encoding="utf-8")
POTS = Category("11", "Garden", "Pots", "garden", True)
HOSES = Category("12", "Garden", "Hoses", "garden", False)
RAKES = Category("13", "Garden", "Rakes", "garden", True)
LAMPS = Category("21", "Lighting", "", "lighting", True)
SMALL = Catalogue([Category("10", "Garden", "", "garden", True), POTS, HOSES, RAKES, LAMPS])


def test_a_page_is_read_by_its_links_in_order_each_once() -> None:
    assert department_children(PAGE, department_slug="garden") == (
        DepartmentChild("11", "Flower Pots & Planters"),
        DepartmentChild("12", "Hoses"),
        DepartmentChild("14", "Sprinklers"),
        DepartmentChild("15", "<img src=x onerror=alert(1)>"),
    )


def test_the_recorded_page_names_exactly_the_lists_known_of_it(recordings: Path) -> None:
    folder = recordings / "amazon" / "best_sellers_electronics"
    page = gzip.decompress((folder / "page.html.gz").read_bytes()).decode("utf-8")
    found = department_children(page, department_slug="electronics")
    table = recordings.parent / "reference" / "categories.csv"
    known = {
        (row["node_id"], row["category"])
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines())
        if row["department"] == "Electronics" and "real-page-2026" in row["sources"]
    }
    assert {(child.node_id, child.name) for child in found} == known
    assert len(found) == 18


def test_a_page_of_another_department_or_a_bot_wall_is_refused() -> None:
    with pytest.raises(PageNotUnderstood, match="links no best-seller list of books"):
        department_children(PAGE, department_slug="books")
    wall = "<html>Enter the characters you see below</html>"
    with pytest.raises(Blocked, match="robot"):
        department_children(wall, department_slug="garden")


@given(st.text(max_size=400))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    page = f'<a href="/zgbs/garden/{text}">{text}</a>{text}'
    try:
        found = department_children(page, department_slug="garden")
    except PageNotUnderstood:
        return
    assert all(child.node_id.isdecimal() and child.name.strip() for child in found)


def test_the_request_is_for_the_departments_own_page() -> None:
    assert department_payload("garden", geo_location="90210") == {
        "source": "amazon",
        "url": "https://www.amazon.com/gp/bestsellers/garden",
        "geo_location": "90210",
    }


def test_a_check_tells_what_is_known_new_renamed_gone_or_elsewhere() -> None:
    children = [*department_children(PAGE, department_slug="garden"), DepartmentChild("21", "Lamp")]
    changes = compare(SMALL, "garden", children)
    told = [(c.category.node_id, c.status, c.category.confirmed) for c in changes]
    assert told == [
        ("11", "renamed", True),
        ("12", "known", True),
        ("14", "new", True),
        ("15", "new", True),
        ("21", "known", True),
        ("13", "gone", False),
    ]
    assert changes[0].old_name == "Pots"
    assert changes[4].elsewhere == "Lighting"
    with pytest.raises(UnknownCategory):
        compare(SMALL, "Boats", children)


def test_the_catalogue_takes_what_was_said_and_marks_what_was_empty() -> None:
    children = department_children(PAGE, department_slug="garden")
    stored = to_store(compare(SMALL, "Garden", children))
    after = with_changes(SMALL, stored, empty={"12"})
    assert after.get("11").name == "Flower Pots & Planters"
    assert after.get("14") in after.categories("Garden")
    assert not after.get("13").confirmed
    assert not after.get("12").confirmed
    assert after.get("21") == LAMPS
    again = compare(after, "Garden", children)
    assert [c.status for c in again] == ["known", "known", "known", "known", "gone"]
    assert with_changes(SMALL, []).categories() == SMALL.categories()


def test_the_sandbox_has_a_page_of_each_department_that_differs_a_little() -> None:
    page = department_page(department_url("electronics"))
    assert page is not None
    found = {child.node_id for child in department_children(page, department_slug="electronics")}
    assert len(found) == 16
    assert set(PRESET_NODES) & found == {"172541"}
    assert department_page(department_url("no-such-department")) is None
    assert department_page("https://www.ebay.com/gp/bestsellers/electronics") is None
    assert page == department_page(department_url("electronics"))
