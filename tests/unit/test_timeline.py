"""The history's timeline: the order of runs and edits, and the words of what they changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from collector.panel.history_picture import history_picture, signed
from collector.panel.timeline import (
    NAMES_SHOWN,
    edit_detail,
    figures,
    plain,
    run_detail,
    timeline,
)

DAY = datetime(2026, 3, 1, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>"


def run(number: int, **given: Any) -> dict[str, Any]:
    """A completed run's row."""
    return {
        "run_id": f"{number:08x}-0000-0000-0000-000000000000",
        "name": f"Kitchen {number}",
        "status": "completed",
        "source": "oxylabs",
        "category_names": "Kitchen › Coffee",
        "products_searched": 9,
        "products_total": 10,
        "sellers_new": 12,
        "seller_count_snapshot": 1000 + number,
        "requests": 30,
        "products_covered": 0,
        "requests_per_new_seller": 2.5,
        "budget": None,
        "failed_items": 0,
        "created_at": DAY + timedelta(days=number),
        "started_at": DAY + timedelta(days=number),
        "finished_at": DAY + timedelta(days=number, minutes=6),
        "seconds": 360.0,
    } | given


def edit(number: int, **given: Any) -> dict[str, Any]:
    """An edit's row."""
    return {
        "audit_id": number,
        "created_at": DAY + timedelta(days=number, hours=1),
        "action": "add",
        "seller_name": "clever-finds",
        "source": "manual",
        "actor": "ana",
        "affected_count": 1,
        "seller_count_snapshot": 1001,
        "change": 1,
        "undoes_id": None,
    } | given


def sellers(*statuses: str) -> list[dict[str, Any]]:
    """Rows of a delta."""
    return [
        {"status": status, "display_name": f"{status}-{number}", "removed": False}
        for number, status in enumerate(statuses)
    ]


def test_runs_and_edits_stand_newest_first_and_a_run_where_it_ended() -> None:
    going_on = run(1, status="running", finished_at=None, seconds=None, seller_count_snapshot=None)
    moments = timeline([run(2), going_on], [edit(3), edit(1)])
    assert [m["key"].split("-")[0] for m in moments] == [
        "run:00000001",
        "edit:3",
        "run:00000002",
        "edit:1",
    ]
    assert moments[0]["aside"] == "● Running"
    assert moments[0]["count"] is None
    assert moments[2] | {"key": ""} == {
        "key": "",
        "kind": "run",
        "mark": "▶",
        "title": "Kitchen 2",
        "aside": "✓ Completed",
        "tone": "ok",
        "open": False,
        "at": int((DAY + timedelta(days=2, minutes=6)).timestamp() * 1000),
        "delta": 12,
        "count": 1002,
        "took": "6 min 0 s",
        "sandbox": False,
    }


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ({}, "Added clever-finds"),
        ({"affected_count": 1204}, "Added clever-finds and 1,203 more"),
        ({"action": "remove", "affected_count": 2}, "Removed clever-finds and 1 more"),
        ({"action": "edit"}, "Renamed to clever-finds"),
        ({"action": "flag"}, "Flagged clever-finds"),
        ({"action": "undo", "undoes_id": 7}, "Undid edit 7"),
        ({"action": "redo", "undoes_id": 7}, "Did again edit 7"),
        ({"source": "import", "affected_count": 120}, "Imported 120 sellers"),
        ({"seller_name": None, "affected_count": 0}, "Added 0 sellers"),
        ({"seller_name": "a\u202eb\x00c"}, "Added a b c"),
    ],
)
def test_an_edit_is_told_in_words(given: dict[str, Any], title: str) -> None:
    assert timeline([], [edit(1, **given)])[0]["title"] == title


def test_the_figures_above_are_the_latest_ones() -> None:
    told = figures(timeline([run(2), run(1)], [edit(3)]))
    assert told == {
        "sellers": 1001,
        "runs": "2 runs",
        "edits": "1 edit",
        "curve": [1001, 1002, 1001],
    }
    assert figures([]) == {"sellers": None, "runs": "0 runs", "edits": "0 edits", "curve": []}


def test_a_run_tells_whom_it_added_and_who_was_not_seen_and_bounds_the_names() -> None:
    statuses = ["new"] * 450 + ["not_seen"] * 3 + ["retained"] * 5 + ["out_of_scope"] * 2
    detail = run_detail(run(2), sellers(*statuses), before=run(1), marks=["A mark."])
    added, not_seen = detail["sections"]
    assert (added["title"], added["sign"], added["total"]) == ("Added to the list", "+", 450)
    assert len(added["names"]) == NAMES_SHOWN
    assert (not_seen["sign"], not_seen["total"]) == ("−", 3)
    assert "stay on the list" in not_seen["hint"]
    assert detail["notes"] == [
        "Compared with “Kitchen 1”.",
        "5 sellers seen by both runs.",
        "Nothing can be said of 2: their products were not searched again.",
        "A mark.",
    ]
    assert detail["again"] == run(2)["run_id"]


def test_a_run_that_added_nobody_says_so() -> None:
    detail = run_detail(run(1), sellers("retained"), before=None)
    assert [(s["title"], s["total"]) for s in detail["sections"]] == [("Added to the list", 0)]


def test_an_edit_tells_each_name_and_note() -> None:
    def change(kind: str, old: str | None, new: str | None, note: str | None) -> dict[str, Any]:
        return {"change": kind, "old_name": old, "new_name": new, "new_note": note}

    detail = edit_detail(
        edit(1),
        [
            change("added", None, "a", None),
            change("removed", "b", None, None),
            change("renamed", "c", "d", None),
            change("flagged", "e", "e", "three lists"),
        ],
    )
    told = [(s["sign"], s["names"]) for s in detail["sections"]]
    assert told == [
        ("+", ["a"]),
        ("−", ["b"]),
        ("→", ["c → d"]),
        ("⚑", ["e · three lists"]),
    ]
    assert detail["again"] is None


@pytest.mark.parametrize("beside", [True, False])
def test_the_picture_escapes_every_text(beside: bool) -> None:
    named = run(1, name=HOSTILE, category_names=HOSTILE)
    moments = timeline([named], [edit(2, seller_name=HOSTILE, actor=HOSTILE)])
    delta = [{"status": "new", "display_name": HOSTILE, "removed": True}]
    detail = run_detail(named, delta, before=named, marks=[HOSTILE])
    html = history_picture(figures(moments) | {"total": 2}, moments, detail, beside=beside)
    assert "<img" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") == 8
    assert ("clp-beside" in html.split("<style>")[0]) is beside


def test_the_picture_of_an_empty_history_says_so() -> None:
    assert "No runs yet." in history_picture(figures([]) | {"total": 0}, [], None)


@pytest.mark.parametrize(("number", "text"), [(1204, "+1,204"), (-3, "−3"), (0, "±0")])
def test_a_change_has_its_sign(number: int, text: str) -> None:
    assert signed(number) == text


def test_what_is_missing_in_a_row_is_none() -> None:
    missing: Sequence[Any] = [pd.NA, pd.NaT, float("nan"), None]
    assert list(plain(dict(enumerate(missing))).values()) == [None] * 4
    assert plain({"a": 0, "b": "", "c": False}) == {"a": 0, "b": "", "c": False}
