"""Listings as the cards of a search page, in each layout that eBay has been seen to use.

Class names and nesting are facts of the real markup; every word and number is invented. Texts
are escaped here, once: what a page holds is what a parser gives back.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from collector.sandbox.chance import draw, pick, unit
from collector.sandbox.market import Account, Listing

Card = Callable[[Listing, str], str]

_ROW = '<div class="s-card__attribute-row">{}</div>'
_TEXT = '<span class="su-styled-text {} large">{}</span>'
_PLACES = ("United States", "Ohio, United States", "Texas, United States")
_BADGE = (
    '<div class="s-card__program-badge-container s-card__program-badge-container--{kind}">'
    '<div class="su-program-badge s-card__program-badge">'
    '<span class="su-icon su-icon--legacy-top-rated-seller" aria-label="{label}" role="img">'
    '<svg class="icon icon--48-colored" aria-hidden="true"><use href="#icon-{kind}"></use></svg>'
    '</span><span class="su-styled-text default">{text}</span></div></div>'
)


def dollars(cents: int) -> str:
    """An amount as pages show it."""
    return f"${cents / 100:,.2f}"


def short_count(count: int) -> str:
    """A feedback count in the short form: 59, 1.9K, 12.4K."""
    return str(count) if count < 1000 else f"{count / 1000:.1f}K".replace(".0K", "K")


def percent(account: Account) -> str:
    """A percentage without needless decimals."""
    return f"{account.feedback_percent:g}%"


def positive(account: Account, language: str) -> str:
    """The feedback in the words of an interface language."""
    count = short_count(account.feedback_count)
    match language:
        case "es":
            return f"{percent(account).replace('.', ',')} positivo ({count.replace('.', ',')})"
        case "ja":
            return f"{percent(account)} ポジティブ ({count})"
        case _:
            return f"{percent(account)} positive ({count})"


def _row(text: str, style: str = "secondary") -> str:
    return _ROW.format(_TEXT.format(style, escape(text)))


def _common_rows(listing: Listing) -> str:
    key = listing.listing_id
    rows = [
        _ROW.format(
            '<span class="su-styled-text primary bold large-1 s-card__price">'
            f"{dollars(listing.price_cents)}</span>"
        ),
        _row("Buy It Now" if draw(key, "buy") % 3 else "or Best Offer"),
        _row("Free delivery"),
        _row(f"Located in {pick(_PLACES, key)}"),
    ]
    if draw(key, "sold") % 3 == 0:
        rows.append(_row(f"{2 + draw(key, 'n') % 400} sold", "primary bold"))
    if draw(key, "left") % 9 == 0:
        rows.append(_row("Almost gone", "negative bold"))
    return "".join(rows)


def _extra_rows(listing: Listing) -> str:
    """Rows beside the seller's that share its class."""
    key, rows = listing.listing_id, ""
    if draw(key, "item row") % 5 == 0:
        rows += _row(f"Item: {listing.listing_id}")
    if draw(key, "store logo") % 11 == 0:
        rows += _ROW.format(
            '<a class="s-card__seller-logo" href="http://stores.ebay.com/invented">'
            '<img src="https://i.ebayimg.invented/logo.webp" alt=""></a>'
        )
    if draw(key, "customs") % 13 == 0:
        rows += _row("Customs services and international tracking provided")
    return rows


def _s_card(listing: Listing, *, heading: str, primary: str, secondary: str, link: str) -> str:
    number, title = listing.listing_id, escape(listing.title)
    href = f"https://www.ebay.com/itm/{number}?_skw=invented&amp;hash=item{int(number):x}"
    has = " su-card-container__attributes--has-secondary" if secondary else ""
    second = (
        f'<div class="su-card-container__attributes__secondary">{secondary}</div>'
        if secondary
        else ""
    )
    return (
        f'<li data-view="mi:1686|iid:1" id="item{int(number):x}" data-listingid="{number}" '
        'class="s-card s-card--horizontal">'
        '<div class="su-card-container su-card-container--horizontal">'
        '<div class="su-card-container__media"><div class="s-card__media-wrapper">'
        '<div class="su-media su-media--image"><div class="su-media__primary">'
        '<div class="su-media__image"><a class="s-card__link image-treatment" tabindex="-1" '
        f'href="{href}"><img class="s-card__image" loading="lazy" '
        f'src="https://i.ebayimg.invented/{number}.webp" alt="{title}"></a>'
        "</div></div></div></div></div>"
        '<div class="su-card-container__content"><div class="su-card-container__header">'
        f'<a class="{link}" target="_blank" href="{href}">'
        f'<div role="heading" aria-level="3" class="s-card__title">{heading}</div></a>'
        '<div class="s-card__subtitle-row"><div class="s-card__subtitle">'
        '<span class="su-styled-text secondary default">Brand New</span></div></div></div>'
        f'<div class="su-card-container__attributes{has}">'
        f'<div class="su-card-container__attributes__primary">{primary}</div>{second}</div>'
        '<div class="su-card-container__footer"><div class="s-card__footer">'
        '<div class="s-card__footer--row"><div class="s-card__sep"><span aria-hidden="true">'
        "Sponsored</span></div></div></div></div></div></div></li>"
    )


