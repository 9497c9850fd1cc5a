"""What an answer's status, headers and envelope are taken for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from collector.errors import (
    BadRequest,
    MalformedAnswer,
    Refused,
    TargetFailed,
    Throttled,
    Unavailable,
    UpstreamError,
)
from collector.sources.oxylabs_answer import error_of_status, read_result
from collector.sources.oxylabs_headers import RateLimit, rate_limits, retry_after


def envelope(**result: Any) -> bytes:
    full = {"content": "<html>", "status_code": 200, "url": "https://x", "job_id": "7", **result}
    return json.dumps({"results": [{k: v for k, v in full.items() if v is not ...}]}).encode()


def read(body: bytes, **headers: str) -> Any:
    return read_result(body, headers=headers, duration_ms=5)


def test_a_result_is_read() -> None:
    answer = read(envelope(content={"results": [], "parse_status_code": 12000}))
    assert answer.content == {"results": [], "parse_status_code": 12000}
    assert (answer.status_code, answer.url, answer.job_id) == (200, "https://x", "7")
    assert (answer.duration_ms, answer.from_sandbox) == (5, False)


def test_a_sandbox_is_known_by_its_mark() -> None:
    assert read_result(envelope(), headers={"x-collector-sandbox": "1"}, duration_ms=1).from_sandbox


def test_an_answer_prints_without_its_page() -> None:
    assert "<html>" not in repr(read(envelope()))


def test_what_is_not_needed_may_be_missing_or_wrong() -> None:
    answer = read(envelope(url=None, job_id=...))
    assert (answer.url, answer.job_id) == (None, None)
    assert read(envelope(url=3, job_id=7394841187565211649)).job_id == "7394841187565211649"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b"<html>", "is not JSON"),
        (b"\xff\xfe\xff", "is not JSON"),
        (b'{"results": [{"content": "cut', "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b"1" * 10_000, "is not JSON"),
        (b"[]", "is no JSON object"),
        (b"{}", "results is missing"),
        (b'{"results": null}', "results is missing or null"),
        (b'{"results": {}}', "results is unusable"),
        (b'{"results": []}', "holds no result"),
        (b'{"results": [null]}', "results[0] is missing"),
        (envelope(status_code=...), "results[0].status_code is missing"),
        (envelope(status_code="200"), "results[0].status_code is unusable (200)"),
        (envelope(status_code=True), "results[0].status_code is unusable (True)"),
        (envelope(status_code=10**300), "results[0].status_code is unusable (1000"),
        (envelope(content=None), "results[0].content is missing or null"),
        (envelope(content=[]), "results[0].content is unusable ([])"),
    ],
)
def test_a_malformed_envelope_says_which_field(body: bytes, said: str) -> None:
    with pytest.raises(MalformedAnswer) as caught:
        read(body)
    assert said in str(caught.value)
    assert caught.value.billed
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("result", "billed", "retryable"),
    [
        ({"status_code": 404, "content": ""}, True, False),
        ({"status_code": 404, "content": {"parse_status_code": 12003}}, True, False),
        ({"status_code": 403, "content": "<html>"}, True, True),
        ({"status_code": 429, "content": ""}, False, True),
        ({"status_code": 503, "content": None}, False, True),
        ({"status_code": 613, "content": None}, False, True),
        ({"content": {"parse_status_code": 12002}}, True, True),
        ({"content": {"parse_status_code": 12008}}, True, True),
        ({"content": {"parse_status_code": 12009}}, True, False),
        ({"content": {"parse_status_code": 99999}}, True, True),
        ({"content": {"parse_status_code": "12000"}}, True, True),
        ({"content": {"parse_status_code": {"a": 1}}}, True, True),
    ],
)
def test_a_failed_result_in_a_good_envelope_is_seen(
    result: dict[str, Any], billed: bool, retryable: bool
) -> None:
    with pytest.raises(TargetFailed) as caught:
        read(envelope(**result))
    assert (caught.value.billed, caught.value.retryable) == (billed, retryable)


@pytest.mark.parametrize("code", [12000, 12004, 12005, None])
def test_what_was_parsed_at_least_in_part_is_read(code: int | None) -> None:
    assert read(envelope(content={"parse_status_code": code})).content


@pytest.mark.parametrize(
    ("status", "kind", "retryable", "billed"),
    [
        (202, MalformedAnswer, False, True),
        (204, MalformedAnswer, True, True),
        (302, BadRequest, False, False),
        (400, BadRequest, False, False),
        (401, Refused, False, False),
        (403, Refused, False, False),
        (404, BadRequest, False, False),
        (408, Unavailable, True, False),
        (422, BadRequest, False, False),
        (429, Throttled, True, False),
        (500, Unavailable, True, False),
        (503, Unavailable, True, False),
        (524, Unavailable, True, False),
        (612, Unavailable, True, False),
        (613, Unavailable, True, False),
        (999, Unavailable, True, False),
    ],
)
def test_a_status_is_one_kind_of_error(
    status: int, kind: type[UpstreamError], retryable: bool, billed: bool
) -> None:
    error = error_of_status(status, {}, b"")
    assert type(error) is kind
    assert (error.status_code, error.retryable, error.billed) == (status, retryable, billed)
    assert str(status) in str(error)
    assert "\n" not in str(error)


def test_refused_credentials_say_what_to_check() -> None:
    assert "Check OXYLABS_USERNAME and OXYLABS_PASSWORD" in str(error_of_status(401, {}, b""))


def test_a_bad_request_quotes_the_reason_but_never_a_secret() -> None:
    def said(text: str) -> str:
        body = json.dumps({"message": text}).encode()
        return str(error_of_status(400, {}, body, hide=SecretStr("p4ss")))

    assert '"Unsupported geo_location\u2026"' in said("Unsupported geo_location\u2026\x00")
    assert "p4ss" not in said("bad p4ss")
    assert len(said("x" * 10_000)) < 400


@pytest.mark.parametrize("body", [b"", b"[]", b'{"message": 3}', b"\xff", b"[" * 100_000])
def test_a_bad_request_without_a_reason_is_told_all_the_same(body: bytes) -> None:
    assert "did not accept" in str(error_of_status(400, {}, body))


DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "99999999"}, 3600),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT", "date": DATE}, 30),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT", "date": "rubbish"}, 40),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}, 40),
        ({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT", "date": DATE}, 0),
        ({"retry-after": "Sun, 06 Nov 2094 08:00:00 GMT", "date": DATE}, 3600),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:07 -0000", "date": DATE}, 30),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    now = datetime(1994, 11, 6, 8, 49, 27, tzinfo=UTC)
    assert retry_after(headers, now=now) == seconds


def test_a_throttled_answer_carries_its_wait() -> None:
    assert error_of_status(429, {"retry-after": "12"}, b"").retry_after_s == 12
    assert error_of_status(503, {"retry-after": "12"}, b"").retry_after_s == 12


def test_several_limits_are_read_by_name() -> None:
    headers = {
        "X-RateLimit-all-jobs-limit": "50",
        "x-ratelimit-all-jobs-remaining": "49",
        "x-ratelimit-render-limit": "13",
        "x-ratelimit-render-remaining": "x",
        "x-ratelimit-total-remaining": "5",
        "x-ratelimit-limit": "5",
    }
    assert rate_limits(headers) == (RateLimit("all-jobs", 50, 49),)


@given(st.binary())
def test_any_body_is_read_or_explained(body: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read(body)


@given(st.text(), st.text())
def test_any_header_is_read_or_ignored(value: str, date: str) -> None:
    wait = retry_after({"retry-after": value, "date": date})
    assert wait is None or 0 <= wait <= 3600
    assert rate_limits({"x-ratelimit-a-limit": value, "x-ratelimit-a-remaining": "1"}) is not None
