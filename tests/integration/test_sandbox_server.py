"""The sandbox over real HTTP: the protocol, its refusals, its faults, and what it tells."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from collector.sandbox.categories import PRESET_NODES
from collector.sandbox.process import SandboxProcess

NODE = "172282"
LIST = {
    "source": "amazon_bestsellers",
    "domain": "com",
    "query": NODE,
    "start_page": 1,
    "parse": True,
    "geo_location": "90210",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(latency_s=0, options={"list-length": 10}) as process:
        yield process


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(auth=("sandbox", "sandbox"), timeout=20) as client:
        yield client


def one_fault(kind: str, **options: object) -> SandboxProcess:
    return SandboxProcess(latency_s=0, faults=f"{kind}=1", options=options)


def the_log(client: httpx.Client, sandbox: SandboxProcess) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = client.get(f"{sandbox.base_url}/_sandbox/requests").json()
    return entries


def test_a_list_comes_in_the_documented_envelope(
    sandbox: SandboxProcess, client: httpx.Client
) -> None:
    answer = client.post(sandbox.url, json=LIST)
    assert answer.status_code == 200
    assert answer.headers["x-collector-sandbox"] == "1"
    assert int(answer.headers["x-ratelimit-jobs-remaining"]) <= int(
        answer.headers["x-ratelimit-jobs-limit"]
    )
    (result,) = answer.json()["results"]
    assert {"content", "created_at", "updated_at", "page", "url", "job_id", "status_code"} <= set(
        result
    )
    assert (result["status_code"], result["page"]) == (200, 1)
    assert result["content"]["parse_status_code"] == 12000
    assert len(result["content"]["results"]) == 5
    assert answer.json()["job"]["status"] == "done"
    assert answer.json()["job"]["id"] == result["job_id"]


def test_both_addresses_answer_alike(sandbox: SandboxProcess, client: httpx.Client) -> None:
    roots = [client.post(url, json=LIST).json() for url in (sandbox.url, f"{sandbox.base_url}/")]
    assert roots[0]["results"][0]["content"] == roots[1]["results"][0]["content"]


def test_two_pages_can_be_had_at_once(sandbox: SandboxProcess, client: httpx.Client) -> None:
    results = client.post(sandbox.url, json={**LIST, "pages": 2}).json()["results"]
    assert [result["page"] for result in results] == [1, 2]


def test_what_the_site_does_not_have_is_a_failed_result(
    sandbox: SandboxProcess, client: httpx.Client
) -> None:
    for body in ({**LIST, "query": "kitchen"}, {"source": "universal", "url": "https://a.invalid"}):
        answer = client.post(sandbox.url, json=body)
        (result,) = answer.json()["results"]
        assert (answer.status_code, result["status_code"], result["content"]) == (200, 404, "")


@pytest.mark.parametrize("auth", [None, ("sandbox", "wrong"), ("someone", "sandbox")])
def test_wrong_credentials_are_refused(
    sandbox: SandboxProcess, auth: tuple[str, str] | None
) -> None:
    answer = httpx.post(sandbox.url, json=LIST, auth=auth)
    assert answer.status_code == 401
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"{", "JSON"),
        (b'{"source": "walmart", "query": "a"}', "walmart"),
        (b'{"source": "amazon_bestsellers"}', "query"),
        (b'{"source": "ebay"}', "url"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused(
    sandbox: SandboxProcess, client: httpx.Client, content: bytes, named: str
) -> None:
    answer = client.post(sandbox.url, content=content)
    assert answer.status_code == 400
    assert named in answer.json()["message"]


def test_unknown_addresses_say_so_and_are_marked(
    sandbox: SandboxProcess, client: httpx.Client
) -> None:
    for answer in (
        client.get(f"{sandbox.base_url}/nowhere"),
        client.get(sandbox.url),
        client.post(f"{sandbox.base_url}/_sandbox/truth"),
    ):
        assert answer.status_code in {404, 405}
        assert answer.json()["message"]
        assert answer.headers["x-collector-sandbox"] == "1"


def test_the_header_chooses_the_day(sandbox: SandboxProcess, client: httpx.Client) -> None:
    def on_day(day: str) -> httpx.Response:
        return client.post(sandbox.url, json=LIST, headers={"x-sandbox-day": day})

    def places(answer: httpx.Response) -> list[str]:
        return [entry["asin"] for entry in answer.json()["results"][0]["content"]["results"]]

    assert places(on_day("0")) == places(client.post(sandbox.url, json=LIST))
    assert places(on_day("9")) != places(on_day("0"))
    assert on_day("tomorrow").status_code == 400


def test_a_fixed_day_beats_the_header(client: httpx.Client) -> None:
    with SandboxProcess(latency_s=0, day=9) as fixed:
        bodies = [
            client.post(fixed.url, json=LIST, headers=headers).json()["results"][0]["content"]
            for headers in ({}, {"x-sandbox-day": "3"})
        ]
        truth = client.get(f"{fixed.base_url}/_sandbox/truth", params={"day": 3}).json()
    assert bodies[0] == bodies[1]
    assert truth["day"] == 9


def test_the_log_tells_what_was_asked(sandbox: SandboxProcess, client: httpx.Client) -> None:
    client.post(f"{sandbox.base_url}/_sandbox/reset")
    began = time.time()
    client.post(sandbox.url, json=LIST, headers={"x-sandbox-day": "2"})
    httpx.post(sandbox.url, json=LIST)
    answer = client.get(f"{sandbox.base_url}/_sandbox/requests")
    good, refused = answer.json()
    assert answer.headers["x-total-count"] == "2"
    assert began <= good["began_at"] <= good["ended_at"] <= time.time()
    assert good["began_iso"].endswith("+00:00")
    assert {name: good[name] for name in ("source", "query", "page", "day", "status")} == {
        "source": "amazon_bestsellers",
        "query": NODE,
        "page": 1,
        "day": 2,
        "status": 200,
    }
    assert (good["result_status"], good["billed"], good["fault"]) == (200, True, None)
    assert (refused["status"], refused["billed"]) == (401, False)
    health = client.get(f"{sandbox.base_url}/_sandbox/health").json()
    assert health == {"status": "ok", "requests": 2, "billed": 1}
    after = client.get(f"{sandbox.base_url}/_sandbox/requests", params={"after": 1}).json()
    assert [entry["number"] for entry in after] == [2]


def test_the_truth_is_about_the_lists_asked_for(
    sandbox: SandboxProcess, client: httpx.Client
) -> None:
    client.post(f"{sandbox.base_url}/_sandbox/reset")
    client.post(sandbox.url, json={**LIST, "query": "284507"})
    by_log = client.get(f"{sandbox.base_url}/_sandbox/truth").json()
    by_name = client.get(
        f"{sandbox.base_url}/_sandbox/truth", params={"day": 0, "nodes": "284507"}
    ).json()
    assert by_log == by_name
    assert by_log["nodes"] == ["284507"]
    assert len(by_log["products"]) == 10
    named = {name.casefold() for product in by_log["products"] for name in product["sellers"]}
    assert set(by_log["sellers"]) == named
    bad = client.get(f"{sandbox.base_url}/_sandbox/truth", params={"low": "much"})
    assert bad.status_code == 400


def test_before_any_request_the_truth_is_about_the_sandbox_preset(client: httpx.Client) -> None:
    with SandboxProcess(latency_s=0, options={"list-length": 4}) as sandbox:
        truth = client.get(f"{sandbox.base_url}/_sandbox/truth").json()
    assert truth["nodes"] == list(PRESET_NODES)
    assert truth["sellers"]


@pytest.mark.parametrize("status", [429, 500, 612])
def test_a_refusing_fault_has_its_status_and_is_free(status: int, client: httpx.Client) -> None:
    with one_fault(str(status)) as sandbox:
        answer = client.post(sandbox.url, json=LIST)
        (entry,) = the_log(client, sandbox)
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) is (status == 429)
    assert (entry["status"], entry["fault"], entry["billed"]) == (status, str(status), False)


def test_a_cut_connection_brings_nothing(client: httpx.Client) -> None:
    with one_fault("cut") as sandbox:
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(sandbox.url, json=LIST)
        (entry,) = the_log(client, sandbox)
    assert (entry["status"], entry["fault"], entry["billed"]) == (None, "cut", False)


def test_half_an_answer_is_noticed(client: httpx.Client) -> None:
    with one_fault("half") as sandbox:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            client.post(sandbox.url, json=LIST)
        (entry,) = the_log(client, sandbox)
    assert (entry["fault"], entry["billed"]) == ("half", True)


def test_a_malformed_answer_is_no_json(client: httpx.Client) -> None:
    with one_fault("malformed") as sandbox:
        answer = client.post(sandbox.url, json=LIST)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_an_empty_answer_has_no_results(client: httpx.Client) -> None:
    with one_fault("empty") as sandbox:
        assert client.post(sandbox.url, json=LIST).json()["results"] == []


def test_a_wall_stands_where_the_page_should_be(client: httpx.Client) -> None:
    search = {"source": "ebay", "url": "https://www.ebay.com/sch/i.html?_nkw=a&_dmd=1"}
    with one_fault("wall") as sandbox:
        page = client.post(sandbox.url, json=search).json()["results"][0]
        parsed = client.post(sandbox.url, json=LIST).json()["results"][0]
    assert page["status_code"] == 200
    assert "srp-results" not in page["content"]
    assert parsed["content"] == {"parse_status_code": 12002}


def test_a_timeout_holds_the_connection_and_then_closes_it(client: httpx.Client) -> None:
    with one_fault("timeout", **{"timeout-s": 0.4}) as sandbox:
        began = time.monotonic()
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(sandbox.url, json=LIST)
        assert time.monotonic() - began >= 0.4


def test_a_client_that_gives_up_ends_the_request_in_the_log(client: httpx.Client) -> None:
    with one_fault("timeout") as sandbox:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(sandbox.url, json=LIST, auth=("sandbox", "sandbox"), timeout=0.3)
        deadline = time.monotonic() + 5
        while the_log(client, sandbox)[0]["ended_at"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert the_log(client, sandbox)[0]["billed"] is True


def test_a_retry_draws_anew(client: httpx.Client) -> None:
    with SandboxProcess(latency_s=0, faults="500=0.5") as sandbox:
        statuses = [client.post(sandbox.url, json=LIST).status_code for _ in range(30)]
    assert set(statuses) == {200, 500}


def test_beyond_the_rate_limit_it_says_when_to_come_again(client: httpx.Client) -> None:
    with SandboxProcess(latency_s=0, options={"rate-limit": 5}) as sandbox:
        answers = [client.post(sandbox.url, json=LIST) for _ in range(8)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
        assert answers[0].headers["x-ratelimit-jobs-limit"] == "5"
        assert answers[5].headers["x-ratelimit-jobs-remaining"] == "0"
        time.sleep(float(answers[5].headers["retry-after"]) + 0.05)
        assert client.post(sandbox.url, json=LIST).status_code == 200


def test_answers_take_their_time_side_by_side(client: httpx.Client) -> None:
    with SandboxProcess(latency_s=0.3) as sandbox:
        began = time.monotonic()
        with ThreadPoolExecutor(10) as pool:
            statuses = list(
                pool.map(lambda _: client.post(sandbox.url, json=LIST).status_code, range(10))
            )
        elapsed = time.monotonic() - began
    assert statuses == [200] * 10
    assert 0.2 < elapsed < 2


def test_the_official_client_understands_the_sandbox(sandbox: SandboxProcess) -> None:
    from oxylabs import RealtimeClient

    client = RealtimeClient("sandbox", "sandbox")
    for target in (client.amazon, client.ebay, client.universal):
        target._api_instance._base_url = sandbox.url
    best = client.amazon.scrape_bestsellers(NODE, parse=True, geo_location="90210")
    title = best.results[0].content["results"][0]["title"]
    assert best.results[0].status_code == 200
    url = f"https://www.ebay.com/sch/i.html?_nkw={title.partition(',')[0]}&_dmd=1"
    by_url = client.ebay.scrape_url(url)
    assert "srp-results srp-list" in by_url.results[0].content
    assert "srp-results srp-grid" in client.ebay.scrape_search(title).results[0].content
    assert client.universal.scrape_url(url).results[0].content == by_url.results[0].content
