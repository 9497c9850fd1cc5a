"""What a check of the catalogue found, as a frame."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from collector.catalogue_checks import CategoryChange
from collector.columns import Column, FrameSpec

CATEGORY_CHANGES = FrameSpec(
    "category_changes",
    "one category that a department's page links, or links no more",
    "in the page's order, then those that are gone",
    (
        Column("status", "str", "known, new, renamed or gone"),
        Column("node_id", "str", "its browse node id"),
        Column("name", "str", "its name from now on; empty for a department's own list"),
        Column("old_name", "str", "what it was called; missing unless it was renamed"),
        Column("department", "str", "the department that the catalogue has it under"),
        Column("confirmed", "bool", "whether it is confirmed from now on"),
    ),
)


def category_changes(changes: Iterable[CategoryChange]) -> pd.DataFrame:
    """One row a category (`CATEGORY_CHANGES`)."""
    return CATEGORY_CHANGES.frame(
        [
            {
                "status": change.status,
                "node_id": change.category.node_id,
                "name": change.category.name,
                "old_name": change.old_name or None,
                "department": change.category.department,
                "confirmed": change.category.confirmed,
            }
            for change in changes
        ]
    )
