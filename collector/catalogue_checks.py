"""What a department's page says of the catalogue, and the catalogue with all that was said.

Pure: the catalogue as it was, the page's links, and what is stored go in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from collector.catalogue import Catalogue
from collector.models import Category
from collector.sources.departments import DepartmentChild
from collector.store.categories import StoredCategory


@dataclass(frozen=True, slots=True)
class CategoryChange:
    """What a department's page says of one category.

    Attributes:
        category: as it stands from now on.
        status: known, new, renamed or gone.
        old_name: what it was called, where it was renamed.
        elsewhere: the department that the catalogue has it under, where that is another one.
    """

    category: Category
    status: str
    old_name: str = ""
    elsewhere: str = ""


def compare(
    catalogue: Catalogue, department: str, children: Sequence[DepartmentChild]
) -> tuple[CategoryChange, ...]:
    """Hold a department's page against the catalogue: its lists in their order, then the gone.

    A list that the catalogue has under another department stays there; sources file some lists
    under two. What the page no longer links stays in the catalogue, unconfirmed: it may have been
    moved deeper, and a run tells.

    Raises:
        UnknownCategory: there is no such department.
    """
    listed = catalogue.categories(department)
    by_node = {category.node_id: category for category in catalogue.categories()}
    changes = [_of_child(child, listed[0], by_node.get(child.node_id)) for child in children]
    linked = {child.node_id for child in children}
    for category in listed:
        if category.name and category.node_id not in linked:
            changes.append(CategoryChange(replace(category, confirmed=False), "gone"))
    return tuple(changes)


def _of_child(child: DepartmentChild, first: Category, known: Category | None) -> CategoryChange:
    if known is None:
        category = Category(child.node_id, first.department, child.name, first.slug, True)
        return CategoryChange(category, "new")
    if known.department != first.department:
        return CategoryChange(replace(known, confirmed=True), "known", elsewhere=known.department)
    confirmed = replace(known, confirmed=True)
    if not known.name or known.name.casefold() == child.name.casefold():
        return CategoryChange(confirmed, "known")
    return CategoryChange(replace(confirmed, name=child.name), "renamed", old_name=known.name)


def to_store(changes: Iterable[CategoryChange]) -> list[StoredCategory]:
    """What is kept of these changes: all but department roots and lists of other departments."""
    kept = [c for c in changes if c.category.name and not c.elsewhere]
    return [
        StoredCategory(c.category, c.status, f"was {c.old_name}" if c.old_name else "")
        for c in kept
    ]


def with_changes(
    catalogue: Catalogue, stored: Iterable[StoredCategory], *, empty: Collection[str] = ()
) -> Catalogue:
    """The catalogue with what is stored in its place, new categories behind their department's.

    Args:
        catalogue: as it was shipped.
        stored: what departments' pages said.
        empty: node ids of lists that held nothing when last read: unconfirmed.
    """
    categories = {category.node_id: category for category in catalogue.categories()}
    for found in stored:
        categories[found.category.node_id] = found.category
    return Catalogue(
        replace(category, confirmed=False) if category.node_id in empty else category
        for category in categories.values()
    )
