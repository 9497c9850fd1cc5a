"""Invented words: names of products and of sellers, titles, and texts that mean harm.

A product's name is two made-up words that spell its identity: any search that carries both
leads back to the product, without a list of what was handed out. The words come from a keyed
permutation of sixteen digits (a Feistel network), so that neighbours do not look alike.
"""

from __future__ import annotations

import re
from itertools import pairwise

from collector.sandbox.chance import draw, pick

_CONSONANTS = "bcdfghjklmnprstvwxyz"
_VOWELS = "aeiou"
_SYLLABLES = [c + v for c in _CONSONANTS for v in _VOWELS]
_VALUE = {syllable: n for n, syllable in enumerate(_SYLLABLES)}
_HALF = 10**8
_ROUNDS = 4
_NAME = re.compile(rf"(?:[{_CONSONANTS}][{_VOWELS}]){{4}}")
WORD = re.compile(r"[a-z0-9]+")

_KINDS: dict[str, tuple[str, ...]] = {
    "electronic|computer|camera|phone|device|software|video game": (
        "Wireless Earbuds", "Charging Dock", "Webcam Light", "Travel Adapter", "Bluetooth Speaker",
        "Keyboard Tray", "Cable Organizer", "Phone Tripod", "Laptop Stand", "Surge Protector",
    ),
    "kitchen|home|appliance|dining|grocery": (
        "Vegetable Chopper", "Spice Rack", "Pan Organizer", "Milk Frother", "Bread Box",
        "Knife Block", "Ice Tray", "Dish Rack", "Storage Basket", "Egg Cooker",
    ),
    "toy|game|baby|book|music|movie": (
        "Building Blocks", "Puzzle Cube", "Play Mat", "Card Game", "Bath Toys",
        "Night Projector", "Marble Run", "Story Lamp", "Stacking Cups", "Craft Box",
    ),
    "sport|patio|garden|automotive|tool|industrial": (
        "Resistance Bands", "Camping Lantern", "Hose Nozzle", "Socket Set", "Trunk Organizer",
        "Yoga Block", "Bike Pump", "Work Gloves", "Plant Stand", "Tire Inflator",
    ),
    "beauty|health|clothing|pet|craft|office": (
        "Hair Brush", "Massage Roller", "Nail Kit", "Pet Fountain", "Desk Organizer",
        "Makeup Mirror", "Foot Cushion", "Dog Harness", "Label Maker", "Sewing Kit",
    ),
}  # fmt: skip
_EVERY_KIND = tuple(kind for kinds in _KINDS.values() for kind in kinds)
_MANNERS = ("Compact", "Foldable", "Portable", "Heavy Duty", "Adjustable", "Premium", "Mini")
_TAILS = (
    "2 Pack", "Black", "Upgraded Design", "Easy to Clean", "With Carry Bag", "For Home and Travel",
    '12" Wide', "Blue and White", "Gift Boxed", "Non-Slip Base", "Quiet Operation",
    "3-Year Promise",
)  # fmt: skip
_HARM = (
    "<img src=x onerror=alert(1)>", '"><script>alert(document.title)</script>', "{{7*7}} ${7*7} %s",
    "'; DROP TABLE sellers; --", "<b>&amp; not bold</b>", "\u202egnirts desrever",
)  # fmt: skip
FORMULAS = ("=", "+", "@")
_PRAISE = ("New", "Fast Ship", "Top Quality", "Sealed", "Free Post", "US Stock", "Best Deal", "NIB")
_SHOPS = ("deals", "store", "outlet", "goods", "depot", "market", "trading", "finds", "supply")


def _round(half: int, key: object, turn: int) -> int:
    return draw("name", key, turn, half) % _HALF


def _word(number: int) -> str:
    digits = f"{number:08d}"
    return "".join(_SYLLABLES[int(digits[i : i + 2])] for i in range(0, 8, 2))


def spell(number: int, key: object) -> str:
    """Two words for a number below 10**16."""
    left, right = divmod(number, _HALF)
    for turn in range(_ROUNDS):
        left, right = right, (left + _round(right, key, turn)) % _HALF
    return f"{_word(left)} {_word(right)}"


def unspell(text: str, key: object) -> int | None:
    """The number whose two words stand side by side in the text, None if there are none."""
    words = WORD.findall(text.casefold())
    for first, second in pairwise(words):
        if _NAME.fullmatch(first) and _NAME.fullmatch(second):
            left, right = (
                int("".join(f"{_VALUE[word[i : i + 2]]:02d}" for i in range(0, 8, 2)))
                for word in (first, second)
            )
            for turn in reversed(range(_ROUNDS)):
                left, right = (right - _round(left, key, turn)) % _HALF, left
            return left * _HALF + right
    return None


def product_title(name: str, department: str | None, *identity: object) -> str:
    """A title as long as such titles are; all that tells the product stands before its first comma.

    About one title in thirty carries something a careless page or spreadsheet would run.
    """
    kinds = _EVERY_KIND
    for words, flavour in _KINDS.items():
        if department and re.search(words, department.casefold()):
            kinds = flavour
            break
    manner, kind = pick(_MANNERS, "manner", *identity), pick(kinds, "kind", *identity)
    tails = [pick(_TAILS, "tail", n, *identity) for n in range(2 + draw("n", *identity) % 4)]
    oddity = draw("odd", *identity) % 60
    if oddity == 0:
        tails.append(pick(_HARM, "harm", *identity))
    lead = pick(FORMULAS, "lead", *identity) if oddity == 1 else ""
    return ", ".join([f"{lead}{name.title()} {manner} {kind}", *dict.fromkeys(tails)])


def listing_title(product: str, *identity: object) -> str:
    """The title a seller gives to a product; about one in thirty means harm."""
    core = product.partition(",")[0].lstrip("".join(FORMULAS))
    match draw("listing", *identity) % 60:
        case 0:
            return f"{pick(_HARM, 'listing harm', *identity)} {core}"
        case 1:
            return f'=HYPERLINK("http://harm.invalid","{core}")'
        case _:
            return f"{core} {pick(_PRAISE, 'praise', *identity)}"


def stray_title(*identity: object) -> str:
    """The title of something that was not looked for."""
    return f"{pick(_MANNERS, 'stray', *identity)} {pick(_EVERY_KIND, 'stray kind', *identity)} Lot"


def username(number: int, key: object) -> str:
    """An account name of 3 to 32 characters out of `[a-z0-9._*-]`, its own for every number."""
    first, second = (pick(_SYLLABLES, "user", n, number, key) for n in range(2))
    shop = pick(_SHOPS, "shop", number, key)
    match draw("form", number, key) % 8:
        case 0:
            return f"{first}{second}.{shop}{number}"
        case 1:
            return f"the-{first}{second}-{shop}-{number}"
        case 2:
            return f"{first}*{second}_{number}"
        case 3 if draw("dash", number, key) % 8 == 0:
            return f"-{first}{shop}{number}-"
        case _:
            return f"{first}{second}{shop}_{number}"
