"""Addresses: what may be shown of one, and whether it is this machine's own."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit, urlunsplit


def without_credentials(url: str) -> str:
    """The address without a user or password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
