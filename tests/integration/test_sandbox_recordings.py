"""Recorded pages served by the sandbox: a walk over them finds exactly the sellers they hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest

from collector.errors import SandboxError, UpstreamError
from collector.sandbox.process import SandboxProcess
from collector.sandbox.recordings import RECORDED_NODE, RecordedMarket
from collector.sources.ebay import parse_search_page, search_payload, search_words

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"


@pytest.fixture
def recordings() -> Path:
    if not RECORDINGS.is_dir():
        pytest.skip("the recordings are not beside the project")
    return RECORDINGS


def best_sellers(node: str, page: int) -> dict[str, object]:
    return {
        "source": "amazon_bestsellers",
        "query": node,
        "start_page": page,
        "parse": True,
        "geo_location": "90210",
    }


def test_a_walk_over_recordings_finds_exactly_their_sellers(recordings: Path) -> None:
    folders = sorted(path for path in (recordings / "ebay").iterdir() if path.is_dir())
    expected: set[str] = set()
    for folder in folders:
        listings = next(
            value
            for value in json.loads((folder / "expected.json").read_text("utf-8")).values()
            if isinstance(value, list)
        )
        expected |= {x["seller"] for x in listings if x["match"] == "exact" and x["seller"]}
    found: set[str] = set()
    unreadable = 0
    with (
        SandboxProcess(latency_s=0, recordings=recordings) as sandbox,
        httpx.Client(auth=("sandbox", "sandbox"), timeout=30) as client,
    ):

        def content(body: dict[str, object]) -> object:
            return client.post(sandbox.url, json=body).json()["results"][0]["content"]

        lists = [content(best_sellers(node, 1)) for node in ("284507", "165793011")]
        assert lists[0]["results"] == lists[1]["results"]
        assert content(best_sellers("284507", 2))["results"] == []
        products = lists[0]["results"]
        assert len(products) == len(folders)
        for product in products:
            assert product["currency"] == "USD"
            for page in (1, 2, 3):
                html = content(
                    search_payload(
                        words=search_words(product["title"]),
                        price_from_cents=100,
                        price_to_cents=200,
                        page=page,
                        results_per_page=240,
                    )
                )
                try:
                    read = parse_search_page(html)
                except UpstreamError:
                    # A gallery names no seller, and says so.
                    assert "without_sellers" in product["title"].replace(" ", "_")
                    unreadable += 1
                    break
                found |= {seller.username for seller in read.sellers}
                if not read.has_more:
                    break
                assert page == 1
        truth = client.get(f"{sandbox.base_url}/_sandbox/truth").json()
    assert found == expected
    assert set(truth["sellers"]) == {name.casefold() for name in expected}
    assert unreadable <= 2


def test_the_recorded_list_keeps_its_currency(recordings: Path) -> None:
    market = RecordedMarket(recordings)
    content = market.best_sellers(RECORDED_NODE, page=1, day=0, in_dollars=True, parsed=True)
    assert isinstance(content, dict)
    assert {entry["currency"] for entry in content["results"]} == {"XOF"}
    second = market.best_sellers(RECORDED_NODE, page=2, day=0, in_dollars=True, parsed=True)
    assert isinstance(second, dict)
    assert second["results"] == []
    assert market.truth([RECORDED_NODE], day=0)["sellers"] == []


def test_recordings_with_something_missing_are_refused(recordings: Path, tmp_path: Path) -> None:
    copy = tmp_path / "recordings"
    for part in ("amazon/best_sellers_electronics", "ebay/us_mid_2025"):
        shutil.copytree(recordings / part, copy / part)
    RecordedMarket(copy)
    (copy / "ebay/us_mid_2025").chmod(0o755)
    (copy / "ebay/us_mid_2025/expected.json").unlink()
    with pytest.raises(SandboxError, match="give --recordings a folder with"):
        RecordedMarket(copy)
