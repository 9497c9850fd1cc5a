"""The sandbox's department pages: the catalogue's lists, and the little that has changed since.

Of each department with enough lists one list is renamed, one is gone and one is new, so that a
check of the catalogue has something to show. Always the same ones.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from html import escape
from importlib.resources import files
from urllib.parse import urlsplit

from collector.sandbox.categories import PRESET_NODES
from collector.sandbox.chance import draw, pick

LEAST_LISTS = 4
_PATH = re.compile(r"/gp/bestsellers/([a-z0-9-]+)/?")


def department_page(url: str) -> str | None:
    """The best-seller page of the department that an address names; None where it names none."""
    parts = urlsplit(url)
    path = _PATH.fullmatch(parts.path)
    if not re.fullmatch(r"(www\.)?amazon\.com", parts.hostname or "") or path is None:
        return None
    slug = path[1]
    lists = _lists().get(slug)
    if lists is None:
        return None
    items = "".join(
        f'<li><a href="/Best-Sellers-{escape(_words(name))}/zgbs/{slug}/{node_id}'
        f'/ref=zg_bs_nav_{slug}_1">{escape(name)}</a></li>'
        for node_id, name in _as_of_today(slug, lists)
    )
    return (
        "<!DOCTYPE html><html><head><title>Best Sellers</title></head><body>"
        f'<h1>Best Sellers</h1><ul><li><a href="/Best-Sellers/zgbs/">Any Department</a></li>'
        f"{items}</ul></body></html>"
    )


def _as_of_today(slug: str, lists: list[tuple[str, str]]) -> list[tuple[str, str]]:
    changeable = [node_id for node_id, _ in lists if node_id not in PRESET_NODES]
    if len(changeable) < LEAST_LISTS:
        return lists
    gone = pick(changeable, slug, "gone")
    renamed = pick([n for n in changeable if n != gone], slug, "renamed")
    kept = [
        (node_id, f"{name} & More" if node_id == renamed else name)
        for node_id, name in lists
        if node_id != gone
    ]
    return [*kept, (str(90_000_000_000 + draw(slug, "new") % 10**9), "Newly Invented Things")]


def _words(name: str) -> str:
    return "-".join(re.findall(r"[A-Za-z0-9]+", name))


@cache
def _lists() -> dict[str, list[tuple[str, str]]]:
    """The lists of each department, by its slug."""
    text = (files("collector") / "data/categories.csv").read_text("utf-8")
    found: dict[str, list[tuple[str, str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        lists = found.setdefault(row["slug"], [])
        if row["name"]:
            lists.append((row["node_id"], row["name"]))
    return found
