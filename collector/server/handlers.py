"""What is answered under `{base_url}collector/`, and to whom.

Every method is both authenticated and authorized, as Jupyter does it; a test walks all of them.
Refusals are JSON with one clear `message`, 403 and never a page to log in.
"""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import UUID

import tornado.web
from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import APIHandler

from collector.errors import (
    CollectorError,
    DatabaseError,
    SettingsError,
    TooManyStreams,
    UnknownRun,
    UsageError,
)
from collector.server.open_logs import OpenLogs
from collector.words import Source

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from collector.progress import RunProgress
    from collector.tailing import LogTailing

RETRY_AFTER_S = 5
NEWEST_RUNS, MOST_RUNS = 50, 1000

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
PAGE_FILES = {
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
}
# A worker's state and estimates are known where a run is worked on, and not to the database.
_UNKNOWN_HERE = {"workers", "eta_s", "loop_lag_ms", "holds", "hold_until", "hold_message"}


class CollectorHandler(APIHandler):
    """What all of them share."""

    auth_resource = "collector"
    # An open stream must not keep an idle server from being culled.
    _track_activity = False

    def initialize(self, logs: OpenLogs, **settings: Any) -> None:
        """Take what the extension hands over."""
        self.logs = logs

    def set_default_headers(self) -> None:
        """Jupyter's, and nothing of ours is kept anywhere."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse whoever is not logged in, before any method is asked."""
        await super().prepare()
        # Jupyter leaves this to each method: one without its decorators would answer anybody.
        if self.request.method != "OPTIONS" and not self.current_user:
            self.get_login_url()

    @allow_unauthenticated
    def options(self, *args: Any, **kwargs: Any) -> None:
        """Say what may be asked; browsers send no credentials with this question."""
        super().options(*args, **kwargs)
        self.set_header("Access-Control-Allow-Headers", "authorization, last-event-id")
        self.set_header("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
        self.set_header("Allow", "GET, HEAD, OPTIONS")
        self.set_status(204)

    def get_login_url(self) -> str:
        """There is no page to log in here.

        Raises:
            HTTPError: 403, for whoever is not logged in.
        """
        raise tornado.web.HTTPError(
            403, "Not logged in: log in to Jupyter first, or give its token (?token=…)."
        )

    async def log_of_source(self) -> LogTailing:
        """The log that `?source=` names, else the one that the environment leads to."""
        given = self.get_query_argument("source", None)
        if given is not None and given not in set(Source):
            raise UsageError("source is sandbox or oxylabs.")
        return await self.logs.get(Source(given) if given else None)

    async def run_id(self, tailing: LogTailing, given: str) -> UUID:
        """The run with that id, or whose id begins so.

        Raises:
            UsageError: it is no id, or several begin so. `latest` is none here: a reader who
                connects again would be given another run.
            UnknownRun: there is none.
        """
        from collector.store import runs

        if not re.fullmatch(r"[0-9A-Fa-f-]{4,36}", given):
            raise UsageError("That is no run id: collector/runs lists them, newest first.")
        return await tailing.read(lambda conn: runs.find(conn, given))

    def answer(self, content: object) -> None:
        """Send JSON."""
        self.finish(json.dumps(content, default=_as_text, ensure_ascii=False))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Errors raised on purpose are one line in the log, and not a traceback."""
        if isinstance(value, CollectorError):
            self.log.warning("%s %s: %s", self.request.method, self.request.path, value)
        else:
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error as JSON, with the status that fits it."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        if not isinstance(error, CollectorError):
            super().write_error(status_code, **kwargs)
            return
        if isinstance(error, UnknownRun):
            self.set_status(404)
        elif isinstance(error, UsageError):
            self.set_status(400)
        elif isinstance(error, DatabaseError | SettingsError | TooManyStreams):
            self.set_status(503)
            self.set_header("Retry-After", str(RETRY_AFTER_S))
        self.answer({"message": str(error)})


class RunsHandler(CollectorHandler):
    """`runs`: how the newest runs stand."""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with a list, the newest first."""
        from collector.store import progress

        given = self.get_query_argument("limit", str(NEWEST_RUNS))
        if not re.fullmatch(r"[0-9]{1,4}", given) or not 1 <= int(given) <= MOST_RUNS:
            raise UsageError(f"limit is a whole number from 1 to {MOST_RUNS}.")
        tailing = await self.log_of_source()
        found = await tailing.read(lambda conn: progress.newest(conn, limit=int(given)))
        self.answer([_as_json(shown) for shown in found])

    head = get


class RunHandler(CollectorHandler):
    """`runs/{run_id}`: how one run stands."""

    @tornado.web.authenticated
    @authorized
    async def get(self, given: str) -> None:
        """Answer with status, counters, budget, snapshot, errors and the last entry's id."""
        from collector.store import activity_log, progress

        tailing = await self.log_of_source()
        run_id = await self.run_id(tailing, given)

        def read(conn: Connection) -> dict[str, Any]:
            return {
                **_as_json(progress.read(conn, run_id)),
                "errors": [dataclasses.asdict(e) for e in progress.errors(conn, run_id)],
                "median_ms": progress.median_ms(conn, run_id),
                "last_activity_id": activity_log.last_id(conn, run_id),
            }

        self.answer(await tailing.read(read))

    head = get


class PageHandler(CollectorHandler):
    """`runs/{run_id}/`: the page that shows a run live."""

    @tornado.web.authenticated
    @authorized
    async def get(self, given: str) -> None:
        """Answer with the page, which asks for everything else itself."""
        await self.run_id(await self.log_of_source(), given)
        self.set_header("Content-Security-Policy", PAGE_POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.finish(_page_file("page.html"), set_content_type="text/html; charset=utf-8")

    head = get


class PageFileHandler(CollectorHandler):
    """`page/…`: the page's script and looks."""

    @tornado.web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Answer with the file."""
        if name not in PAGE_FILES:
            raise tornado.web.HTTPError(404)
        self.set_header("Cache-Control", "no-cache")
        self.finish(_page_file(name), set_content_type=PAGE_FILES[name])

    head = get


def _page_file(name: str) -> bytes:
    return (files("collector") / "page" / name).read_bytes()


def _as_json(progress: RunProgress) -> dict[str, Any]:
    told = dataclasses.asdict(progress)
    return {key: value for key, value in told.items() if key not in _UNKNOWN_HERE}


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
