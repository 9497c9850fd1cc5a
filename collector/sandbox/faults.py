"""Faults on purpose: which request meets which one, and what the provider bills for it.

Each request draws anew, also a repetition of the same query, so a retry may succeed. The draw
follows from the seed, the query and how often it was asked: a run of one seed can be repeated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from collector.errors import SandboxError
from collector.sandbox.chance import unit

# Whether such an answer is billed. Oxylabs bills 2xx and the target's own 4xx; 429, 5xx and 6xx
# are free. A request held until the client gives up was done all the same; a cut one brought
# nothing.
BILLED: Mapping[str, bool] = {
    "429": False,
    "500": False,
    "612": False,
    "timeout": True,
    "cut": False,
    "half": True,
    "malformed": True,
    "wall": True,
    "empty": True,
}
KINDS = tuple(BILLED)


def parse_faults(text: str) -> dict[str, float]:
    """Rates by kind from a text such as `429=0.05,500=0.1` or `all=0.3`.

    `all` spreads its rate equally over every kind, in addition to rates of their own.

    Raises:
        SandboxError: names the part that cannot be read.
    """
    rates: dict[str, float] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        kind, _, number = part.partition("=")
        try:
            rate = float(number)
        except ValueError:
            rate = math.nan
        if not 0 <= rate <= 1 or kind not in {*KINDS, "all"}:
            raise SandboxError(
                f"Fault {part!r} cannot be used: write kind=rate with a rate from 0 to 1 and a "
                f"kind out of {', '.join(KINDS)}, all."
            )
        for each in KINDS if kind == "all" else (kind,):
            rates[each] = rates.get(each, 0.0) + rate / (len(KINDS) if kind == "all" else 1)
    # A hair of room: nine ninths need not add up to one.
    if sum(rates.values()) > 1 + 1e-9:
        raise SandboxError("The rates of all faults together must not exceed 1.")
    return rates


class FaultDraw:
    """Decides which request meets which fault."""

    def __init__(self, rates: Mapping[str, float], *, seed: int) -> None:
        self._rates = dict(rates)
        self._seed = seed
        self._asked: Counter[str] = Counter()

    def next(self, query: str) -> str | None:
        """The fault that the next asking of this query meets, None for an honest answer."""
        if not self._rates:
            return None
        self._asked[query] += 1
        share = unit(self._seed, "fault", query, self._asked[query])
        for kind, rate in self._rates.items():
            if share < rate:
                return kind
            share -= rate
        return None
