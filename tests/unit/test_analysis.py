"""Deltas, their identities, and what is said about how far to trust them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import analysis
from collector.errors import UsageError
from collector.frames.as_of import LIST_DIFF, SELLERS_AS_OF
from collector.frames.between import HISTORY
from collector.frames.growth import GROWTH_BY_PLACE
from collector.frames.quality import QUALITY
from collector.frames.specs import COVERAGE, FRAMES, PRODUCTS, RUNS, SEEN, SELLERS
from collector.models import RunOptions

START = datetime(2026, 11, 1, tzinfo=UTC)
ALL_SPECS = [
    *FRAMES.values(),
    analysis.DELTAS,
    analysis.BY_CATEGORY,
    analysis.COHORTS,
    analysis.SPREAD,
    analysis.SCORES,
    HISTORY,
    GROWTH_BY_PLACE,
    LIST_DIFF,
    QUALITY,
    SELLERS_AS_OF,
]


def sightings(
    seen: dict[str, list[int]],
    *,
    run: str = "now",
    new: tuple[int, ...] = (),
    carried_over: bool = False,
) -> Any:
    """Product → numbers of the sellers seen for it, perhaps by the search that covers it."""
    return SEEN.frame(
        {
            "run_id": run,
            "asin": asin,
            "title": asin,
            "seller_id": number,
            "display_name": f"seller {number}",
            "listings": 1,
            "seen_at": START,
            "is_new": number in new,
            "removed": False,
            "carried_over": carried_over,
        }
        for asin, numbers in seen.items()
        for number in numbers
    )


def coverage(
    searches: dict[str, bool],
    *,
    pages: int = 1,
    has_more: bool = False,
    stopped: bool = False,
    run: str = "now",
    day: int = 1,
    by: str | None = None,
) -> Any:
    """Product → whether its search is complete; made on a day, perhaps by another run."""
    return COVERAGE.frame(
        {
            "run_id": run,
            "asin": asin,
            "pages": pages,
            "pages_done": pages if complete else pages - 1,
            "complete": complete,
            "has_more": has_more,
            "stopped": stopped,
            "searched_at": START + timedelta(days=day),
            "covered_by_run_id": by,
        }
        for asin, complete in searches.items()
    )


def statuses(delta: pd.DataFrame) -> dict[int, str]:
    return dict(zip(delta["seller_id"], delta["status"], strict=True))


def run_row(run_id: str, day: int = 0, **changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = {column.name: None for column in RUNS.columns}
    row |= {column.name: 0 for column in RUNS.columns if column.dtype == "int64"}
    row |= {
        "run_id": run_id,
        "name": run_id,
        "status": "completed",
        "source": "sandbox",
        "node_ids": "1 2",
        "options": RunOptions().model_dump_json(),
        "unfinished": False,
        "created_at": START + timedelta(days=day),
        "finished_at": START + timedelta(days=day, hours=1),
        "seconds": 1.0,
    }
    return row | changed


@pytest.mark.parametrize("spec", ALL_SPECS, ids=lambda spec: spec.name)
def test_every_column_of_every_frame_is_documented(spec: Any) -> None:
    assert spec.row
    assert spec.order
    assert len(set(spec.names)) == len(spec.names)
    for column in spec.columns:
        assert len(column.meaning) > 2, column.name
        assert f"{column.name} ({column.dtype})" in spec.described()
        # Whatever counts time or money says in what.
        if column.name.endswith(("_ms", "_cents", "seconds", "percent")):
            assert column.unit, column.name


@pytest.mark.parametrize("spec", ALL_SPECS, ids=lambda spec: spec.name)
def test_an_empty_frame_has_the_dtypes_of_a_filled_one(spec: Any) -> None:
    assert spec.empty().dtypes.astype(str).tolist() == [c.dtype for c in spec.columns]
    assert spec.from_arrow(spec.schema.empty_table()).dtypes.equals(spec.empty().dtypes)


def test_each_seller_gets_the_one_status_that_is_true() -> None:
    delta = analysis.deltas(
        sightings({"A": [1, 2, 3]}, new=(1,)),
        sightings({"A": [3, 4], "B": [5]}, run="before"),
        coverage_now=coverage({"A": True}),
        coverage_before=coverage({"A": True, "B": True}, run="before"),
    )

    assert statuses(delta) == {
        1: "new",
        2: "returning",
        3: "retained",
        4: "not_seen",
        5: "out_of_scope",
    }
    assert list(delta["status"]) == list(analysis.STATUSES)


@pytest.mark.parametrize(
    ("searched_again", "status"),
    [
        ({"A": True, "B": True}, "not_seen"),
        ({"A": True}, "out_of_scope"),
        ({"A": True, "B": False}, "out_of_scope"),
        ({}, "out_of_scope"),
    ],
)
def test_not_seen_needs_all_of_a_sellers_products_searched(
    searched_again: dict[str, bool], status: str
) -> None:
    """Seen for A and B, and only A was searched again: it may well still be under B."""
    delta = analysis.deltas(
        sightings({}),
        sightings({"A": [1], "B": [1]}, run="before"),
        coverage_now=coverage(searched_again),
        coverage_before=coverage({"A": True, "B": True}, run="before"),
    )

    assert statuses(delta) == {1: status}


@pytest.mark.parametrize(
    ("pages_now", "has_more", "status"),
    [(1, True, "out_of_scope"), (3, True, "not_seen"), (1, False, "not_seen")],
)
def test_a_search_that_stopped_earlier_covers_only_if_there_was_no_more(
    pages_now: int, has_more: bool, status: str
) -> None:
    delta = analysis.deltas(
        sightings({}),
        sightings({"A": [1]}, run="before"),
        coverage_now=coverage({"A": True}, pages=pages_now, has_more=has_more),
        coverage_before=coverage({"A": True}, pages=3, run="before"),
    )

    assert statuses(delta) == {1: status}


def test_a_search_that_a_paging_rule_ended_covers_nobody() -> None:
    """Whoever it did not see may stand on the page that it left out."""
    delta = analysis.deltas(
        sightings({"A": [1]}),
        sightings({"A": [1, 2]}, run="before"),
        coverage_now=coverage({"A": True}, has_more=True, stopped=True),
        coverage_before=coverage({"A": True}, has_more=True, stopped=True, run="before"),
    )

    assert statuses(delta) == {1: "retained", 2: "out_of_scope"}


def test_a_search_that_a_paging_rule_ended_does_not_say_who_was_not_there_before() -> None:
    delta = analysis.deltas(
        sightings({"A": [1]}),
        sightings({}, run="before"),
        coverage_now=coverage({"A": True}),
        coverage_before=coverage({"A": True}, has_more=True, stopped=True, run="before"),
    )

    assert delta["searched_before"].tolist() == [False]


def test_who_is_carried_over_is_retained_and_new_to_nobody() -> None:
    now = pd.concat(
        [sightings({"A": [1]}, new=(1,)), sightings({"B": [2, 3, 1]}, carried_over=True)]
    )
    delta = analysis.deltas(
        now,
        sightings({"B": [2]}, run="before"),
        coverage_now=pd.concat([coverage({"A": True}, day=2), coverage({"B": True}, by="before")]),
        coverage_before=coverage({"B": True}, run="before"),
    )

    assert statuses(delta) == {1: "new", 2: "retained", 3: "returning"}
    assert delta.set_index("seller_id")["carried_over"].to_dict() == {1: False, 2: True, 3: True}


@pytest.mark.parametrize(
    ("covered_on", "looked_on", "status"),
    [
        # Covered by what the run before saw itself, or took over as well.
        (1, 1, "not_seen"),
        (3, 2, "not_seen"),
        # The run before looked later than the search that covers for this one, if not to the end.
        (1, 2, "out_of_scope"),
    ],
)
def test_a_covering_search_speaks_only_of_what_was_seen_before_it(
    covered_on: int, looked_on: int, status: str
) -> None:
    delta = analysis.deltas(
        sightings({}),
        sightings({"A": [1]}, run="before"),
        coverage_now=coverage({"A": True}, day=covered_on, by="another"),
        coverage_before=coverage({"A": True}, day=looked_on, run="before"),
    )

    assert statuses(delta) == {1: status}


def test_searches_that_are_not_alike_lose_nobody() -> None:
    delta = analysis.deltas(
        sightings({"A": [2]}),
        sightings({"A": [1, 2]}, run="before"),
        coverage_now=coverage({"A": True}),
        coverage_before=coverage({"A": True}, run="before"),
        alike=False,
    )

    assert statuses(delta) == {1: "out_of_scope", 2: "retained"}


def test_returning_says_whether_the_run_before_looked_there() -> None:
    delta = analysis.deltas(
        sightings({"A": [1], "B": [2]}),
        sightings({}, run="before"),
        coverage_now=coverage({"A": True, "B": True}),
        coverage_before=coverage({"A": True}, run="before"),
    )

    assert delta["status"].tolist() == ["returning", "returning"]
    assert delta["searched_before"].tolist() == [True, False]


def test_a_delta_of_nothing_is_empty_with_the_right_dtypes() -> None:
    delta = analysis.deltas(
        SEEN.empty(),
        SEEN.empty(),
        coverage_now=COVERAGE.empty(),
        coverage_before=COVERAGE.empty(),
    )

    pd.testing.assert_frame_equal(delta, analysis.DELTAS.empty())
    assert set(analysis.summary(delta).values()) == {0}


_ASINS = st.sampled_from("ABCDE")
_SEEN = st.dictionaries(_ASINS, st.lists(st.integers(1, 8), unique=True), max_size=5)
_SEARCHED = st.dictionaries(_ASINS, st.booleans(), max_size=5)


@settings(deadline=None)
@given(
    seen_now=_SEEN,
    seen_before=_SEEN,
    searched_now=_SEARCHED,
    searched_before=_SEARCHED,
    new=st.sets(st.integers(1, 8)),
    alike=st.booleans(),
)
def test_growth_accounting_holds_for_any_two_runs(
    seen_now: dict[str, list[int]],
    seen_before: dict[str, list[int]],
    searched_now: dict[str, bool],
    searched_before: dict[str, bool],
    new: set[int],
    alike: bool,
) -> None:
    now, before = sightings(seen_now, new=tuple(new)), sightings(seen_before, run="before")
    delta = analysis.deltas(
        now,
        before,
        coverage_now=coverage(searched_now),
        coverage_before=coverage(searched_before, run="before"),
        alike=alike,
    )
    counts = analysis.summary(delta)
    here = {number for numbers in seen_now.values() for number in numbers}
    there = {number for numbers in seen_before.values() for number in numbers}
    status = statuses(delta)

    assert counts["now"] == len(here) == counts["retained"] + counts["new"] + counts["returning"]
    assert counts["before"] == len(there)
    assert len(there) == counts["retained"] + counts["not_seen"] + counts["out_of_scope"]
    assert set(status) == here | there
    for number in there - here:
        products = {asin for asin, numbers in seen_before.items() if number in numbers}
        all_searched = alike and all(searched_now.get(asin, False) for asin in products)
        assert status[number] == ("not_seen" if all_searched else "out_of_scope")
    for number in here - there:
        assert status[number] == ("new" if number in new else "returning")
    assert delta.dtypes.equals(analysis.DELTAS.empty().dtypes)


@settings(deadline=None)  # the first call pays for imports
@given(seen_now=_SEEN, seen_before=_SEEN, new=st.sets(st.integers(1, 8)))
def test_a_department_counts_each_of_its_sellers_once(
    seen_now: dict[str, list[int]], seen_before: dict[str, list[int]], new: set[int]
) -> None:
    """A and B stand in one department, C to E in another, A in two of its categories."""
    now, before = sightings(seen_now, new=tuple(new)), sightings(seen_before, run="before")
    delta = analysis.deltas(
        now, before, coverage_now=coverage({}), coverage_before=coverage({}, run="before")
    )
    products = _products({"A": ["Home/x", "Home/y"], "B": ["Home/x"], "C": ["Pets/"]})

    table = analysis.by_category(
        delta,
        now=now,
        before=before,
        products_now=products,
        products_before=products,
        level="department",
    ).set_index("department")

    home = {n for asin in "AB" for n in seen_now.get(asin, [])}
    assert (table["now"].get("Home", 0)) == len(home)
    assert (table["now"] == table["new"] + table["returning"] + table["retained"]).all()
    gone = set(delta.loc[delta["status"] == "out_of_scope", "seller_id"])
    pets = gone & set(seen_before.get("C", []))
    assert table["out_of_scope"].get("Pets", 0) == len(pets)


def test_a_seller_counts_in_every_category_it_was_seen_in() -> None:
    now = sightings({"A": [1], "B": [1, 2]}, new=(1, 2))
    delta = analysis.deltas(
        now,
        SEEN.empty(),
        coverage_now=COVERAGE.empty(),
        coverage_before=COVERAGE.empty(),
    )

    table = analysis.by_category(
        delta,
        now=now,
        before=SEEN.empty(),
        products_now=_products({"A": ["Home/x"], "B": ["Home/y"]}),
        products_before=PRODUCTS.empty(),
    )

    assert table[["category", "now", "new"]].to_numpy().tolist() == [["y", 2, 2], ["x", 1, 1]]
    assert table.dtypes.equals(analysis.BY_CATEGORY.empty().dtypes)


def _products(places: dict[str, list[str]], run: str = "now") -> pd.DataFrame:
    return PRODUCTS.frame(
        {column.name: None for column in PRODUCTS.columns}
        | {
            "run_id": run,
            "node_id": place,
            "department": place.split("/")[0],
            "category": place.split("/")[1],
            "position": 1,
            "asin": asin,
            "title": asin,
            "sellers": 0,
        }
        for asin, listed in places.items()
        for place in listed
    )


def test_a_run_compares_with_the_latest_completed_run_that_shares_a_category() -> None:
    runs = RUNS.frame(
        [
            run_row("this", 9),
            run_row("later", 10),
            run_row("other lists", 8, node_ids="7"),
            run_row("other source", 7, source="oxylabs"),
            run_row("cancelled", 6, status="cancelled"),
            run_row("shares one", 5, node_ids="2 3"),
            run_row("older", 4),
        ]
    )

    assert analysis.previous_comparable(runs, "this") == "shares one"
    assert analysis.previous_comparable(runs, "older") is None


@pytest.mark.parametrize(
    ("changed", "before", "expected"),
    [
        ({}, None, ("first_run",)),
        ({}, {}, ()),
        ({"status": "running", "finished_at": None}, {}, ("in_progress",)),
        (
            {"status": "paused", "pause_reason": "budget", "budget": 5, "requests": 5},
            {},
            ("in_progress", "capped"),
        ),
        (
            {"status": "cancelled", "budget": 5, "requests": 5, "unfinished": True},
            {},
            ("capped", "cancelled"),
        ),
        ({"budget": 5, "requests": 5}, {}, ()),
        ({"status": "failed"}, {}, ("failed",)),
        ({"failed_items": 2}, {"failed_items": 1}, ("failed_items", "before_failed_items")),
        ({"node_ids": "1 3"}, {}, ("changed_scope",)),
        ({"node_ids": "2 1"}, {}, ()),
        ({"options": RunOptions(workers=9).model_dump_json()}, {}, ()),
        ({"options": RunOptions(search_again_days=4).model_dump_json()}, {}, ()),
        ({"options": RunOptions(page_on="while_new").model_dump_json()}, {}, ("changed_search",)),
        # A run of before there was a rule.
        ({}, {"options": RunOptions().model_dump_json(exclude={"page_on"})}, ()),
        ({"products_covered": 2}, {}, ("not_due",)),
        ({"products_covered": 2}, None, ("first_run", "not_due")),
        ({"options": RunOptions(pages_per_search=1).model_dump_json()}, {}, ("changed_search",)),
    ],
)
def test_marks_say_what_limits_a_comparison(
    changed: dict[str, Any], before: dict[str, Any] | None, expected: tuple[str, ...]
) -> None:
    run = run_row("this", 2, **changed)
    other = None if before is None else run_row("before", 1, **before)

    assert analysis.marks(run, other) == expected
    assert set(expected) <= set(analysis.MARKS)


@pytest.mark.parametrize(
    ("changed", "alike"),
    [
        ({}, True),
        ({"price_from_factor": 1.5, "price_to_factor": 3.0}, True),
        ({"price_from_factor": 2.0}, False),
        ({"price_to_factor": 2.0}, False),
        ({"results_per_page": 60}, False),
        ({"geo_location": "10001"}, False),
        ({"workers": 50}, True),
    ],
)
def test_searches_are_alike_where_the_later_takes_in_the_earlier(
    changed: dict[str, Any], alike: bool
) -> None:
    before = json.loads(RunOptions().model_dump_json())

    assert analysis.searches_alike(before | changed, before) is alike


def test_quality_notes_put_the_heaviest_first_and_decide_the_badge() -> None:
    run = run_row("r", status="paused", pause_reason="budget", budget=5, requests=5, failed_items=3)
    found = analysis.marks(run, run_row("before", -1))

    notes = analysis.quality_notes(
        run,
        found=found,
        outcomes={"ok": 3, "blocked": 2, "rate_limited": 4},
        earlier_sellers_found=[100, 90, 110],
    )

    assert [note.weight for note in notes] == sorted(
        (note.weight for note in notes), key=["severe", "warning", "info"].index
    )
    assert {note.mark for note in notes} == {
        "capped",
        "few_sellers",
        "in_progress",
        "failed_items",
        "unreliable_pages",
    }
    assert any("2 × blocked" in note.text for note in notes)
    assert analysis.badge(notes) == "doubtful"


def test_the_note_says_how_many_were_not_due_and_whose_search_counts() -> None:
    run = run_row("r", products_covered=9, sellers_found=3)

    (note,) = analysis.quality_notes(
        run,
        found=analysis.marks(run, run_row("before", -1)),
        outcomes={"ok": 3},
        earlier_sellers_found=[100, 90, 110],
        sellers_seen=95,
        covering={"aaaaaaaa-1": 7, "bbbbbbbb-2": 2},
    )

    assert (note.mark, note.weight) == ("not_due", "info")
    assert "Not due: 9 (7 from run aaaaaaaa, 2 from run bbbbbbbb)." in note.text
    assert analysis.badge([note]) == "complete"


def test_the_note_names_a_few_runs_and_adds_up_the_others() -> None:
    run = run_row("r", products_covered=10)
    covering = {"aaaaaaaa": 4, "bbbbbbbb": 3, "cccccccc": 2, "dddddddd": 1}

    (note,) = analysis.quality_notes(run, found=("not_due",), outcomes={}, covering=covering)

    assert "2 from run cccccccc, 1 from earlier ones" in note.text


def test_a_whole_run_has_no_notes_and_too_few_earlier_runs_are_no_baseline() -> None:
    run = run_row("r", sellers_found=1)

    notes = analysis.quality_notes(
        run, found=(), outcomes={"ok": 3}, earlier_sellers_found=[100, 100]
    )

    assert notes == []
    assert analysis.badge(notes) == "complete"


def test_cohorts_tell_how_many_of_each_runs_new_sellers_came_back() -> None:
    seen = pd.concat(
        [
            sightings({"A": [1, 2], "B": [1]}, run="r1", new=(1, 2)),
            sightings({"A": [2, 3]}, run="r2", new=(3,)),
            sightings({"A": [1, 3]}, run="r3"),
        ]
    )
    runs = RUNS.frame([run_row("r3", 3), run_row("r2", 2), run_row("r1", 1)])

    table = analysis.cohorts(seen, runs)

    columns = ["cohort_run_id", "run_id", "age", "size", "seen", "share"]
    assert table[columns].to_numpy().tolist() == [
        ["r1", "r1", 0, 2, 2, 1.0],
        ["r1", "r2", 1, 2, 1, 0.5],
        ["r1", "r3", 2, 2, 1, 0.5],
        ["r2", "r2", 0, 1, 1, 1.0],
        ["r2", "r3", 1, 1, 1, 1.0],
    ]
    assert analysis.cohorts(SEEN.empty(), runs).empty


def _seller_rows(counts: dict[int, int | None]) -> pd.DataFrame:
    return SELLERS.frame(
        {column.name: None for column in SELLERS.columns}
        | {
            "seller_id": number,
            "times_seen": 1,
            "flagged": False,
            "feedback_count": count,
            "first_seen_at": START,
        }
        for number, count in counts.items()
    )


def test_spread_and_score_put_the_seller_of_everything_first() -> None:
    seen = pd.concat(
        [
            sightings({"A": [1, 2], "B": [1], "C": [1]}, run="then"),
            sightings({"A": [1], "B": [1]}, run="now"),
        ]
    )
    products = pd.concat(
        [
            _products({"A": ["Home/x", "Home/y"], "B": ["Pets/"], "C": ["Toys/"]}, run=run)
            for run in ("then", "now")
        ]
    )
    searched = pd.concat(
        [
            coverage({"A": True, "B": True, "C": True}, run="then"),
            coverage({"A": True, "B": False, "C": False}, run="now"),
        ]
    )

    spread = analysis.spread(seen, products)
    table = analysis.scores(
        spread,
        _seller_rows({1: None, 2: 0}),
        sightings=seen,
        coverage=searched,
        runs=RUNS.frame([run_row("now", 1), run_row("then", 0)]),
        departments_walked=3,
    ).set_index("seller_id")

    assert spread["departments"].tolist() == [3, 1]
    assert spread["categories"].tolist() == [4, 2]
    assert list(table.index) == [1, 2]
    assert table.loc[1, "breadth"] == pytest.approx(2 / 3)
    assert table["youth"].isna().tolist() == [True, False]
    assert table["runs"].tolist() == [2, 1]
    assert table["runs_able"].tolist() == [2, 2]
    # 0.4 * 2/3 + 0.3 * 3/10 + 0.2 * 2/2, over 0.9: the unknown part's weight is shared.
    assert table.loc[1, "score"] == pytest.approx(100 * (0.4 * 2 / 3 + 0.09 + 0.2) / 0.9)
    assert table["known"].tolist() == pytest.approx([0.9, 1.0])
    assert table.loc[2, "score"] == pytest.approx(100 * (0.03 + 0.2 / 2 + 0.1))


def test_a_run_that_searched_other_products_does_not_speak_against_a_seller() -> None:
    seen = sightings({"A": [1]}, run="first")
    searched = pd.concat(
        [
            coverage({"A": True}, run="before"),
            coverage({"A": True}, run="first"),
            coverage({"B": True}, run="second"),
        ]
    )
    runs = [run_row("second", 2), run_row("first", 1), run_row("before", 0)]

    table = analysis.scores(
        analysis.spread(seen, _products({"A": ["Home/x"]}, run="first")),
        _seller_rows({1: 10}),
        sightings=seen,
        coverage=searched,
        runs=RUNS.frame(runs),
        departments_walked=2,
    )

    assert table["runs_able"].tolist() == [1]
    assert table["stability"].isna().all(), "who was looked for once has proved nothing"
    assert table["known"].tolist() == pytest.approx([0.8])


def test_a_run_that_took_a_product_over_has_not_looked_again() -> None:
    """It speaks neither for nor against a seller's stability."""
    seen = sightings({"A": [1]}, run="first")
    products = PRODUCTS.frame(
        {column.name: None for column in PRODUCTS.columns}
        | {"run_id": run, "asin": "A", "node_id": "1", "department": "Toys", "position": 1}
        | {"category": "", "sellers": 0}
        for run in ("first", "second")
    )
    sellers = SELLERS.frame(
        [
            {column.name: None for column in SELLERS.columns}
            | {"seller_id": 1, "feedback_count": 5, "times_seen": 1, "flagged": False}
        ]
    )
    searched = pd.concat(
        [coverage({"A": True}, run="first"), coverage({"A": True}, run="second", by="first")]
    )

    table = analysis.scores(
        analysis.spread(seen, products),
        sellers,
        sightings=seen,
        coverage=searched,
        runs=RUNS.frame([run_row("first"), run_row("second", 1)]),
        departments_walked=1,
    )

    assert table[["runs", "runs_able"]].to_numpy().tolist() == [[1, 1]]
    assert table["stability"].isna().all()