def _heading(listing: Listing, *, note: bool = True) -> str:
    new = draw(listing.listing_id, "fresh") % 12 == 0
    return (
        ('<span class="s-card__new-listing">New Listing</span>' if new and note else "")
        + f'<span class="su-styled-text primary default">{escape(listing.title)}</span>'
        + ('<span class="clipped">Opens in a new window or tab</span>' if note else "")
    )


def current_card(listing: Listing, language: str) -> str:
    """The present layout: name and feedback in two texts, or in one for stores with a badge."""
    seller = ""
    if account := listing.account:
        name, feedback = escape(account.username), positive(account, language)
        if unit(account.username.casefold(), "store") < 0.4:
            seller = _ROW.format(
                _BADGE.format(
                    kind="sellerOrStoreInfo", label="Top Rated Plus", text=f"{name}  {feedback}"
                )
            )
        else:
            seller = _ROW.format(
                _TEXT.format("primary", f"{name} ") + _TEXT.format("primary", feedback)
            )
    extra = _extra_rows(listing)
    return _s_card(
        listing,
        heading=_heading(listing),
        primary=_common_rows(listing),
        secondary=extra + seller if draw(listing.listing_id, "side") % 2 else seller + extra,
        link="s-card__link",
    )


def mid_2025_card(listing: Listing, language: str) -> str:
    """The same card as of mid-2025: one text, `name (5,745) 100%`, after badges and offers."""
    del language  # this layout's feedback has no words
    secondary = ""
    if account := listing.account:
        if draw(listing.listing_id, "save") % 7 == 0:
            secondary += _row("Save up to 5% when you buy more", "negative bold")
        if account.feedback_count > 1000:
            secondary += _ROW.format(
                _BADGE.format(
                    kind="topRatedSeller", label="Top Rated Seller", text="Top Rated Seller"
                )
            )
        secondary += _row(
            f"{account.username} ({account.feedback_count:,}) {percent(account)}", "secondary"
        )
    return _s_card(
        listing,
        heading=_heading(listing, note=False),
        primary=_common_rows(listing),
        secondary=secondary,
        link="su-link",
    )


def old_card(listing: Listing, language: str) -> str:
    """The older layout: `li.s-item`, the seller in a text of its own; the id in the link alone."""
    del language
    number, title = listing.listing_id, escape(listing.title)
    href = f"https://www.ebay.com/itm/{number}?_skw=invented"
    seller = tooltip = ""
    if account := listing.account:
        if account.feedback_count > 5000:
            tooltip = (
                '<span class="s-item__detail s-item__detail--secondary"><span class="s-item__etrs">'
                '<span class="s-item__etrs-text">Top Rated Plus</span></span></span>'
            )
        seller = (
            '<span class="s-item__detail s-item__detail--secondary"><span '
            'class="s-item__seller-info"><span class="s-item__seller-info-text">'
            f"{escape(account.username)} ({account.feedback_count:,}) {percent(account)}"
            "</span></span></span>"
        )
    new = draw(number, "fresh") % 12 == 0
    return (
        f'<li class="s-item s-item__pl-on-bottom" id="item{int(number):x}" data-view="mi:1686">'
        '<div class="s-item__wrapper clearfix"><div class="s-item__image-section">'
        f'<div class="s-item__image"><a tabindex="-1" href="{href}"><img alt="{title}" '
        f'src="https://i.ebayimg.invented/{number}.jpg"></a></div></div>'
        '<div class="s-item__info clearfix"><div class="s-item__caption"></div>'
        f'<a class="s-item__link" href="{href}" target="_blank"><div class="s-item__title">'
        '<span aria-level="3" role="heading">'
        + ('<span class="LIGHT_HIGHLIGHT">New Listing</span> ' if new else "")
        + f"<!--F#f_0-->{title}<!--F/--></span></div>"
        '<span class="clipped">Opens in a new window or tab</span></a>'
        '<div class="s-item__subtitle"><span class="SECONDARY_INFO">Brand New</span></div>'
        '<div class="s-item__details clearfix"><div class="s-item__details-section--primary">'
        '<div class="s-item__detail s-item__detail--primary"><span class="s-item__price">'
        f"{dollars(listing.price_cents)}</span></div></div>"
        '<div class="s-item__details-section--center"></div>'
        f'<div class="s-item__details-section--secondary">{tooltip}{seller}</div>'
        "</div></div></div></li>"
    )


def gallery_card(listing: Listing, language: str) -> str:
    """A card of the gallery view, which names no seller."""
    del language
    nameless = Listing(listing.listing_id, listing.title, listing.price_cents, None)
    return (
        _s_card(
            nameless,
            heading=_heading(listing),
            primary=_common_rows(listing),
            secondary="",
            link="s-card__link",
        )
        .replace("s-card--horizontal", "s-card--vertical")
        .replace("su-card-container--horizontal", "su-card-container--vertical")
    )


def _dummy(card: Card) -> str:
    listing = Listing("9000000000000001", "Shop on eBay", 2000, None)
    real = f"https://www.ebay.com/itm/{listing.listing_id}"
    return (
        card(listing, "en")
        .replace(real, "https://ebay.com/itm/123456")
        .replace(f'id="item{int(listing.listing_id):x}"', 'id=""')
        .replace('<span class="s-card__new-listing">New Listing</span>', "")
        .replace('<span class="LIGHT_HIGHLIGHT">New Listing</span> ', "")
    )


def dummies(card: Card) -> str:
    """The two cards at the top of many lists that are no listings."""
    return _dummy(card) * 2
