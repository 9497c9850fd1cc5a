"""Text that strangers wrote, made fit to be stored and shown.

PostgreSQL refuses NUL in text and lone surrogates cannot be encoded; control characters would
steer a terminal. Nothing is escaped here: whoever shows the text escapes it for its place.
"""

from __future__ import annotations

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_SPACES = re.compile(r"[ \t\n\f\r\u2028\u2029]+")
_SURROGATES = re.compile(r"[\ud800-\udfff]")

TITLE_LIMIT = 1000


def storable(text: str) -> str:
    """Return the text without NUL characters, and with U+FFFD for lone surrogates."""
    # To look for it takes a tenth of the time that it takes to replace it nowhere.
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        # To encode a page takes a tenth of the time that it takes to search it.
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def one_line(text: str, *, limit: int = TITLE_LIMIT) -> str:
    """Return the text as one storable line of at most `limit` characters, ends stripped.

    Runs of what HTML counts as white space, line breaks among it, become one space.
    """
    return _SPACES.sub(" ", _CONTROLS.sub("", storable(text))).strip()[:limit].rstrip()
