"""Amazon best-seller lists: the request for one page, and the products that its answer names.

Pure. Prices are compared with dollars later, so only a dollar price is ever given as one: every
other product keeps its place with the reason why it is not searched for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from collector.errors import PageNotUnderstood
from collector.models import Product, ProductPage
from collector.sources.foreign_text import one_line, storable
from collector.sources.oxylabs_answer import check_parse_status

_PLACES_PER_PAGE = 50
_HIGHEST_DOLLARS = Decimal(1_000_000)
_SYMBOLS = {"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₩": "KRW", "₪": "ILS"}


def best_sellers_payload(node_id: str, *, page: int, geo_location: str) -> dict[str, Any]:
    """The request for one page of a list, for `OxylabsClient.fetch`.

    Args:
        node_id: the list's browse node id.
        page: 1 or 2.
        geo_location: a US ZIP code; without one, prices come in the visitor's currency.
    """
    return {
        "source": "amazon_bestsellers",
        "domain": "com",
        "query": node_id,
        "start_page": page,
        "pages": 1,
        "parse": True,
        "geo_location": geo_location,
    }


def parse_best_sellers(content: str | dict[str, Any], *, page: int) -> ProductPage:
    """Read one parsed page of a list. A list that answers with nothing has no products.

    Entries without a usable ASIN are no products and are left out; an ASIN counts once.

    Raises:
        TargetFailed: the content says that it was not parsed.
        PageNotUnderstood: it is not a parsed best-seller page.
    """
    if isinstance(content, str):
        raise PageNotUnderstood(
            "Amazon's best-seller page came unparsed. Ask again.", page=storable(content)
        )
    check_parse_status(content)
    entries = content.get("results")
    if not isinstance(entries, list):
        fields = one_line(", ".join(map(str, list(content)[:12])), limit=200)
        raise PageNotUnderstood(
            f"The parsed page holds no list of results, only: {fields or 'nothing'}. Ask again.",
            page=storable(str(content)[:100_000]),
        )
    found: dict[str, Product] = {}
    for index, raw in enumerate(entries):
        entry = _entry(raw)
        if entry is not None:
            place = (page - 1) * _PLACES_PER_PAGE + index + 1
            found.setdefault(entry.asin, entry.product(place))
    return ProductPage(page=page, products=tuple(found.values()))


def _text(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _amount(value: Any) -> Decimal | None:
    """Dollars as JSON gives them: 39 is 39 dollars, and 39.99 exactly that."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        # The shortest text that means the float is the one the answer had.
        amount = Decimal(str(value)[:40].strip().removeprefix("$").replace(",", ""))
    except (InvalidOperation, ValueError):
        return None
    return amount if amount.is_finite() else None


def _place(value: Any) -> int | None:
    is_place = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100_000
    return value if is_place else None


class _Entry(BaseModel):
    """One entry as the provider parses it. Rubbish in a field is as good as nothing in it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    asin: Annotated[
        str, BeforeValidator(lambda v: _text(v).upper()), Field(pattern=r"^[A-Z0-9]{10}$")
    ]
    title: Annotated[str, BeforeValidator(_text)] = ""
    pos: Annotated[int | None, BeforeValidator(_place)] = None
    price: Annotated[Decimal | None, BeforeValidator(_amount)] = None
    price_upper: Annotated[Decimal | None, BeforeValidator(_amount)] = None
    price_str: Annotated[str, BeforeValidator(_text)] = ""
    stated_currency: Annotated[
        str,
        BeforeValidator(lambda v: _text(v).upper()[:10]),
        Field(validation_alias=AliasChoices("currency")),
    ] = ""

    def product(self, place: int) -> Product:
        cents, reason = self._dollar_cents()
        if not self.title:
            reason = "no title"
        return Product(
            asin=self.asin,
            title=self.title,
            position=self.pos or place,
            price_cents=cents,
            currency=self.currency,
            # Built, not taken from the page: the ASIN is checked, an address there is not.
            url=f"https://www.amazon.com/dp/{self.asin}",
            skip_reason=reason,
        )

    @property
    def currency(self) -> str | None:
        """The currency; where the price's own text names another than is stated, the text's."""
        stated = "USD" if self.stated_currency in {"$", "US$"} else self.stated_currency
        code = re.search(r"(?<![A-Z])[A-Z]{3}(?![A-Z])", self.price_str)
        if code:
            return code[0]
        for symbol, name in _SYMBOLS.items():
            if symbol in self.price_str:
                return name
        if stated:
            return stated
        return "USD" if re.match(r"(US ?)?\$\s?\d", self.price_str) else None

    def _dollar_cents(self) -> tuple[int | None, str | None]:
        if self.price is None:
            return None, "no price"
        if self.currency != "USD":
            return None, f"price in {self.currency or 'an unknown currency'}, not USD"
        # A range has its lower end in `price`; trust neither to be the lower one.
        ends = [end for end in (self.price, self.price_upper) if end is not None and end > 0]
        if self.price <= 0 or not ends:
            return None, "no price"
        if min(ends) > _HIGHEST_DOLLARS:
            return None, "price out of range"
        cents = int((min(ends) * 100).to_integral_value(ROUND_HALF_UP))
        return (cents, None) if cents > 0 else (None, "no price")


def _entry(raw: Any) -> _Entry | None:
    if not isinstance(raw, Mapping):
        return None
    try:
        return _Entry.model_validate(raw)
    except ValidationError:
        return None
