"""What the collector's peers share: how a page is read with their selectors, stored and measured.

The extraction is the simplest that finds the same sellers in the sandbox's markup, written with
parsel, which both peers' documentation uses. The sellers go into a table of their own, a
transaction a page.
"""

from __future__ import annotations

import re
import time
from typing import Self

from parsel import Selector

from measured.processes import peak_mb

TABLE = """
    CREATE TABLE IF NOT EXISTS peer_sellers
        (name text PRIMARY KEY, percent numeric, feedback bigint, times integer NOT NULL DEFAULT 1)
"""
UPSERT = """
    INSERT INTO peer_sellers (name, percent, feedback)
    SELECT DISTINCT ON (name) * FROM unnest(%s::text[], %s::numeric[], %s::bigint[])
        AS t(name, percent, feedback) ORDER BY name
    ON CONFLICT (name) DO UPDATE SET percent = excluded.percent, feedback = excluded.feedback,
        times = peer_sellers.times + 1
"""

Found = tuple[str, float, int]

_ROWS = (
    ".su-card-container__attributes__secondary .s-card__attribute-row, .s-item__seller-info-text"
)
_SELLER = re.compile(
    r"(?P<name>[^\s()%]+)\s+(?:(?P<percent>[\d.,]+)%\s+\S+\s+\((?P<count>[^)]+)\)"
    r"|\((?P<old_count>[\d,]+)\)\s+(?P<old_percent>[\d.]+)%)"
)


def sellers_of(page: Selector) -> list[Found]:
    """The sellers of the cards that match: name, percentage, count."""
    found = []
    for card in page.css("ul.srp-results > li"):
        if "srp-river-answer" in card.attrib.get("class", ""):
            if "fewer words" in " ".join(card.css("::text").getall()):
                break
            continue
        for row in card.css(_ROWS):
            match = _SELLER.match(" ".join(" ".join(row.css("::text").getall()).split()))
            if match:
                percent = match["percent"] or match["old_percent"]
                count = _count(match["count"] or match["old_count"])
                found.append((match["name"].casefold(), float(percent.replace(",", ".")), count))
    return found


def _count(text: str) -> int:
    if text.endswith("K"):
        return round(float(text[:-1].replace(",", ".")) * 1000)
    return int(text.replace(",", ""))


class Measured:
    """What this process used between entering and leaving."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._began, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.figures = {
            "seconds": time.perf_counter() - self._began,
            "cpu_s": time.process_time() - self._cpu,
            "peak_mb": peak_mb(),
        }
