"""The catalogue that ships, and what people call its categories."""

from __future__ import annotations

import pytest

from collector.catalogue import DEFAULT_CATEGORIES, SANDBOX_CATEGORIES, Catalogue, shipped
from collector.errors import UnknownCategory
from collector.models import Category

SMALL = Catalogue(
    [
        Category("1", "Garden & Co", "", "garden", True),
        Category("2", "Garden & Co", "Hoses / Nozzles", "garden", True),
        Category("3", "Garden & Co", "Pots", "garden", False),
        Category("4", "Rootless", "Pots", "rootless", True),
        Category("5", "Rootless", "Pans", "rootless", True),
    ]
)


def ids(text: str) -> list[str]:
    return [category.node_id for category in SMALL.find(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2", ["2"]),
        (" 2 ", ["2"]),
        ("garden & co", ["1"]),
        ("GARDEN & CO/*", ["1", "2", "3"]),
        ("Garden & Co/pots", ["3"]),
        ("garden & co  ›  Pots", ["3"]),
        ("Garden & Co > Hoses/Nozzles", ["2"]),
        ("Garden & Co › Hoses / Nozzles", ["2"]),
        ("rootless", ["4", "5"]),
    ],
)
def test_a_text_finds_its_categories(text: str, found: list[str]) -> None:
    assert ids(text) == found


@pytest.mark.parametrize("text", ["", " ", "/", "999", "Garden & Co/Pods", "nothing like it"])
def test_an_unknown_category_is_one_clear_line(text: str) -> None:
    with pytest.raises(UnknownCategory) as caught:
        SMALL.find(text)
    assert "\n" not in str(caught.value)
    assert "collector categories" in str(caught.value)


def test_near_misses_are_named_and_are_few() -> None:
    with pytest.raises(UnknownCategory, match="Did you mean Garden & Co › Pots") as caught:
        SMALL.find("Garden & Co/Pods")
    assert str(caught.value).count("›") <= 3
    with pytest.raises(UnknownCategory, match="Electronics › Headphones"):
        shipped().find("hedphones")


def test_what_a_near_miss_names_can_be_typed() -> None:
    for category in shipped().categories():
        assert shipped().find(category.title) == (category,)
        assert shipped().find(category.node_id) == (category,)
        assert shipped().get(category.node_id) is category


def test_a_departments_own_list_comes_first() -> None:
    assert SMALL.departments() == ("Garden & Co", "Rootless")
    assert [category.name for category in SMALL.categories("garden & CO")] == [
        "",
        "Hoses / Nozzles",
        "Pots",
    ]
    with pytest.raises(UnknownCategory):
        SMALL.categories("Pots")


def test_the_shipped_catalogue_is_sound() -> None:
    categories = shipped().categories()
    assert len(categories) > 300
    assert len({category.node_id for category in categories}) == len(categories)
    assert len({category.title.casefold() for category in categories}) == len(categories)
    assert all(category.node_id.isdecimal() for category in categories)
    assert all(category.department and category.slug for category in categories)
    assert sum(category.confirmed for category in categories) > 250
    assert sum(map(len, map(shipped().categories, shipped().departments()))) == len(categories)


def test_the_presets_are_confirmed_categories() -> None:
    assert len(set(DEFAULT_CATEGORIES)) == len(DEFAULT_CATEGORIES) == 20
    assert len(set(SANDBOX_CATEGORIES)) == 5
    assert set(SANDBOX_CATEGORIES) <= set(DEFAULT_CATEGORIES)
    assert all(shipped().get(node_id).confirmed for node_id in DEFAULT_CATEGORIES)
