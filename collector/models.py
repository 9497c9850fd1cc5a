"""What is passed around: plain values, without behaviour that needs a database, a clock or a loop.

Frozen dataclasses inside the process; pydantic models where a value crosses a border (the
activity entry goes to PostgreSQL, to event streams and to browsers; run options come from users).
Times are aware UTC. Money is integer US cents.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from collector.words import Action, ItemKind, Phase

# When a search goes on to its next page; each stops no later than the one before it here.
PageOn = Literal["always", "while_new_to_run", "while_new"]


def utc_now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


class ActivityEntry(BaseModel):
    """One line of what a worker did.

    `id` is the entry's place in its run's activity (1, 2, 3, …); 0 until the run's owner has
    numbered it. A `gap` entry stands for `items_count` entries that this reader missed and
    carries the id of the last one missed. Text from pages is kept as it came: whoever shows
    it escapes it.
    """

    model_config = ConfigDict(frozen=True)

    id: int = 0
    timestamp: datetime = Field(default_factory=utc_now)
    worker_id: Annotated[int, Field(ge=0)] = 0
    phase: Phase = Phase.SYSTEM
    action: Action
    category: str | None = None
    product_name: str | None = None
    seller_found: str | None = None
    new_sellers_count: int | None = None
    error_message: str | None = None
    url: str | None = None
    params: dict[str, str | int | float | bool | None] | None = None
    duration_ms: int | None = None
    attempt: int | None = None
    error_type: str | None = None
    error_stage: str | None = None
    items_count: int | None = None
    source_worker_id: int | None = None


class RunOptions(BaseModel):
    """What a run is asked to do, as stored with it.

    Attributes:
        pages_per_list: pages fetched of each best-seller list (a list has two).
        pages_per_search: at most this many pages of one product's search (1 to 3).
        price_from_factor: lower end of the price window, as a multiple of the Amazon price.
        price_to_factor: upper end. Dropshippers are looked for 80-120 % above Amazon.
        results_per_page: eBay's page size: 60, 120 or 240.
        geo_location: the US ZIP code that pins prices to dollars.
        workers: asyncio tasks that take items.
        search_again_days: a product whose like search is less than this many days ago is not due:
            it is not searched again. 0: every run searches every product.
        page_on: when a search goes on to its next page: always, while its page brought somebody
            new to this run, or while it brought somebody new to the list.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pages_per_list: Annotated[int, Field(ge=1, le=2)] = 2
    pages_per_search: Annotated[int, Field(ge=1, le=3)] = 3
    price_from_factor: Annotated[float, Field(gt=0, le=20)] = 1.8
    price_to_factor: Annotated[float, Field(gt=0, le=20)] = 2.2
    results_per_page: Literal[60, 120, 240] = 240
    geo_location: Annotated[str, Field(pattern=r"^\d{5}$")] = "90210"
    workers: Annotated[int, Field(ge=1, le=100)] = 5
    search_again_days: Annotated[int, Field(ge=0, le=365)] = 0
    page_on: PageOn = "always"

    @model_validator(mode="after")
    def _window_is_a_window(self) -> RunOptions:
        if self.price_from_factor >= self.price_to_factor:
            raise ValueError("price_from_factor must be smaller than price_to_factor")
        return self


@dataclass(frozen=True, slots=True)
class Category:
    """One Amazon best-seller list. `name` is empty for a department's own root list."""

    node_id: str
    department: str
    name: str
    slug: str
    confirmed: bool

    @property
    def title(self) -> str:
        """Department and name in one line, as people read it."""
        return f"{self.department} › {self.name}" if self.name else self.department


@dataclass(frozen=True, slots=True)
class Product:
    """One entry of a best-seller list. `price_cents` is None where no dollar price was given."""

    asin: str
    title: str
    position: int
    price_cents: int | None
    currency: str | None
    url: str | None = None
    skip_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ProductPage:
    """One page of a best-seller list."""

    page: int
    products: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class Seller:
    """One eBay account as a page names it. The percentage is 0-100, the count a whole number."""

    username: str
    feedback_percent: float | None
    feedback_count: int | None


@dataclass(frozen=True, slots=True)
class Item:
    """One unit of work of a run: one request. See the word list in the documentation."""

    id: int
    run_id: UUID
    kind: ItemKind
    page: int
    node_id: str
    category: str
    asin: str | None = None
    title: str | None = None
    price_from_cents: int | None = None
    price_to_cents: int | None = None
    attempts: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item that settling another one adds. `(kind, key)` is unique within a run."""

    kind: ItemKind
    key: str
    page: int
    node_id: str
    category: str
    priority: int
    asin: str | None = None
    title: str | None = None
    price_from_cents: int | None = None
    price_to_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What settling one item changed."""

    sellers_on_page: int = 0
    sellers_new: int = 0
    first_new_seller: str | None = None
    products: int = 0
    products_skipped: int = 0
    products_elsewhere: int = 0
    products_covered: int = 0
    items_added: int = 0
    seller_count: int | None = None
