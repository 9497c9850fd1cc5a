"""What the Web Scraper API answers, read: its envelope, status codes and headers. Pure.

Source of the facts: developers.oxylabs.io, "Response codes" and "Rate limits", and real answers.
Billing: answers with 2xx, and with 4xx from the target, count; 429, 5xx and 6xx do not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr
from pydantic_core import from_json

from collector.errors import (
    BadRequest,
    MalformedAnswer,
    Refused,
    TargetFailed,
    Throttled,
    Unavailable,
    UpstreamError,
)
from collector.sources.foreign_text import one_line, storable
from collector.sources.oxylabs_headers import RateLimit, retry_after

SANDBOX_HEADER = "x-collector-sandbox"

_KEPT_OF_A_BAD_BODY = 100_000

PARSED = frozenset({12000, 12004, 12005})
_PARSE_FAILURES = {
    12002: "it could not parse the page",
    12003: "it has no parser for such a page",
    12006: "an unexpected error of its parser",
    12007: "an unexpected error of its parser",
    12008: "the page had no content",
    12009: "the target has no such page",
}
# Asking again brings, and costs, the same.
_FINAL_PARSE_FAILURES = frozenset({12003, 12009})
_FINAL_STATUSES = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class Answer:
    """One result.

    Attributes:
        content: the page as text, or what the provider parsed out of it.
        status_code: the target's, as the result states it.
        url: the address that was fetched, where stated.
        job_id: the provider's name for the job, where stated.
        duration_ms: from sending to the last byte.
        rate_limits: as this answer's headers told them.
        from_sandbox: whether a sandbox marked it as invented.
    """

    content: str | dict[str, Any] = field(repr=False)
    status_code: int
    url: str | None
    job_id: str | None
    duration_ms: int
    rate_limits: tuple[RateLimit, ...]
    from_sandbox: bool


def read_result(
    body: bytes,
    *,
    headers: Mapping[str, str],
    duration_ms: int,
    rate_limits: tuple[RateLimit, ...] = (),
) -> Answer:
    """Read the envelope of an answer with HTTP status 200.

    Raises:
        MalformedAnswer: it is not the documented envelope; says which field.
        TargetFailed: the result inside it failed, by its status or its parse status.
    """
    result = _result(body)
    status = result.get("status_code")
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 999:
        raise _malformed("results[0].status_code", status, body)
    content = result.get("content")
    if status != 200:
        raise _failed_result(status, content)
    if not isinstance(content, str | dict):
        raise _malformed("results[0].content", content, body)
    if isinstance(content, dict):
        check_parse_status(content)
    url, job_id = result.get("url"), result.get("job_id")
    return Answer(
        content=content,
        status_code=status,
        url=one_line(url, limit=2000) if isinstance(url, str) else None,
        job_id=one_line(str(job_id), limit=100) if isinstance(job_id, str | int) else None,
        duration_ms=duration_ms,
        rate_limits=rate_limits,
        from_sandbox=SANDBOX_HEADER in headers,
    )


def check_parse_status(content: Mapping[str, Any]) -> None:
    """Refuse parsed content that says it was not parsed. No code at all is as good as 12000.

    Raises:
        TargetFailed: with `retryable` false where asking again brings the same.
    """
    code = content.get("parse_status_code")
    number = code if isinstance(code, int) else -1
    if code is None or number in PARSED:
        return
    reason = _PARSE_FAILURES.get(number, "unknown to us")
    error = TargetFailed(
        f"Oxylabs did not parse the page (parse status {_shown(code)}: {reason}).",
        page=_excerpt(content),
    )
    error.retryable = number not in _FINAL_PARSE_FAILURES
    raise error


def error_of_status(
    status: int, headers: Mapping[str, str], body: bytes, *, hide: SecretStr | None = None
) -> UpstreamError:
    """The error that an HTTP status other than 200 stands for.

    What the body says is not quoted where it holds the secret `hide`.
    """
    wait = retry_after(headers)
    if status in {401, 403}:
        why = "refused the credentials" if status == 401 else "does not allow this account to ask"
        return Refused(
            f"Oxylabs {why} ({status}). Check OXYLABS_USERNAME and OXYLABS_PASSWORD.",
            status_code=status,
        )
    if status == 429:
        pause = "" if wait is None else f" It asks for {wait:g} s of patience."
        return Throttled(
            f"Oxylabs' rate limit is reached (429).{pause} Fewer workers help.",
            status_code=status,
            retry_after_s=wait,
        )
    if status in {408, 425} or status >= 500:
        return Unavailable(
            f"Oxylabs is in trouble ({status}{_phrase(status)}). Ask again later, at no cost.",
            status_code=status,
            retry_after_s=wait,
        )
    if 300 <= status < 400:
        return BadRequest(
            f"The API's address answers with a redirect ({status}), which is not followed because "
            "it would carry the credentials away. Check OXYLABS_URL.",
            status_code=status,
        )
    if status >= 400:
        said = _said(body, hide)
        where = " Check OXYLABS_URL." if status in {404, 405} else ""
        return BadRequest(
            f"Oxylabs did not accept the request ({status}{_phrase(status)}).{said}{where}",
            status_code=status,
        )
    return _not_realtime(status)


def _not_realtime(status: int) -> MalformedAnswer:
    error = MalformedAnswer(
        f"The API answered {status}{_phrase(status)} without a result, as its asynchronous "
        "endpoint does. Check that OXYLABS_URL is the realtime address.",
        status_code=status,
    )
    # Each 202 is a job accepted, and billed.
    error.retryable = status != 202
    return error


def _result(body: bytes) -> dict[str, Any]:
    """The one result of the envelope."""
    # RecursionError: brackets nested without end. ValueError: no JSON, no UTF-8, endless digits.
    try:
        envelope = _json(body)
    except (ValueError, RecursionError):
        envelope = None
        problem = "is not JSON" if body.strip() else "is empty"
    else:
        problem = "" if isinstance(envelope, dict) else "is no JSON object"
    if problem or not isinstance(envelope, dict):
        raise MalformedAnswer(
            f"The API's answer {problem}. Ask again; if it stays, check OXYLABS_URL.",
            page=_decoded(body),
        )
    results = envelope.get("results")
    if not isinstance(results, list):
        raise _malformed("results", results, body)
    if not results:
        raise MalformedAnswer("The API's answer holds no result. Ask again.", page=_decoded(body))
    if not isinstance(results[0], dict):
        raise _malformed("results[0]", results[0], body)
    return results[0]


def _json(body: bytes) -> Any:
    """The body as JSON. Read where the loop runs, so by the faster reader, which is stricter."""
    try:
        return from_json(body)
    except ValueError:
        # It refuses what is JSON all the same: lone surrogates, say.
        return json.loads(body)


def _malformed(name: str, value: Any, body: bytes) -> MalformedAnswer:
    what = "is missing or null" if value is None else f"is unusable ({_shown(value)})"
    return MalformedAnswer(f"The API's answer: {name} {what}. Ask again.", page=_decoded(body))


def _failed_result(status: int, content: Any) -> TargetFailed:
    parse_status = content.get("parse_status_code") if isinstance(content, dict) else None
    also = "" if parse_status is None else f", parse status {_shown(parse_status)}"
    error = TargetFailed(
        f"The target's page could not be fetched ({_shown(status)}{_phrase(status)}{also}).",
        status_code=status,
        billed=200 <= status < 500 and status != 429,
        page=_excerpt(content),
    )
    error.retryable = status not in _FINAL_STATUSES
    return error


def _phrase(status: int) -> str:
    known = {524: "Timeout", 612: "Undefined internal error", 613: "Faulted after too many retries"}
    try:
        return f" {known.get(status) or HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _said(body: bytes, hide: SecretStr | None) -> str:
    """The body's own `message`, which for a 400 names the wrong parameter."""
    try:
        said = json.loads(body).get("message")
    except (ValueError, RecursionError, AttributeError):
        return ""
    if not isinstance(said, str) or not said.strip():
        return ""
    line = one_line(said, limit=200)
    secret = hide.get_secret_value() if hide else ""
    if secret and secret in said:
        return ""
    return f' It says: "{line}".'


def _decoded(body: bytes) -> str:
    return storable(body[:_KEPT_OF_A_BAD_BODY].decode("utf-8", "replace"))


def _excerpt(content: Any) -> str | None:
    if isinstance(content, str):
        return storable(content) or None
    if not isinstance(content, Mapping):
        return None
    return storable(json.dumps(content, default=str)[:_KEPT_OF_A_BAD_BODY])


def _shown(value: Any) -> str:
    return one_line(str(value)[:20])
