"""Departments and categories: the best-seller lists that a run may walk.

The list ships with the package (`collector/data/categories.csv`). It was put together from public
sources; a category that two or more of them agree on is confirmed. A browse node id stands once:
where sources file one list under two departments, it stands under the one that it is the root
of, else under the one that more sources name. Knows no database and no network.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files

from collector.errors import UnknownCategory
from collector.models import Category

# Lists of small, light, much copied goods with prices that bear a reseller's margin. All confirmed.
DEFAULT_CATEGORIES: tuple[str, ...] = (
    "289754",  # Kitchen & Dining › Kitchen Utensils & Gadgets
    "510136",  # Kitchen & Dining › Storage & Organization
    "289913",  # Kitchen & Dining › Small Appliances
    "3610841",  # Home & Kitchen › Storage & Organization
    "1063278",  # Home & Kitchen › Home Décor
    "1063236",  # Home & Kitchen › Bath
    "1063252",  # Home & Kitchen › Bedding
    "510106",  # Home & Kitchen › Vacuums & Floor Care
    "2975312011",  # Pet Supplies › Dogs
    "2975241011",  # Pet Supplies › Cats
    "3407731",  # Sports & Outdoors › Exercise & Fitness
    "706814011",  # Sports & Outdoors › Outdoor Recreation
    "15857501",  # Automotive › Interior Accessories
    "328182011",  # Tools & Home Improvement › Power & Hand Tools
    "495224",  # Tools & Home Improvement › Lighting & Ceiling Fans
    "553788",  # Patio, Lawn & Garden › Outdoor Décor
    "172541",  # Electronics › Headphones
    "172456",  # Computers & Accessories › Computer Accessories & Peripherals
    "11062741",  # Beauty & Personal Care › Tools & Accessories
    "166269011",  # Toys & Games › Learning & Education
)
SANDBOX_CATEGORIES: tuple[str, ...] = ("289754", "3610841", "2975312011", "172541", "166269011")

_SUGGESTIONS = 3
_LEAST_LIKENESS = 0.55


class Catalogue:
    """Categories by department, by browse node id and by what people call them."""

    def __init__(self, categories: Iterable[Category]) -> None:
        self._by_node = {category.node_id: category for category in categories}
        self._by_title: dict[str, Category] = {}
        self._by_department: dict[str, list[Category]] = {}
        for category in self._by_node.values():
            self._by_title[_key(category.title)] = category
            self._by_department.setdefault(category.department, []).append(category)

    def __len__(self) -> int:
        return len(self._by_node)

    def departments(self) -> tuple[str, ...]:
        """Every department, in the catalogue's order."""
        return tuple(self._by_department)

    def categories(self, department: str | None = None) -> tuple[Category, ...]:
        """Every category, or one department's, its own root list first.

        Raises:
            UnknownCategory: there is no such department.
        """
        if department is None:
            return tuple(self._by_node.values())
        for name, categories in self._by_department.items():
            if _key(name) == _key(department):
                return tuple(categories)
        raise self._unknown(department)

    def get(self, node_id: str) -> Category:
        """The category with that browse node id.

        Raises:
            UnknownCategory: there is none.
        """
        try:
            return self._by_node[node_id]
        except KeyError:
            raise self._unknown(node_id) from None

    def find(self, text: str) -> tuple[Category, ...]:
        """The categories that a person means by a text, in any case.

        A browse node id; `Department/Name` or `Department › Name`; `Department`, which is its own
        root list, or all its lists where it has none; `Department/*`, which is all its lists.

        Raises:
            UnknownCategory: nothing is called that; names up to three near misses.
        """
        key = _key(text)
        if text.strip() in self._by_node:
            return (self._by_node[text.strip()],)
        if key in self._by_title:
            return (self._by_title[key],)
        for name, categories in self._by_department.items():
            if key in {_key(name), _key(f"{name}/*")}:
                return tuple(categories)
        raise self._unknown(text)

    def search(self, text: str = "") -> tuple[Category, ...]:
        """The categories whose title or browse node id holds a text, in any case; "" is in all."""
        wanted = " ".join(text.split()).casefold()
        return tuple(
            category
            for category in self._by_node.values()
            if wanted in category.title.casefold() or wanted in category.node_id
        )

    def _unknown(self, text: str) -> UnknownCategory:
        near = self._near(text)
        shown = re.sub(r"\s+", " ", text).strip()[:80]
        meant = f" Did you mean {', or '.join(near)}?" if near else ""
        return UnknownCategory(
            f'The catalogue has no category "{shown}".{meant} '
            "`collector categories` lists them all."
        )

    def _near(self, text: str) -> list[str]:
        wanted = _key(text)[:120]
        if not wanted:
            return []
        scores = {name: 1.0 for name in self._by_department if wanted == _key(name)}
        for category in self._by_node.values():
            forms = (category.title, category.name, category.node_id)
            scores[category.title] = max(_likeness(wanted, _key(form)) for form in forms if form)
        best = sorted((-score, title) for title, score in scores.items())
        return [title for score, title in best[:_SUGGESTIONS] if -score >= _LEAST_LIKENESS]


@cache
def shipped() -> Catalogue:
    """The catalogue that comes with the package."""
    table = files("collector").joinpath("data", "categories.csv").read_text(encoding="utf-8")
    return Catalogue(
        Category(
            node_id=row["node_id"],
            department=row["department"],
            name=row["name"],
            slug=row["slug"],
            confirmed=row["confirmed"] == "yes",
        )
        for row in csv.DictReader(table.splitlines())
    )


def _key(text: str) -> str:
    parts = re.split(r"\s*[/›>]\s*", " ".join(text.split()))
    return "/".join(parts).strip("/ ").casefold()


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
