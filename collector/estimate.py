"""What a run may cost, before it is launched: from its lists and pages, and from earlier runs.

Pure: whoever asks brings the facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# A best-seller list of Amazon's has two pages of fifty.
PRODUCTS_A_PAGE: Final = 50
# Some products have no dollar price, or stand in several lists: they are not searched.
LEAST_SHARE_SEARCHED: Final = 0.7
# What an answer takes where no earlier run tells.
ANSWER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """What a whole run with as many pages a search came to.

    `covered` products were not due in it and cost nothing, beside the `searched` ones.
    """

    list_pages: int
    requests: int
    searched: int = 0
    covered: int = 0

    @property
    def requests_if_all_were_due(self) -> float | None:
        """What it would have come to without products that were not due; None where unknown."""
        if not self.covered:
            return self.requests
        if not self.searched:
            return None
        searches = self.requests - self.list_pages
        return self.list_pages + searches * (1 + self.covered / self.searched)


@dataclass(frozen=True, slots=True)
class History:
    """Earlier runs, and the mean seconds of an answer in the latest; None where unknown.

    `not_due` products are known to be not due in the run to come; searching them took
    `not_due_requests` pages.
    """

    runs: tuple[EarlierRun, ...] = ()
    answer_s: float | None = None
    not_due: int = 0
    not_due_requests: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run may cost, from and to: requests, and seconds.

    `runs` is the number of earlier runs that it rests on; 0: on nothing but lists and pages.
    `workers` and `budget` are those of the run. `not_due` products are taken out of it.
    """

    requests: tuple[int, int]
    duration_s: tuple[float, float]
    runs: int = 0
    workers: int = 5
    budget: int | None = None
    not_due: int = 0


NO_HISTORY: Final = History()


def estimate(
    *,
    categories: int,
    pages_per_list: int,
    pages_per_search: int,
    workers: int,
    budget: int | None = None,
    history: History = NO_HISTORY,
) -> Estimate:
    """Estimate a run: its list pages, and the searches that these bring.

    Where earlier runs tell how many requests a page of a list comes to, retries included, the
    range is from the cheapest of them to the dearest, as if all their products had been due. What
    is known to be not due is taken out of it.

    Args:
        categories: best-seller lists to walk.
        pages_per_list: pages fetched of each.
        pages_per_search: at most this many pages of each search.
        workers: requests under way at once.
        budget: where it ends, whatever is left.
        history: earlier runs with as many pages a search.
    """
    lists = categories * pages_per_list
    products = lists * PRODUCTS_A_PAGE
    fewest = lists + int(LEAST_SHARE_SEARCHED * products)
    most = lists + products * pages_per_search
    a_page = [
        whole / run.list_pages
        for run in history.runs
        if run.list_pages and (whole := run.requests_if_all_were_due) is not None
    ]
    if a_page:
        fewest, most = round(lists * min(a_page)), round(lists * max(a_page))
    fewest, most = (max(lists, n - history.not_due_requests) for n in (fewest, most))
    if budget is not None:
        fewest, most = min(fewest, budget), min(most, budget)
    pace_s = (history.answer_s or ANSWER_S) / workers
    return Estimate(
        requests=(fewest, most),
        duration_s=(fewest * pace_s, most * pace_s),
        runs=len(a_page),
        workers=workers,
        budget=budget,
        not_due=history.not_due,
    )
