"""The workbench's history and grid over a real database, as their buttons use them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from collector.errors import UnknownRun
from collector.models import RunOptions
from collector.panel.grid import SellersGrid
from collector.panel.history import History
from collector.settings import Settings
from collector.words import RunStatus
from collector.workbench import Workbench

OPTIONS = RunOptions(pages_per_list=1, pages_per_search=1, price_to_factor=2.1)


@pytest.fixture
def bench(settings: Settings) -> Iterator[Workbench]:
    with Workbench.open(settings) as bench:
        yield bench


def until(true: Callable[[], bool], *, within_s: float = 20) -> None:
    """Wait until what a panel's thread does has been done."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask(grid: SellersGrid, verb: str, **given: Any) -> dict[str, Any]:
    """Click a button of the grid; what it tells."""
    grid.widget.note = {}
    grid._receive(grid.widget, {"type": "do", "verb": verb, **given}, [])
    until(lambda: bool(grid.widget.note))
    return dict(grid.widget.note)


def choose(grid: SellersGrid, first: int, last: int) -> None:
    """Choose rows of the grid."""
    message = {"type": "choose", "first": first, "last": last, "on": True}
    grid._receive(grid.widget, message, [])
    until(lambda: grid.widget.state["chosen"] == last - first + 1)


def test_every_change_in_the_grid_is_an_audit_entry_with_its_snapshot(bench: Workbench) -> None:
    grid = bench.sellers_grid()
    assert ask(grid, "add", names="alpha, bravo\ncharlie")["text"] == "3 sellers added."
    told = ask(grid, "add", names="ALPHA delta")
    assert told["text"] == "1 seller added. ALPHA is on the list already."
    assert told["tone"] == "warn"
    choose(grid, 0, 1)
    assert grid.selected == ["alpha", "bravo"]
    assert ask(grid, "flag", note="three lists")["text"] == "2 sellers flagged."
    assert ask(grid, "unflag")["tone"] == "ok"
    first = grid.widget.first_rows[0][0]
    assert ask(grid, "rename", seller=first, name="alpha-two")["text"] == "Renamed."
    assert ask(grid, "remove")["text"].startswith("2 sellers taken off the list.")
    assert grid.widget.state["listed"] == 2
    assert ask(grid, "undo")["text"] == "Undone: 2 sellers changed."
    assert ask(grid, "redo")["text"] == "Done again: 2 sellers changed."
    log = bench.audit_log()
    assert list(zip(log["action"], log["seller_count_snapshot"], strict=True)) == [
        ("add", 3),
        ("add", 4),
        ("flag", 4),
        ("unflag", 4),
        ("edit", 4),
        ("remove", 2),
        ("undo", 4),
        ("redo", 2),
    ]
    grid.close()


def test_what_cannot_be_done_stands_in_the_grid(bench: Workbench) -> None:
    grid = bench.sellers_grid()
    assert ask(grid, "remove") == {"text": "Choose sellers first.", "tone": "bad", "verb": ""}
    assert ask(grid, "undo")["text"] == "There is nothing to undo."
    assert ask(grid, "add", names=" ")["tone"] == "bad"
    assert ask(grid, "rename", seller=99, name="x")["tone"] == "bad"
    assert ask(grid, "burn")["tone"] == "bad"
    assert len(bench.audit_log()) == 0
    grid.close()


def chosen(history: History, key: str) -> dict[str, Any]:
    history._receive(history.view, {"type": "choose", "key": key}, [])
    until(lambda: (history.view.detail or {}).get("key") == key)
    return dict(history.view.detail)


def test_the_history_tells_what_runs_and_edits_changed_and_starts_a_run_again(
    bench: Workbench,
) -> None:
    assert bench.history().view.moments == []
    first = bench.launch(["289754"], name="Kitchen", options=OPTIONS, budget=300)
    assert first.wait(60).status is RunStatus.COMPLETED
    names = list(bench.sellers()["display_name"])
    bench.remove(names[:2])
    history = bench.history()
    edit, run = history.view.moments
    assert (run["title"], run["delta"], run["count"]) == ("Kitchen", len(names), len(names))
    assert (edit["delta"], edit["count"]) == (-2, len(names) - 2)
    (removed,) = chosen(history, edit["key"])["sections"]
    assert (removed["sign"], sorted(removed["names"])) == ("−", sorted(names[:2]))
    added = chosen(history, run["key"])["sections"][0]
    assert (added["sign"], added["total"]) == ("+", len(names))

    run_id = run["key"].partition(":")[2]
    history._receive(history.view, {"type": "again", "run": run_id}, [])
    until(lambda: history.run is not None)
    again = bench.attach("latest")
    assert again.wait(60).status is RunStatus.COMPLETED
    before, after = bench.runs().iloc[1], bench.runs().iloc[0]
    for same in ("name", "node_ids", "options", "budget"):
        assert after[same] == before[same], same
    history.refresh()
    assert len(history.view.moments) == 3
    history.close()


def test_what_goes_wrong_stands_in_the_history(bench: Workbench) -> None:
    with pytest.raises(UnknownRun):
        bench.launch_again("beef")
    run = bench.launch(["289754"], options=OPTIONS)
    run.wait(60)
    history = bench.history()
    with psycopg.connect(bench.database.conninfo()) as connection:
        connection.execute("DROP TABLE seller_sightings")
    history._receive(history.view, {"type": "choose", "key": f"run:{run.id}"}, [])
    until(lambda: history.view.note.get("tone") == "bad")
    assert "seller_sightings" in history.view.note["text"]
    history.close()