def test_runs_over_one_department_say_nothing_of_breadth() -> None:
    seen = sightings({"A": [1]})

    table = analysis.scores(
        analysis.spread(seen, _products({"A": ["Home/x"]})),
        _seller_rows({1: None}),
        sightings=seen,
        coverage=coverage({"A": True}),
        runs=RUNS.frame([run_row("now")]),
        departments_walked=1,
    )

    assert table["breadth"].isna().all()
    assert table["score"].tolist() == pytest.approx([10.0]), "of the products alone"
    assert table["known"].tolist() == pytest.approx([0.3])


def test_a_score_without_anything_known_is_missing() -> None:
    seen = sightings({"A": [1]})

    table = analysis.scores(
        analysis.spread(seen, _products({"A": ["Home/x"]})),
        _seller_rows({1: None}),
        sightings=seen,
        coverage=coverage({"A": True}),
        runs=RUNS.frame([run_row("now")]),
        departments_walked=2,
        weights=analysis.ScoreWeights(breadth=0, products=0, stability=0, youth=1),
    )

    assert table["score"].isna().all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"breadth": -1},
        {"breadth": 0, "products": 0, "stability": 0, "youth": 0},
        {"full_breadth": 1},
        {"full_feedback": 0},
        {"youth": float("nan")},
        {"products": "much"},
    ],
)
def test_weights_that_weigh_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Weights are numbers"):
        analysis.ScoreWeights.changed(wrong)


def test_stored_weights_of_another_version_are_read() -> None:
    assert analysis.ScoreWeights.changed({"youth": 0.3, "moon": 1}).youth == 0.3


def test_a_removed_seller_gets_no_score() -> None:
    seen = sightings({"A": [1]})
    spread = analysis.spread(seen, _products({"A": ["Home/x"]}))

    table = analysis.scores(
        spread,
        SELLERS.empty(),
        sightings=seen,
        coverage=COVERAGE.empty(),
        runs=RUNS.empty(),
        departments_walked=1,
    )

    pd.testing.assert_frame_equal(table, analysis.SCORES.empty())
