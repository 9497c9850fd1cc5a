"""Launching: from what stands in the launcher's fields to a choice, an estimate and warnings.

Pure: plain values in and out. Whatever is wrong with a field is said beside it, in words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import ValidationError

from collector.estimate import NO_HISTORY, Estimate, History
from collector.estimate import estimate as estimate_run
from collector.models import Category, PageOn, RunOptions
from collector.panel.sentences import count, span

LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class LaunchChoice:
    """What an operator chose: node ids, and how the run is to be."""

    categories: tuple[str, ...]
    name: str | None
    budget: int | None
    options: RunOptions


@dataclass(frozen=True, slots=True)
class Presets:
    """Saved choices of categories, as callbacks; each may raise `CollectorError`."""

    all: Callable[[], Mapping[str, Sequence[str]]]
    default: Callable[[], str | None]
    save: Callable[[str, Sequence[str]], None]
    rename: Callable[[str, str], None]
    remove: Callable[[str], None]
    make_default: Callable[[str], None]


def estimate(choice: LaunchChoice, *, history: History = NO_HISTORY) -> Estimate:
    """What a choice may cost, from how many lists, products and pages it may come to."""
    options = choice.options
    return estimate_run(
        categories=len(choice.categories),
        pages_per_list=options.pages_per_list,
        pages_per_search=options.pages_per_search,
        workers=options.workers,
        budget=choice.budget,
        history=history,
    )


def estimate_words(found: Estimate) -> str:
    """An estimate as a sentence."""
    low, high = found.requests
    requests = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    quick, slow = (_roughly(length_s) for length_s in found.duration_s)
    lasting = quick if quick == slow else f"{quick} to {slow}"
    text = f"About {requests} requests, {lasting} with {count(found.workers, 'worker')}"
    if found.runs:
        text += f", as in {count(found.runs, 'earlier run')}"
    text += "."
    if found.not_due:
        verb = "is" if found.not_due == 1 else "are"
        text += f" {count(found.not_due, 'product')} {verb} not due: left out of it."
    if found.budget is not None and high >= found.budget:
        text += f" The budget of {found.budget:,} ends it."
    return text


def _roughly(length_s: float) -> str:
    if length_s < 60:
        return "under a minute"
    if length_s < 5400:
        return f"{round(length_s / 60)} min"
    return f"{length_s / 3600:.1f} h" if length_s < 86_400 else span(length_s)


def warnings(
    choice: Collection[str], categories: Mapping[str, Category], *, has_credentials: bool
) -> list[str]:
    """What an operator should know before launching."""
    found = []
    if not has_credentials:
        found.append(
            "No credentials are set: the run takes place in the sandbox, an invented market. "
            "Set OXYLABS_USERNAME and OXYLABS_PASSWORD and restart the kernel for real answers."
        )
    unsure = [
        categories[n].title for n in choice if n in categories and not categories[n].confirmed
    ]
    if unsure:
        named = ", ".join(unsure[:3]) + (f" and {len(unsure) - 3} more" if len(unsure) > 3 else "")
        verb = "is" if len(unsure) == 1 else "are"
        found.append(f"{named} {verb} not confirmed: Amazon may answer with nothing.")
    return found


def read_choice(
    fields: Mapping[str, Any],
    chosen: Sequence[Any],
    *,
    known: Collection[str],
    defaults: RunOptions,
) -> tuple[LaunchChoice | None, dict[str, str]]:
    """Return what the fields say, or what is wrong with which field.

    Args:
        fields: texts by name: name, budget, pages_per_list, pages_per_search, page_on,
            search_again_days, above_from and above_to (per cent above the Amazon price).
        chosen: node ids.
        known: the node ids there are.
        defaults: the options that have no field.
    """
    problems: dict[str, str] = {}
    categories = tuple(dict.fromkeys(n for n in chosen if n in known))
    if not categories:
        problems["categories"] = "Choose at least one category."
    name = str(fields.get("name") or "").strip()
    if len(name) > LONGEST_NAME or "\x00" in name:
        problems["name"] = f"A name has at most {LONGEST_NAME} characters."
    budget = None
    if str(fields.get("budget") or "").strip():
        budget = _whole(fields, "budget", problems, least=1, most=100_000_000)
    pages: dict[str, int | str | None] = {
        "pages_per_list": _whole(fields, "pages_per_list", problems, least=1, most=2),
        "pages_per_search": _whole(fields, "pages_per_search", problems, least=1, most=3),
    }
    # A form that was saved before there were these fields keeps what stands for them.
    if "page_on" in fields:
        pages["page_on"] = str(fields["page_on"])
        if pages["page_on"] not in get_args(PageOn):
            problems["page_on"] = f"One of {', '.join(get_args(PageOn))}."
    if "search_again_days" in fields:
        days = _whole(fields, "search_again_days", problems, least=0, most=365)
        pages["search_again_days"] = days
    low, high = (_percent(fields, key, problems) for key in ("above_from", "above_to"))
    if low is not None and high is not None and low >= high:
        problems["above_to"] = "Must be more than the lower end."
    if problems or low is None or high is None:
        return None, problems
    factors = {"price_from_factor": 1 + low / 100, "price_to_factor": 1 + high / 100}
    try:
        options = RunOptions.model_validate(defaults.model_dump() | pages | factors)
    except ValidationError as exc:
        return None, {"options": "; ".join(e["msg"] for e in exc.errors(include_url=False))}
    return LaunchChoice(categories, name or None, budget, options), {}


def fields_of(options: RunOptions, *, budget: int | None) -> dict[str, str]:
    """The fields as they stand before anybody touches them."""
    return {
        "name": "",
        "budget": "" if budget is None else str(budget),
        "pages_per_list": str(options.pages_per_list),
        "pages_per_search": str(options.pages_per_search),
        "page_on": options.page_on,
        "search_again_days": str(options.search_again_days),
        "above_from": f"{100 * (options.price_from_factor - 1):g}",
        "above_to": f"{100 * (options.price_to_factor - 1):g}",
    }


def _whole(
    fields: Mapping[str, Any], key: str, problems: dict[str, str], *, least: int, most: int
) -> int | None:
    text = str(fields.get(key) or "").replace(",", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most:
        return int(text)
    ceiling = "" if most > 1000 else f" to {most}"
    problems[key] = f"A whole number from {least}{ceiling}."
    return None


def _percent(fields: Mapping[str, Any], key: str, problems: dict[str, str]) -> float | None:
    try:
        number = float(str(fields.get(key) or "").strip().rstrip("%"))
    except ValueError:
        number = float("nan")
    if -90 <= number <= 1900:
        return number
    problems[key] = "A percentage from -90 to 1900."
    return None
