"""Every error the workbench raises on purpose, and what each one means.

Each message says what went wrong *and* what to do next; a caller may print it as it stands.

    CollectorError
    ├── SettingsError              the environment holds something unusable
    ├── UsageError                 an argument is wrong: unknown category, malformed run id, …
    │   ├── UnknownRun             no run has that id
    │   ├── UnknownCategory        the catalogue has no such category
    │   └── IllegalMove            the run's status does not allow that
    ├── DatabaseError              PostgreSQL is unreachable, refused us, or is misconfigured
    │   └── EmbeddedServerError    the PostgreSQL that comes along could not be started
    ├── OwnershipLost              another process has taken this run over
    ├── RunInProgress              the run already has a living owner
    ├── BudgetExhausted            the run may not send another request
    ├── EngineLost                 whoever had the workers of a run is gone
    ├── SandboxError               the sandbox could not be started (port taken, …)
    ├── ExportError                a file could not be written
    ├── TooManyStreams             this server has as many activity streams open as it may
    └── UpstreamError              a request brought no usable answer (.retryable, .billed)
        ├── Refused                401 or 403: the credentials do not serve
        ├── BadRequest             400, 404, 422: asking again would not help
        ├── Throttled              429: wait (.retry_after_s)
        ├── Unavailable            5xx, 6xx: theirs, may be retried at no cost
        ├── Unreachable            no connection, or it broke
        ├── TimedOut               no answer in time
        ├── MalformedAnswer        the envelope is not what the documentation says
        ├── TargetFailed           an envelope whose result failed (status or parse code)
        └── PageNotUnderstood      a page came, but not one that answers the question
            └── Blocked            a bot wall
"""

from __future__ import annotations


class CollectorError(Exception):
    """The base of every error this package raises on purpose."""


class SettingsError(CollectorError):
    """The environment holds something unusable."""


class UsageError(CollectorError):
    """The caller asked for something that does not exist or cannot be."""


class UnknownRun(UsageError):
    """No run has that id."""


class UnknownCategory(UsageError):
    """The catalogue has no such category."""


class IllegalMove(UsageError):
    """The run's status does not allow that."""


class DatabaseError(CollectorError):
    """PostgreSQL is unreachable, refused us, or is configured in a way that cannot work."""


class EmbeddedServerError(DatabaseError):
    """The PostgreSQL that comes along could not be started."""


class OwnershipLost(CollectorError):
    """Another process has taken this run over; what this one still holds is discarded."""

    def __init__(
        self, message: str = "Another process has taken this run over; it goes on there."
    ) -> None:
        super().__init__(message)


class RunInProgress(CollectorError):
    """The run already has a living owner."""


class BudgetExhausted(CollectorError):
    """The run has reserved every request its budget allows."""


class EngineLost(CollectorError):
    """Whoever had the workers of a run (a Dask cluster) is gone; the run can be resumed."""


class SandboxError(CollectorError):
    """The sandbox could not be started."""


class ExportError(CollectorError):
    """A file could not be written."""


class TooManyStreams(CollectorError):
    """This server has as many activity streams open as it may."""


class UpstreamError(CollectorError):
    """A request brought no usable answer.

    Attributes:
        kind: a short stable word for the kind of error, as stored and counted (`error_type`).
        retryable: whether the same request may bring an answer later.
        billed: whether the provider bills this answer (2xx and the target's 4xx are billed;
            429, 5xx and 6xx are not; source: Oxylabs documentation, "Response codes").
        status_code: the HTTP or result status, where there was one.
        retry_after_s: seconds to wait as told by the upstream, where it said so.
        page: the text that could not be used, kept so that a person can look at it.
    """

    kind = "upstream"
    retryable = True
    billed = False

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        retry_after_s: float | None = None,
        billed: bool | None = None,
        page: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.retry_after_s = retry_after_s
        self.page = page
        if billed is not None:
            self.billed = billed


class Refused(UpstreamError):
    """401 or 403: the credentials do not serve."""

    kind = "refused"
    retryable = False


class BadRequest(UpstreamError):
    """400, 404 or 422: asking the same again would not help."""

    kind = "bad_request"
    retryable = False


class Throttled(UpstreamError):
    """429: too many requests; wait `retry_after_s`."""

    kind = "rate_limited"


class Unavailable(UpstreamError):
    """5xx, 612 or 613: the upstream's own trouble, free to retry."""

    kind = "unavailable"


class Unreachable(UpstreamError):
    """No connection to the upstream, or it broke before the answer was whole."""

    kind = "unreachable"


class TimedOut(UpstreamError):
    """No answer within the time allowed; it may be billed all the same."""

    kind = "timeout"
    billed = True


class MalformedAnswer(UpstreamError):
    """The answer is not the envelope that the documentation describes."""

    kind = "malformed_answer"
    billed = True


class TargetFailed(UpstreamError):
    """An envelope came, but its result failed at the target or in the provider's parser."""

    kind = "target_failed"
    billed = True


class PageNotUnderstood(UpstreamError):
    """A page came, but not one that answers the question: ask again, or have a look."""

    kind = "page_not_understood"
    billed = True


class Blocked(PageNotUnderstood):
    """A bot wall stood where the page should be."""

    kind = "blocked"
