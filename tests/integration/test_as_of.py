"""The seller list as it was, and what changed between two moments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from settled_runs import SettledRun, run_that_saw

from collector import Workbench
from collector.errors import UnknownRun, UsageError
from collector.frames.as_of import LIST_DIFF, SELLERS_AS_OF
from collector.settings import Settings
from tests.conftest import run_sql


@pytest.fixture
def bench(settings: Settings) -> Iterator[Workbench]:
    with Workbench.open(settings) as opened:
        yield opened


def test_the_list_of_any_entry_run_or_time_is_as_it_was(bench: Workbench) -> None:
    run_id = run_that_saw(bench.database, {"A1": ["Anna", "bob"], "A2": ["zoe"]})
    at_the_end = bench.audit_log()["audit_id"].iloc[-1]
    bench.rename("anna", "Berta")
    flagged = bench.flag("bob", note="a wholesaler").audit_id
    before_removal = datetime.now(UTC)
    bench.remove("bob")

    then = bench.sellers(as_of=run_id)
    assert then["display_name"].tolist() == ["Anna", "bob", "zoe"]
    assert then["normalized_name"].tolist() == ["anna", "bob", "zoe"]
    assert not then["flagged"].any()
    assert set(then["note"]) == {""}
    assert then.equals(bench.sellers(as_of=at_the_end))
    assert then.equals(bench.sellers(as_of=str(run_id)[:8]))
    assert then.equals(bench.sellers(as_of=bench.attach(run_id)))

    later = bench.sellers(as_of=before_removal).set_index("display_name")
    assert list(later.index) == ["Berta", "bob", "zoe"]
    assert later.loc["bob", ["flagged", "note"]].tolist() == [True, "a wholesaler"]
    assert later.reset_index().equals(
        bench.sellers(as_of=flagged)[later.reset_index().columns.tolist()]
    )
    assert bench.sellers(as_of=datetime.now(UTC))["display_name"].tolist() == ["Berta", "zoe"]
    assert bench.sellers(as_of=0).empty
    assert bench.sellers(as_of=datetime(2020, 1, 1, tzinfo=UTC)).empty


def test_a_note_is_known_from_the_change_after_it_where_none_is_before(bench: Workbench) -> None:
    bench.add("anna")
    run_sql(bench.database, "UPDATE sellers SET note = 'from an older version'")
    bench.flag("anna", note="new")

    assert bench.sellers(as_of=1)["note"].tolist() == ["from an older version"]
    assert bench.sellers(as_of=2)["note"].tolist() == ["new"]


def test_when_a_seller_was_put_on_the_list_is_told(bench: Workbench) -> None:
    bench.add("anna")
    bench.remove("anna")
    bench.add("anna")

    times = bench.audit_log()["created_at"].tolist()
    assert bench.sellers(as_of=1)["added_at"].tolist() == [times[0]]
    assert bench.sellers(as_of=2).empty
    assert bench.sellers(as_of=3)["added_at"].tolist() == [times[2]]


def test_frames_of_nothing_have_the_documented_dtypes(bench: Workbench) -> None:
    bench.add("anna")
    for frame, spec in (
        (bench.sellers(as_of=0), SELLERS_AS_OF),
        (bench.sellers(as_of=1), SELLERS_AS_OF),
        (bench.diff(0, 0).frame, LIST_DIFF),
        (bench.diff(0, 1).frame, LIST_DIFF),
    ):
        assert frame.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in spec.columns}


def test_moments_that_never_were_are_refused_with_what_to_do(bench: Workbench) -> None:
    with pytest.raises(UsageError, match="has not changed yet"):
        bench.sellers(as_of=1)
    bench.add("anna")
    with pytest.raises(UsageError, match="go from 1 to 1"):
        bench.diff(0, 2)
    with pytest.raises(UsageError, match="no audit entry -1"):
        bench.sellers(as_of=-1)
    with pytest.raises(UsageError, match="no time zone"):
        bench.sellers(as_of=datetime(2026, 11, 23))
    with pytest.raises(UnknownRun):
        bench.sellers(as_of="latest")
    run = SettledRun(bench.database, ["A1"])
    with pytest.raises(UsageError, match="has not ended"):
        bench.sellers(as_of=run.id)
    with pytest.raises(UsageError, match="alone"):
        bench.sellers(as_of=1, include_removed=True)


def test_a_difference_tells_added_removed_and_renamed(bench: Workbench) -> None:
    first = run_that_saw(bench.database, {"A1": ["anna", "bob", "carl"]})
    bench.rename("anna", "berta")
    bench.remove("bob")
    bench.add("gone")
    bench.remove("gone")
    second = run_that_saw(bench.database, {"A1": ["zoe", "carl", "<b>x</b>"]})

    diff = bench.diff(first, second)

    assert (diff.before, diff.after) == (3, 4)
    assert diff.counts == {"added": 2, "removed": 1, "renamed": 1}
    assert diff.after == diff.before + len(diff.added) - len(diff.removed)
    assert sorted(diff.added["new_name"]) == ["<b>x</b>", "zoe"]
    assert diff.removed["old_name"].tolist() == ["bob"]
    assert diff.removed["new_name"].isna().all()
    assert diff.renamed[["old_name", "new_name"]].to_numpy().tolist() == [["anna", "berta"]]
    assert str(diff) == "3 → 4 sellers: 2 added, 1 removed, 1 renamed"
    assert "<b>" not in diff._repr_html_()

    back = bench.diff(second, first)
    assert back.counts == {"added": 1, "removed": 2, "renamed": 1}
    assert back.renamed[["old_name", "new_name"]].to_numpy().tolist() == [["berta", "anna"]]
    assert bench.diff(second, second).counts == {"added": 0, "removed": 0, "renamed": 0}


def test_a_hundred_thousand_entries_are_replayed_in_seconds(bench: Workbench) -> None:
    entries = 100_000
    run_sql(
        bench.database,
        "INSERT INTO sellers (normalized_name, display_name, first_seen_at, last_seen_at) "
        "SELECT 's' || n, 'S' || n, now(), now() FROM generate_series(1, %s) n",
        entries,
    )
    run_sql(
        bench.database,
        "INSERT INTO seller_audit_log (id, action, source, actor, affected_count, "
        "seller_count_snapshot, created_at) SELECT n, 'add', 'manual', 'ana', 1, n, "
        "timestamptz '2026-01-01' + n * interval '1 minute' FROM generate_series(1, %s) n",
        entries,
    )
    run_sql(
        bench.database,
        "INSERT INTO seller_audit_changes (audit_id, seller_id, change, new_name) "
        "SELECT a.n, s.id, 'added', s.display_name FROM generate_series(1, %s) a(n) "
        "JOIN sellers s ON s.display_name = 'S' || a.n",
        entries,
    )
    run_sql(
        bench.database,
        "UPDATE seller_counter SET seller_count = %s, last_audit_id = %s",
        entries,
        entries,
    )

    began = datetime.now(UTC)
    assert len(bench.sellers(as_of=np.int64(70_000))) == 70_000
    assert bench.diff(60_000, 70_000).counts["added"] == 10_000
    assert len(bench.sellers(as_of=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=5))) == 5
    assert (datetime.now(UTC) - began).total_seconds() < 10
