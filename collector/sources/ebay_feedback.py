"""One row of a result card that names its seller: name, feedback in percent, feedback count.

Pure. The forms were read off real pages of 2024-2026; the languages differ in the word after the
percentage and in the decimal mark, so neither is relied on.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from collector.models import Seller

# Far longer than any row seen (70 characters), short enough for any pattern to be instant.
_LONGEST_ROW = 300
_LARGEST_COUNT = 10**12

_NAME = r"(?P<name>[^\s()%（）]{1,64})"
_PERCENT = r"(?P<percent>\d{1,3}(?:[.,]\d{1,3})?)\s?[%％]"
_COUNT = r"[(（]\s?(?P<count>\d[\d.,\s'’]{0,18}?)\s?(?P<unit>K|M|B|mil|千|万)?\s?[)）]"

_WORD = r"(?P<word>[^\d%()（）$€£¥]{1,60}?)"

_FORMS = (
    # 2025-26: "name 99.6% positive (785)", "name 96,7% positivo (44)"
    re.compile(rf"{_NAME}\s{_PERCENT}\s?{_WORD}\s?{_COUNT}", re.IGNORECASE),
    # until mid-2025: "name (5,745) 100%"
    re.compile(rf"{_NAME}\s{_COUNT}\s?{_PERCENT}", re.IGNORECASE),
)
_UNITS = {"": 1, "k": 10**3, "mil": 10**3, "千": 10**3, "万": 10**4, "m": 10**6, "b": 10**9}
_REBATE = re.compile(r"\b(off|discount|coupon|save)\b", re.I)


def read_seller(row: str) -> Seller | None:
    """Read one row of a card; None where the row is about something else.

    The row begins with the name; what follows the feedback (a badge's tooltip) is ignored.
    A name with spaces is no user name, and a row that begins with one is not read.
    """
    text = " ".join(_visible(row[:_LONGEST_ROW]).split())
    for form in _FORMS:
        match = form.match(text)
        if match is None or _REBATE.search(match.groupdict().get("word") or ""):
            continue
        percent = Decimal(match["percent"].replace(",", "."))
        if percent <= 100:
            count = _whole_number(match["count"], (match["unit"] or "").casefold())
            return Seller(match["name"], float(percent), count)
    return None


def _visible(text: str) -> str:
    # eBay strews invisible marks into words (joiners, directions).
    hidden = {"Cf", "Cc", "Cs"}
    return "".join(c for c in text if unicodedata.category(c) not in hidden or c.isspace())


def _whole_number(digits: str, unit: str) -> int | None:
    """`1.2` and `k` are 1200, exactly; without a unit every mark groups digits: `5,745` is 5745."""
    if unit:
        plain = re.sub(r"[\s'’]", "", digits).replace(",", ".")
        whole, _, fraction = plain.rpartition(".") if "." in plain else (plain, "", "")
        number = Decimal(f"{whole.replace('.', '') or '0'}.{fraction or '0'}")
        value = int(number * _UNITS[unit])
    else:
        value = int(re.sub(r"\D", "", digits))
    return value if value <= _LARGEST_COUNT else None
