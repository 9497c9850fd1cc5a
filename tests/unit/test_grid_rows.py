"""The sellers grid's rows: searching, sorting, filtering, choosing, and the picture of them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.frames.specs import SELLERS
from collector.panel.grid_picture import grid_picture
from collector.panel.grid_rows import GridRows, Look, next_sort

DAY = pd.Timestamp("2026-03-01", tz="UTC")
HOSTILE = "<img src=x onerror=alert(1)>"


def frame(**columns: list[object]) -> pd.DataFrame:
    """Four sellers: b is flagged with a note, c was added by hand, d was removed."""
    rows = {
        "seller_id": [1, 2, 3, 4],
        "platform": ["ebay"] * 4,
        "display_name": ["Bravo", "alpha", "Charlie", "delta"],
        "normalized_name": ["bravo", "alpha", "charlie", "delta"],
        "feedback_percent": [99.1, None, 97.0, 99.9],
        "feedback_count": [10, None, 30, 5],
        "first_seen_at": [DAY, DAY, DAY, DAY],
        "last_seen_at": [DAY, DAY, DAY, DAY],
        "times_seen": [3, 1, 2, 9],
        "flagged": [False, True, False, False],
        "note": ["", "Ships from Ohio", "", ""],
        "first_run_id": ["1a", "1a", None, "1a"],
        "last_run_id": ["1a", "1a", None, "1a"],
        "removed_at": [pd.NaT, pd.NaT, pd.NaT, DAY],
    }
    return SELLERS.shaped(pd.DataFrame(rows | columns))


def names(rows: GridRows) -> list[str]:
    return [row[3] for row in rows.rows(0, 100)]


@pytest.mark.parametrize(
    ("look", "shown"),
    [
        (Look(), ["Bravo", "alpha", "Charlie"]),
        (Look(filter="flagged"), ["alpha"]),
        (Look(filter="noted"), ["alpha"]),
        (Look(filter="by_hand"), ["Charlie"]),
        (Look(filter="removed"), ["delta"]),
        (Look(filter="no such filter"), ["Bravo", "alpha", "Charlie"]),
        (Look(search="A"), ["Bravo", "alpha", "Charlie"]),
        (Look(search="  OHIO "), ["alpha"]),
        (Look(search=".*"), []),
        (Look(sort="name"), ["alpha", "Bravo", "Charlie"]),
        (Look(sort="name", descending=True), ["Charlie", "Bravo", "alpha"]),
        (Look(sort="feedback"), ["Bravo", "Charlie", "alpha"]),
        (Look(sort="feedback", descending=True), ["Charlie", "Bravo", "alpha"]),
        (Look(sort="note", descending=True), ["alpha", "Bravo", "Charlie"]),
        (Look(sort="no such column"), ["Bravo", "alpha", "Charlie"]),
    ],
)
def test_a_look_shows_what_is_asked_for_missing_values_last(look: Look, shown: list[str]) -> None:
    rows = GridRows(frame())
    rows.see(look)
    assert names(rows) == shown
    assert rows.shown == len(shown)
    assert rows.listed == 3


def test_a_heading_sorts_one_way_then_the_other_then_not() -> None:
    look = Look()
    seen = []
    for key in ("feedback", "feedback", "feedback", "name", "name", "feedback"):
        look = replace(look, **next_sort(look, key))
        seen.append((look.sort, look.descending))
    assert seen == [
        ("feedback", True),
        ("feedback", False),
        ("", False),
        ("name", False),
        ("name", True),
        ("feedback", True),
    ]


def test_choices_follow_the_order_shown_and_end_with_what_is_no_longer_shown() -> None:
    rows = GridRows(frame(), Look(sort="name"))
    rows.choose(2, 1, on=True)
    assert rows.chosen_names() == ["Bravo", "Charlie"]
    rows.choose(1, 1, on=False)
    assert rows.chosen_names() == ["Charlie"]
    rows.choose_all(on=True)
    rows.see(Look(filter="flagged"))
    assert rows.chosen_names() == ["alpha"]
    rows.choose_all(on=False)
    assert rows.chosen_names() == []


def test_another_state_of_the_list_keeps_look_and_choice() -> None:
    rows = GridRows(frame(), Look(sort="name"))
    rows.choose_all(on=True)
    gone = frame(removed_at=[DAY, pd.NaT, pd.NaT, DAY])
    rows.take(gone)
    assert rows.chosen_names() == ["alpha", "Charlie"]
    assert rows.place_of(3) == 1
    assert rows.place_of(1) is None
    assert rows.name_of(1) == "Bravo"
    assert rows.name_of(99) is None


@given(
    st.lists(st.text(max_size=20), min_size=4, max_size=4),
    st.text(max_size=10),
    st.sampled_from(["name", "percent", "note", ""]),
    st.booleans(),
)
def test_any_names_can_be_searched_and_sorted(
    found: list[str], search: str, sort: str, descending: bool
) -> None:
    storable = [name.replace("\x00", "") for name in found]
    try:
        list_of_them = frame(display_name=storable, note=storable)
    except UnicodeEncodeError:
        return
    rows = GridRows(list_of_them)
    rows.see(Look(search, "all", sort, descending))
    wanted = " ".join(search.split()).casefold()
    held = [name for name in storable[:3] if wanted in f"{name}\n{name}".casefold()]
    assert rows.shown == len(held)
    rows.choose_all(on=True)
    assert sorted(rows.chosen_names()) == sorted(held)


def test_the_picture_shows_the_first_rows_and_escapes_them() -> None:
    rows = GridRows(frame(display_name=[HOSTILE] * 4, note=[HOSTILE] * 4))
    html = grid_picture({"listed": 3, "shown": 3}, rows.rows(0, 2))
    assert "<img" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") == 4
    assert "the first 2 of 3 shown" in html
