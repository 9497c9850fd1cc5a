"""The HTML report in a real browser: opened from the disk, it asks for nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from collector import frames, reports
from collector.database import Database

EVIL = "<img src=https://evil.example/x onerror=alert(1)>"


@pytest.fixture
def rows(database: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "integration"))
    from frames_rows import Rows

    return Rows(database)


def test_the_report_asks_for_nothing_and_shows_its_pictures(
    context: BrowserContext,
    database: Database,
    rows: Any,
    tmp_path: Path,
    shot: Callable[..., None],
) -> None:
    rows.run(1, {"A1": ["rita", "bob"]})
    run_id = rows.run(2, {"A1": ["rita", EVIL]}, name=f"run {EVIL}")
    path = reports.write_report(database, run_id, tmp_path / "report.html")
    page = context.new_page()
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))

    context.set_offline(True)
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)

    assert asked == [path.as_uri()], "the page itself, and nothing else"
    assert told == []
    assert page.locator("h1").inner_text() == f"run {EVIL}"
    assert page.locator("img, script, iframe").count() == 0
    pictures = page.locator("figure svg")
    assert pictures.count() == 5
    for number in range(5):
        box = pictures.nth(number).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 40
        assert pictures.nth(number).locator("text").count() > 2
    found = frames.runs(database, run_id=run_id).iloc[0]
    assert page.locator("#sellers-new").inner_text() == f"{found['sellers_new']:,}"
    shot(page, "report", "body")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_of_the_report_lies_beyond_a_narrow_window(
    context: BrowserContext, database: Database, rows: Any, tmp_path: Path, width: int
) -> None:
    run_id = rows.run(1, {"A1": ["x" * 64, "rita"]}, name="n" * 200)
    path = reports.write_report(database, run_id, tmp_path / "report.html")
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 800})

    page.goto(path.as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") <= width
