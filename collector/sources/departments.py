"""Amazon's departments: the request for a department's best-seller page, and the lists it links.

Pure. The page's own tree of lists is read by its links, `/zgbs/<department>/<browse node id>`:
class names there are made by a build and change with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from collector.errors import Blocked, PageNotUnderstood
from collector.sources.foreign_text import one_line, storable

_LONGEST_NAME = 200
_MOST_CHILDREN = 1000
_BOT_WALL = re.compile(
    r"api-services-support@amazon\.com|enter the characters you see below|/errors/validateCaptcha",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class DepartmentChild:
    """One list that a department's page links: its browse node id, and its name there."""

    node_id: str
    name: str


def department_url(slug: str) -> str:
    """The address of a department's best-seller page."""
    return f"https://www.amazon.com/gp/bestsellers/{slug}"


def department_payload(slug: str, *, geo_location: str) -> dict[str, Any]:
    """The request for a department's page, for `OxylabsClient.fetch`. It is billed as any other.

    Args:
        slug: the department in Amazon's addresses, `electronics`.
        geo_location: a US ZIP code.
    """
    return {"source": "amazon", "url": department_url(slug), "geo_location": geo_location}


def department_children(html: str, *, department_slug: str) -> tuple[DepartmentChild, ...]:
    """Read the lists that a department's best-seller page links, in the page's order, each once.

    Raises:
        Blocked: a bot wall stands where the page should be.
        PageNotUnderstood: the page links no list of this department.
    """
    link = re.compile(
        rf"/zgbs/{re.escape(department_slug)}/(\d{{1,20}})(?=[/?#]|$)", re.IGNORECASE | re.ASCII
    )
    found: dict[str, DepartmentChild] = {}
    for anchor in LexborHTMLParser(html).css("a[href*='/zgbs/']"):
        linked = link.search(anchor.attributes.get("href") or "")
        name = one_line(anchor.text(separator=" "), limit=_LONGEST_NAME)
        # A picture links as well as its text does: the one without words is passed over.
        if linked and name and len(found) < _MOST_CHILDREN:
            found.setdefault(linked[1], DepartmentChild(linked[1], name))
    if found:
        return tuple(found.values())
    if _BOT_WALL.search(html):
        raise Blocked("Amazon asks whether we are a robot. Try again later.", page=storable(html))
    raise PageNotUnderstood(
        f"The page links no best-seller list of {one_line(department_slug, limit=80)}. "
        "Try again, or have a look at it in a browser.",
        page=storable(html),
    )
