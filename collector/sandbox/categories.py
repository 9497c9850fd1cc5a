"""What the sandbox knows of real categories: the department of a list, and its own preset.

It reads the catalogue's file and not the catalogue, which stands on the same floor. Any node id
has a list here; a known department only gives its titles a flavour.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

# The catalogue's sandbox preset; a test holds the two together.
PRESET_NODES = ("289754", "3610841", "2975312011", "172541", "166269011")


def department_of(node_id: str) -> str | None:
    """The department of a browse node id, None for one that the catalogue does not have."""
    return _departments().get(node_id)


@cache
def _departments() -> dict[str, str]:
    text = (files("collector") / "data/categories.csv").read_text("utf-8")
    return {row["node_id"]: row["department"] for row in csv.DictReader(text.splitlines())}
