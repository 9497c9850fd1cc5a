"""What the sandbox's addresses have in common, and those that tell what it was asked and knows."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import tornado.web

from collector.sandbox.answers import Answers
from collector.sandbox.categories import PRESET_NODES
from collector.sandbox.faults import FaultDraw
from collector.sandbox.market import MAX_DAY
from collector.sandbox.options import SandboxOptions
from collector.sandbox.request_log import RequestLog

MARK = "x-collector-sandbox"


@dataclass(slots=True)
class Sandbox:
    """What all handlers share."""

    options: SandboxOptions
    answers: Answers
    faults: FaultDraw
    log: RequestLog = field(default_factory=RequestLog)
    nodes_asked: dict[str, None] = field(default_factory=dict)


class SandboxHandler(tornado.web.RequestHandler):
    """Marks every answer, and reads the day that a request is about."""

    sandbox: Sandbox

    def initialize(self, sandbox: Sandbox) -> None:
        """Take what the application hands to every handler."""
        self.sandbox = sandbox

    def set_default_headers(self) -> None:
        """Every answer says where it comes from, errors too."""
        self.set_header(MARK, "1")
        self.set_header("Content-Type", "application/json")

    def refuse(self, status: int, message: str) -> None:
        """Answer with a status and why."""
        self.set_status(status, message.rstrip("."))
        self.finish({"message": message})

    def write_error(self, status_code: int, **_: Any) -> None:
        """Errors are JSON like everything else, without a traceback."""
        self.finish({"message": f"Status {status_code}: requests go to POST /v1/queries."})

    def day_of(self, text: str | None) -> int | None:
        """The day of the market that counts, None for an unusable one."""
        if self.sandbox.options.day is not None:
            return self.sandbox.options.day
        if text is None:
            return 0
        if text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= MAX_DAY:
            return int(text)
        return None


class NoSuchAddress(SandboxHandler):
    """Every address that there is not."""

    def prepare(self) -> None:
        """Refuse, whatever the method."""
        self.refuse(404, "Not found: requests go to POST /v1/queries.")


class Insight(SandboxHandler):
    """`/_sandbox/…`: health, requests, truth and reset."""

    async def get(self, what: str) -> None:
        """Tell."""
        log = self.sandbox.log
        match what:
            case "health":
                self.finish({"status": "ok", "requests": log.total, "billed": log.billed})
            case "requests":
                after = self.get_argument("after", "0")
                self.set_header("x-total-count", str(log.total))
                self.finish(json.dumps(log.entries(after=int(after) if after.isdigit() else 0)))
            case "truth":
                await self._truth()
            case _:
                self.refuse(405, "Use POST.")

    async def _truth(self) -> None:
        day = self.day_of(self.get_argument("day", None))
        try:
            low, high = (
                float(self.get_argument(name, default))
                for name, default in (("low", "1.8"), ("high", "2.2"))
            )
            pages = int(self.get_argument("pages", "3"))
            per_page = int(self.get_argument("per_page", "240"))
        except ValueError:
            day = None
        if day is None:
            return self.refuse(400, "day, low, high, pages and per_page must be numbers.")
        asked = self.get_argument("nodes", "")
        nodes = [node for node in asked.split(",") if node]
        # In a thread: a truth over many lists takes seconds, and requests go on meanwhile.
        truth = await asyncio.to_thread(
            self.sandbox.answers.truth,
            nodes or list(self.sandbox.nodes_asked) or list(PRESET_NODES),
            day=day,
            low=low,
            high=high,
            pages=pages,
            per_page=per_page,
        )
        self.finish(truth)

    def post(self, what: str) -> None:
        """Clear the log, and what lists the truth is about by default."""
        if what != "reset":
            return self.refuse(405, "Use GET.")
        self.sandbox.log.clear()
        self.sandbox.nodes_asked.clear()
        self.finish({"status": "ok"})
