"""The page of a run in a real browser, without a kernel: live, whole, and safe from its data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from served import JupyterProcess, WrittenRun, own_database

from collector.connections import Database
from collector.models import ActivityEntry
from collector.words import Action, Phase

COLLECT = """
() => {
  const seen = { ids: [], gaps: 0, status: null };
  window.seen = seen;
  const source = new EventSource("activity?after=0");
  source.onmessage = (event) => seen.ids.push(JSON.parse(event.data).id);
  source.addEventListener("gap", () => { seen.gaps += 1; });
  source.addEventListener("end", (event) => {
    seen.status = JSON.parse(event.data).status;
    source.close();
  });
}
"""
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def filled(server: Database, template: Database) -> Iterator[Database]:
    """A database that the tests of this module share."""
    with own_database(server, template) as database:
        yield database


@pytest.fixture(scope="module")
def jupyter(filled: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterProcess]:
    """A Jupyter Server behind a base URL."""
    home = tmp_path_factory.mktemp("jupyter")
    with JupyterProcess(home, filled, base_url="/user/someone/") as process:
        yield process


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page in which nothing may go wrong unnoticed."""
    return context.new_page()


def test_an_event_source_receives_every_entry_in_order_through_a_restart(
    jupyter: JupyterProcess, filled: Database, page: Page
) -> None:
    """So does the page, whose own stream is refused at first once the server is back.

    A refusal, unlike a broken connection, ends an EventSource for good.
    """
    run = WrittenRun(filled)
    page.goto(f"{jupyter.url}/runs/{run.id}/?token={jupyter.token}")
    connection = page.locator("#connection")
    expect(connection).to_have_text("Live.")
    page.evaluate(COLLECT)
    writer = run.write_steadily(1, 5000, seconds=5)
    page.wait_for_function("() => window.seen.ids.length > 500")
    page.route(re.compile("/activity$"), lambda route: route.fulfill(status=503, body="{}"))
    assert jupyter.stop() < 5
    assert writer.is_alive()
    jupyter.start()
    expect(connection).to_have_text("Not connected; trying again …", timeout=15_000)
    writer.join()
    page.wait_for_function("() => window.seen.status !== null")
    seen = page.evaluate("() => window.seen")
    assert seen == {"ids": list(range(1, 5001)), "gaps": 0, "status": "completed"}
    expect(connection).to_have_text("The run has ended: completed.", timeout=15_000)
    rows = page.locator("#feed li")
    assert rows.evaluate_all("rows => rows.map(row => +row.dataset.id)") == list(
        range(5000, 4700, -1)
    )


def test_the_page_follows_a_run_and_shows_what_strangers_wrote_as_text(
    jupyter: JupyterProcess,
    filled: Database,
    page: Page,
    shot: Callable[..., None],
) -> None:
    wrong: list[str] = []
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    run = WrittenRun(filled, name=HOSTILE)
    run.write_numbered(1, 120)
    page.goto(f"{jupyter.url}/runs/{str(run.id)[:8]}/?token={jupyter.token}&source=sandbox")
    feed = page.locator("#feed li")
    expect(feed.first).to_have_attribute("data-id", "120")
    assert feed.count() == 100
    expect(page.locator("#name")).to_have_text(HOSTILE)
    expect(page.locator("#status")).to_have_text("interrupted")
    expect(page.locator("#sandbox")).to_be_visible()
    expect(page.locator("#figures")).to_contain_text(re.compile("Requests.*0 of 100"))
    # The token is out of sight and out of the history; the cookie took over.
    assert jupyter.token not in page.url
    assert page.url.endswith("?source=sandbox")

    run.write(
        ActivityEntry(id=121, phase=Phase.SELLER_SEARCH, action=Action.FOUND, product_name=HOSTILE),
        ActivityEntry(id=122, action=Action.ERROR, error_message=f"\u202e{HOSTILE}\n\x1b[31m"),
        ActivityEntry(id=130, action=Action.GAP, items_count=8),
    )
    expect(feed.first).to_contain_text("8 entries are missing here")
    expect(feed.nth(1).locator(".text")).to_have_text(f"Error: {HOSTILE} [31m")
    expect(feed.nth(2)).to_contain_text(HOSTILE)
    assert page.locator("#feed :is(img, script)").count() == 0
    shot(page, "run-page", "body")

    run.end()
    expect(page.locator("#connection")).to_have_text("The run has ended: completed.")
    expect(page.locator("#status")).to_have_text("completed")
    assert page.title() != "taken"
    assert not wrong
