"""Deltas of runs that left out what was not due, and what the frames say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pandas as pd
import pytest
from settled_runs import page_of
from stored import Store, opened_store
from test_not_due import FRUGAL, WHOLE, begun, ended, walked

from collector import analysis, frames
from collector.database import Database
from collector.frames.between import compare
from collector.frames.growth import by_place
from collector.settings import Settings
from collector.sources.ebay import SearchPage
from collector.words import RunStatus
from collector.workbench import Workbench


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with opened_store(database) as store:
        yield store


def told(delta: pd.DataFrame) -> dict[str, list[str]]:
    return {str(s): sorted(names) for s, names in delta.groupby("status")["display_name"]}


def three_days(store: Store) -> tuple[UUID, UUID, UUID]:
    """B1 is searched on days 0 and 2; B2 is new on day 1, and searched on day 1 alone."""
    first = walked(store, {"B1": ["ann", "bob"]}, options=FRUGAL)
    second = walked(store, {"B1": ["nobody looks"], "B2": ["bob", "zoe"]}, options=FRUGAL, day=1)
    third = walked(store, {"B1": ["ann", "new"], "B2": ["nobody"]}, options=FRUGAL, day=2)
    return first, second, third


def test_who_was_seen_by_the_covering_search_is_retained_and_new_to_nobody(
    store: Store, database: Database
) -> None:
    first, second, _ = three_days(store)

    comparison = compare(database, second)

    assert told(comparison.delta) == {"new": ["zoe"], "retained": ["ann", "bob"]}
    carried = comparison.delta.set_index("display_name")["carried_over"]
    assert carried.to_dict() == {"ann": True, "bob": False, "zoe": False}
    assert comparison.marks == ("not_due",)
    coverage = comparison.now.coverage.set_index("asin")
    assert coverage.loc["B1", ["complete", "covered_by_run_id"]].tolist() == [True, str(first)]
    assert coverage["covered_by_run_id"].isna().to_dict() == {"B1": False, "B2": True}


def test_a_run_compares_with_one_that_had_covered_products(
    store: Store, database: Database
) -> None:
    """Bob was carried over under B1 then; now B1 was searched, and B2 is covered: he is there."""
    _, second, third = three_days(store)

    comparison = compare(database, third)

    assert comparison.before is not None
    assert comparison.before["run_id"] == str(second)
    assert told(comparison.delta) == {"new": ["new"], "retained": ["ann", "bob", "zoe"]}


def test_who_is_gone_from_what_was_due_is_not_seen(store: Store, database: Database) -> None:
    walked(store, {"B1": ["ann"], "B2": ["bob"]}, options=FRUGAL)
    walked(store, {"B1": [], "B2": []}, options=FRUGAL, day=1)
    third = walked(store, {"B1": [], "B2": ["bob"]}, options=FRUGAL, day=2)
    assert told(compare(database, third).delta) == {"not_seen": ["ann"], "retained": ["bob"]}


def test_a_search_older_than_what_the_run_before_saw_calls_nobody_gone(
    store: Store, database: Database
) -> None:
    """The run before saw carl on a first page whose second one failed: it covers nothing."""
    options = FRUGAL.model_copy(update={"search_again_days": 9})
    walked(store, {"B1": ["ann"]}, options=options)
    broken, owner_id, (search,) = begun(store, "B1", options=WHOLE, day=1)
    store.settle(search, owner_id, _first_of_two("carl"), options=WHOLE)
    ended(store, broken, owner_id)
    third = walked(store, {"B1": []}, options=options, day=2)
    assert told(compare(database, third).delta) == {"out_of_scope": ["carl"], "returning": ["ann"]}


def _first_of_two(*names: str) -> SearchPage:
    return replace(page_of(names), has_more=True)


def test_growth_keeps_its_identities_with_covered_products(
    store: Store, database: Database
) -> None:
    runs = [*three_days(store)]
    runs.append(walked(store, {"B1": [], "B2": ["zoe"], "B3": ["yan"]}, options=FRUGAL, day=3))
    history = frames.history(database).set_index("run_id")
    known = frames.runs(database)
    now_before = 0
    for run_id in map(str, runs):
        row = history.loc[run_id]
        assert row["now"] == row["new"] + row["returning"] + row["retained"]
        assert row["before"] == row["retained"] + row["not_seen"] + row["out_of_scope"]
        assert row["before"] == now_before
        now_before = row["now"]
        comparison = compare(database, UUID(run_id), runs=known)
        placed = by_place(database, comparison, "category")
        assert (placed["now"] == placed[["new", "returning", "retained"]].sum(axis=1)).all()
        assert placed["now"].sum() == row["now"], "one list: each seller counts once"
        assert row["new"] == known.set_index("run_id").loc[run_id, "sellers_new"]
    assert history["products_covered"].tolist() == [0, 1, 1, 1]
    assert history["carried_over"].tolist() == [0, 1, 2, 2]


def test_cohorts_stay_where_their_products_were_not_due(store: Store, database: Database) -> None:
    first, second, _ = three_days(store)
    table = frames.cohorts(database).set_index(["cohort_run_id", "run_id"])
    assert table.loc[(str(first), str(second)), ["size", "seen"]].tolist() == [2, 2]


def test_frames_tell_who_covers_and_keep_sightings_the_runs_own(
    store: Store, settings: Settings
) -> None:
    first, second, _ = three_days(store)
    with Workbench.open(settings) as bench:
        listed = bench.products(second).set_index("asin")
        assert listed["covered_by_run_id"].fillna("").to_dict() == {"B1": str(first), "B2": ""}
        assert listed["sellers"].to_dict() == {"B1": 0, "B2": 2}
        assert sorted(bench.sightings(second)["display_name"]) == ["bob", "zoe"]
        row = bench.runs().set_index("run_id").loc[str(second)]
        assert (row["products_covered"], row["products_total"]) == (1, 1)
        quality = bench.quality(second)
    assert quality.badge == "complete"
    (note,) = quality.notes
    assert note.text.endswith(f"Not due: 1 (1 from run {str(first)[:8]}).")


def test_a_run_that_had_nothing_to_search_stands_for_the_one_before(
    store: Store, database: Database
) -> None:
    walked(store, {"B1": ["ann"], "B2": ["bob"]}, options=FRUGAL)
    second = walked(store, {"B1": [], "B2": []}, options=FRUGAL, day=1)
    row = frames.history(database).set_index("run_id").loc[str(second)]
    assert row[["now", "retained", "carried_over", "requests"]].tolist() == [2, 2, 2, 1]
    assert pd.isna(row["requests_per_new_seller"])
    assert analysis.summary(frames.deltas(database, second))["not_seen"] == 0


def test_a_cancelled_run_between_covers_with_what_it_saw(store: Store, database: Database) -> None:
    """It is no run to compare with, so zoe, whom it added to the list, is returning."""
    walked(store, {"B1": ["ann"]})
    between, owner_id, (search,) = begun(store, "B1", options=WHOLE, day=1)
    store.settle(search, owner_id, page_of(["zoe"]), options=WHOLE)
    ended(store, between, owner_id, RunStatus.CANCELLED)
    third = walked(store, {"B1": []}, options=FRUGAL, day=2)
    assert told(compare(database, third).delta) == {"not_seen": ["ann"], "returning": ["zoe"]}


def test_a_shallower_run_calls_nobody_gone_who_may_stand_on_a_deeper_page(
    store: Store, database: Database
) -> None:
    first, owner_id, (search,) = begun(store, "B1", options=WHOLE)
    store.settle(search, owner_id, _first_of_two("ann"), options=WHOLE)
    (second_page,) = store.claim(first, owner_id)
    store.settle(second_page, owner_id, page_of(["bob"]), options=WHOLE)
    ended(store, first, owner_id)
    shallow = WHOLE.model_copy(update={"pages_per_search": 1})
    run_id, owner_id, (search,) = begun(store, "B1", options=shallow, day=1)
    store.settle(search, owner_id, _first_of_two("ann"), options=shallow)
    ended(store, run_id, owner_id)
    assert told(compare(database, run_id).delta) == {"out_of_scope": ["bob"], "retained": ["ann"]}


def test_a_search_that_a_rule_ended_calls_nobody_gone(store: Store, database: Database) -> None:
    """Though the run before went no deeper: pages change their order from day to day."""
    rule = WHOLE.model_copy(update={"page_on": "while_new"})
    for day, names in enumerate((["ann", "bob"], ["ann"])):
        run_id, owner_id, claimed = begun(store, "B1", options=rule, day=day)
        store.settle(claimed[0], owner_id, _first_of_two(*names), options=rule)
        for page in store.claim(run_id, owner_id):
            store.settle(page, owner_id, _first_of_two("ann"), options=rule)
        ended(store, run_id, owner_id)
    assert told(compare(database, run_id).delta) == {"out_of_scope": ["bob"], "retained": ["ann"]}
