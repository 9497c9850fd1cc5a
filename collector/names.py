"""How names of sellers are compared."""

from __future__ import annotations


def normalize_name(username: str) -> str:
    """The form of a user name that is compared: stripped and case-folded."""
    return username.strip().casefold()
