"""The invented market: who sells what on which day. Pure, and decided by its seed alone.

A list has slots. A slot holds a product until another one takes its place (`generation`); some
slots hold products that many lists share. An account has a slot too, is replaced by a newcomer
now and then, and stays away for single days. So every day has sellers that are new, that come
back and that are not seen, without anything being remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from collector.sandbox import names
from collector.sandbox.chance import between, draw, pick, unit

MAX_DAY = 1000
LIST_PAGES = 2
# Every list draws three tenths of its places from one shelf that all lists share: with five lists
# about 7 % of the products stand in several.
_SHARED_NODE = 0
_SHARED_PLACES = 0.3
_REPLACED_PRODUCTS = 0.03
_REPLACED_SELLERS = 0.05
_ABSENT_SELLERS = 0.03
_UNPRICED = 0.03
_NO_SELLER_ROW = 0.03
# Offers keep clear of the ends of the usual window (1.8 to 2.2 times the price), so that no way
# of rounding its ends changes what a search finds.
_INSIDE, _BELOW, _ABOVE = (1.86, 2.14), (1.1, 1.5), (2.5, 3.0)
_FEW_EXACT = 5


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """A product of the market. `identity` is (node, slot, generation); money is US cents."""

    identity: tuple[int, int, int]
    asin: str
    title: str
    price_cents: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """A seller's account as pages show it."""

    username: str
    feedback_percent: float
    feedback_count: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One card of a search page; `account` is None where the card names no seller."""

    listing_id: str
    title: str
    price_cents: int
    account: Account | None


@dataclass(frozen=True, slots=True)
class Search:
    """One page of a search: what matches it, and what follows under "fewer words".

    `total` counts all matching listings; `product` is None where the words lead nowhere.
    """

    words: str
    page: int
    pages: int
    total: int
    product: ListedProduct | None
    exact: tuple[Listing, ...]
    fewer_words: tuple[Listing, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """One market. Everything follows from these values.

    Attributes:
        seed: which market.
        list_length: places of a best-seller list, on two pages; at most 100.
        accounts: how many sellers are about at any time.
        page_cap: most listings on a page of a search, whatever size is asked for.
        department_of: the department of a node id, for the flavour of its titles alone.
    """

    seed: int
    list_length: int = 60
    accounts: int = 900
    page_cap: int = 24
    department_of: Callable[[str], str | None] = lambda node_id: None

    def best_sellers(
        self, node_id: str, *, day: int, page: int | None = None
    ) -> list[ListedProduct]:
        """The products of a list in order, or those of one of its two pages; 30 a page by default.

        A node id that the real site could not have gives an empty list.
        """
        if not is_node_id(node_id):
            return []
        node = int(node_id)
        places = {slot: (node, slot) for slot in range(self.list_length)}
        shelf = max(3, self.list_length // 3)
        for slot in range(self.list_length):
            shared = (_SHARED_NODE, draw(self.seed, "shelf", node, slot) % shelf)
            if (
                unit(self.seed, "shared", node, slot) < _SHARED_PLACES
                and shared not in places.values()
            ):
                places[slot] = shared
        order = sorted(
            places, key=lambda slot: slot + between(0, 6, self.seed, "order", node, slot, day)
        )
        if page is not None:
            size = -(-self.list_length // LIST_PAGES)
            order = order[(page - 1) * size : page * size] if page <= LIST_PAGES else []
        return [
            self.product(*places[slot], self._generation(*places[slot], day=day)) for slot in order
        ]

    def _generation(self, node: int, slot: int, *, day: int) -> int:
        return replacements(self.seed, f"{node}/{slot}", day, _REPLACED_PRODUCTS)

    def product(self, node: int, slot: int, generation: int) -> ListedProduct:
        """The product that a slot holds in one generation."""
        identity = (node, slot, generation)
        name = names.spell((node * 100 + slot) * 100 + generation, self.seed)
        department = self.department_of(str(node)) if node else None
        price: int | None = round(5 * 80 ** unit(self.seed, "price", *identity) * 100)
        if unit(self.seed, "whole", *identity) < 0.3:
            price = max(500, round((price or 0) / 100) * 100)
        if unit(self.seed, "unpriced", *identity) < _UNPRICED:
            price = None
        letters = "0123456789ABCDEFGHJKLMNPQRSTVWXYZ"
        return ListedProduct(
            identity=identity,
            asin="B0" + "".join(pick(letters, self.seed, "asin", n, *identity) for n in range(8)),
            title=names.product_title(name, department, self.seed, *identity),
            price_cents=price,
        )

    def find(self, words: str, *, day: int) -> ListedProduct | None:
        """The product that search words lead to: both words of its name, and mostly its others.

        A product that no list has held up to that day is not sold yet.
        """
        number = names.unspell(words, self.seed)
        if number is None:
            return None
        rest, generation = divmod(number, 100)
        node, slot = divmod(rest, 100)
        if slot >= self.list_length or generation > self._generation(node, slot, day=day):
            return None
        product = self.product(node, slot, generation)
        asked = set(names.WORD.findall(words.casefold()))
        known = asked & set(names.WORD.findall(product.title.casefold()))
        return product if 2 * len(known) > len(asked) else None

    def search(
        self,
        words: str,
        *,
        day: int,
        from_cents: int = 0,
        to_cents: int | None = None,
        page: int = 1,
        per_page: int = 60,
    ) -> Search:
        """One page of a search within a price window (ends included, US cents)."""
        product = self.find(words, day=day)
        offers = [
            offer
            for offer in (self._offers(product, day=day) if product else ())
            if offer.price_cents >= from_cents
            and (to_cents is None or offer.price_cents <= to_cents)
        ]
        size = max(1, min(per_page, self.page_cap))
        pages = max(1, -(-len(offers) // size))
        fewer: tuple[Listing, ...] = ()
        if page == pages and len(offers) <= _FEW_EXACT:
            fewer = self._fewer_words(words, day=day)
        return Search(
            words=words,
            page=page,
            pages=pages,
            total=len(offers),
            product=product,
            exact=tuple(offers[(page - 1) * size : page * size]),
            fewer_words=fewer,
        )

    def _offers(self, product: ListedProduct, *, day: int) -> Iterable[Listing]:
        key = (self.seed, "offer", *product.identity)
        price = product.price_cents
        if price is None:
            return
        share = unit(*key, "how many")
        # Nothing for one product in twelve, up to 60 for a few; 16 on average.
        count = 0 if share < 0.08 else int(2 + 58 * share**3)
        for n in sorted(range(count), key=lambda n: draw(*key, n, "order", day)):
            slot = int(self.accounts * unit(*key, n, "slot") ** 1.3)
            account = self.account_at(slot, day=day)
            if account is None:
                continue
            reach = _INSIDE
            if (out := unit(*key, n, "outside")) < 0.12:
                reach = _BELOW if out < 0.06 else _ABOVE
            if unit(*key, n, "capitals") < 0.01:
                account = Account(
                    account.username.upper(), account.feedback_percent, account.feedback_count
                )
            hidden = unit(*key, n, "row") < _NO_SELLER_ROW
            yield Listing(
                listing_id=_listing_id(*key, n, account.username.casefold()),
                title=names.listing_title(product.title, *key, n),
                price_cents=round(price * between(*reach, *key, n, "price")),
                account=None if hidden else account,
            )

    def _fewer_words(self, words: str, *, day: int) -> tuple[Listing, ...]:
        key = (self.seed, "fewer", words.casefold(), day)
        return tuple(
            Listing(
                listing_id=_listing_id(*key, n),
                title=names.stray_title(*key, n),
                price_cents=500 + draw(*key, n, "price") % 20_000,
                # Accounts with odd numbers never match any search: whoever collects one
                # has overlooked the split.
                account=self.account(2 * (draw(*key, n, "slot") % self.accounts) + 1),
            )
            for n in range(4 + draw(*key) % 8)
        )

    def account_at(self, slot: int, *, day: int) -> Account | None:
        """Who has an account's slot on a day; None when they stay away that day."""
        generation = replacements(self.seed, f"account {slot}", day, _REPLACED_SELLERS)
        if unit(self.seed, "absent", slot, generation, day) < _ABSENT_SELLERS:
            return None
        return self.account(2 * (slot + self.accounts * generation))

    def account(self, number: int) -> Account:
        """The account with this number; counts are round, as the short form `1.9K` would lose."""
        key = (self.seed, "feedback", number)
        count = int(10 ** between(0, 5.5, *key, "count")) - 1
        if count >= 1000:
            count = count // 100 * 100
        percent = 0.0 if count == 0 else round(100 - 6 * unit(*key, "percent") ** 3, 1)
        return Account(names.username(number, self.seed), percent, count)


def is_node_id(node_id: str) -> bool:
    """Whether a text may be a browse node id: one to twelve digits, no leading zero."""
    return node_id.isascii() and node_id.isdigit() and len(node_id) <= 12 and node_id[0] != "0"


@lru_cache(maxsize=100_000)
def replacements(seed: int, what: str, day: int, rate: float) -> int:
    """How often something was replaced from day 1 to this day, at most 99 times."""
    return min(99, sum(unit(seed, "replaced", what, past) < rate for past in range(1, day + 1)))


def _listing_id(*things: object) -> str:
    return str(10**11 + draw(*things, "listing id") % (9 * 10**11))
