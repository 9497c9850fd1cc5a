"""Chance without memory: every draw is a hash of what it is drawn for.

No generator is shared between requests, so the market answers the same whatever the order in
which it is asked, and however often it was restarted in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_SPAN = 1 << 64


def draw(*things: object) -> int:
    """A whole number from 0 to 2**64 - 1, always the same for the same things."""
    text = "\x1f".join(map(str, things))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def unit(*things: object) -> float:
    """A number from 0 (included) to 1 (excluded)."""
    # 53 bits are what a float holds; more of them could round up to 1.
    return (draw(*things) >> 11) / (1 << 53)


def between(low: float, high: float, *things: object) -> float:
    """A number from `low` to `high`."""
    return low + (high - low) * unit(*things)


def pick(choices: Sequence[T], *things: object) -> T:
    """One of the choices."""
    return choices[draw(*things) * len(choices) // _SPAN]


def log_normal(mean: float, spread: float, *things: object) -> float:
    """A positive number with this mean; `spread` is the deviation of its logarithm."""
    radius = math.sqrt(-2 * math.log(1 - unit("radius", *things)))
    normal = radius * math.cos(math.tau * unit("angle", *things))
    return mean * math.exp(spread * normal - spread * spread / 2)
