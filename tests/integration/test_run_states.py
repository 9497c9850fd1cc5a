"""Any order of launch, pause, resume, cancel, crash and retry ends in a legal state.

Two services work side by side, as two processes would, over a real database and a real sandbox.
`COLLECTOR_STATE_EXAMPLES` says how many orders are tried (default 8).
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
import tornado.httpclient
import tornado.httpserver
import tornado.netutil
import tornado.web
from collecting import categories, rows, sandbox_process, sellers_of, truth
from hypothesis import HealthCheck, strategies
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from collector.collection import CollectionService
from collector.database import Database
from collector.errors import IllegalMove, OwnershipLost, RunInProgress, UsageError
from collector.execution import RunExecution
from collector.progress import RunProgress
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.upstream import Upstream
from collector.words import RunStatus, Source

EXAMPLES = int(os.environ.get("COLLECTOR_STATE_EXAMPLES", "8"))
NODES = ("289754", "3610841")
BUDGETS = (None, None, 6, 15)

# One statement, so that all of it is true at one moment.
COUNTS = """
SELECT r.status, r.budget,
    (r.requests, r.requests_billed, r.sellers_found, r.sellers_new, r.lists_done,
     r.products_total, r.products_searched) AS kept,
    ((SELECT count(*) FROM collection_requests q WHERE q.run_id = r.id),
     (SELECT count(*) FROM collection_requests q WHERE q.run_id = r.id AND billed),
     (SELECT count(*) FROM run_sellers s WHERE s.run_id = r.id),
     (SELECT count(*) FROM run_sellers s WHERE s.run_id = r.id AND is_new),
     (SELECT count(*) FROM collection_items i WHERE i.run_id = r.id
      AND kind = 'best_sellers' AND status = 'done' AND NOT has_more),
     (SELECT count(*) FROM collection_items i WHERE i.run_id = r.id
      AND kind = 'seller_search' AND page = 1),
     (SELECT count(*) FROM collection_items i WHERE i.run_id = r.id
      AND kind = 'seller_search' AND status = 'done' AND NOT has_more)) AS counted,
    r.requests,
    (SELECT count(*) FROM (SELECT item_id FROM collection_requests q WHERE q.run_id = r.id
     AND outcome = 'ok' GROUP BY item_id HAVING count(*) > 1) t) AS done_twice,
    (SELECT count(*) FROM collection_items i WHERE i.run_id = r.id
     AND i.status IN ('pending', 'running')) AS unfinished,
    (SELECT count(*) FROM collection_items i WHERE i.run_id = r.id
     AND i.status = 'running') AS running,
    r.seller_count_snapshot,
    (SELECT seller_count FROM seller_counter) AS seller_count
FROM collection_runs r WHERE r.id = :id
"""
OWNERS_BACKEND = """
SELECT pid FROM pg_locks l WHERE locktype = 'advisory' AND objid =
    (SELECT owner_id FROM collection_runs WHERE id = %s)
"""


class Gate(tornado.web.RequestHandler):
    """The way to the sandbox, which refuses some requests for good while it is unwell."""

    def initialize(self, gate: dict[str, Any]) -> None:
        self.gate = gate

    async def post(self) -> None:
        body = self.request.body
        self.gate["asked"] += 1
        if self.gate["unwell"] and zlib.crc32(body) % 3 == 0:
            self.set_status(400)
            self.finish({"message": "Bad request."})
            return
        answer = await tornado.httpclient.AsyncHTTPClient().fetch(
            self.gate["url"], method="POST", body=body, headers=self.request.headers
        )
        self.set_header("x-collector-sandbox", "1")
        self.finish(answer.body)


class AnyOrder(RuleBasedStateMachine):
    """What two processes may do to one run."""

    database: Database
    settings: Settings
    market: SandboxProcess

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.gate: dict[str, Any] = {"url": self.market.url, "unwell": False, "asked": 0}
        self.run_id: UUID | None = None
        self.working: list[tuple[RunExecution, asyncio.Task[RunProgress]]] = []
        self.seen = RunStatus.PENDING
        self.retried = False
        self.do(self._open())

    async def _open(self) -> None:
        (socket,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        handlers = [(r"/.*", Gate, {"gate": self.gate})]
        self.http = tornado.httpserver.HTTPServer(
            tornado.web.Application(handlers, log_function=lambda handler: None)
        )
        self.http.add_sockets([socket])
        url = f"http://127.0.0.1:{socket.getsockname()[1]}/v1/queries"
        self.upstream = Upstream(self.settings.model_copy(update={"oxylabs_url": url}))
        self.services = [
            CollectionService(
                self.database, connect=self.upstream.connect, source=Source.SANDBOX, patience_s=30
            )
            for _ in range(2)
        ]

    def do(self, deed: Awaitable[Any]) -> Any:
        """Let the loop run until something is done: runs go on meanwhile, and only then."""
        return self.loop.run_until_complete(asyncio.wait_for(deed, 60))

    async def work(self, service: CollectionService) -> None:
        assert self.run_id is not None
        self.working.append(service.start(self.run_id))

    async def call(self, command: Callable[[], None]) -> None:
        command()

    @initialize(budget=strategies.sampled_from(BUDGETS))
    def launch(self, budget: int | None) -> None:
        self.run_id = self.do(self.services[0].create(categories(NODES), budget=budget))
        self.resume(0)

    @rule(seconds=strategies.sampled_from([0.0, 0.02, 0.1, 0.4]))
    def go_on(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    @rule(unwell=strategies.booleans())
    def turn(self, unwell: bool) -> None:
        """The upstream begins or ceases to refuse a third of what it is asked."""
        self.gate["unwell"] = unwell

    @rule(number=strategies.integers(0, 1))
    def resume(self, number: int) -> None:
        service = self.services[number]
        assert self.run_id is not None
        try:
            taken = self.do(service.resume(self.run_id))
        except IllegalMove:
            assert self.status().is_final
            return
        except UsageError:
            row = self.look()
            assert row.requests == row.budget
            return
        if not taken:
            self.do(self.work(service))

    @rule(number=strategies.integers(0, 1), command=strategies.sampled_from(["pause", "cancel"]))
    def command(self, number: int, command: str) -> None:
        before = self.status()
        try:
            self.do(getattr(self.services[number], command)(self.run_id))
        except IllegalMove:
            assert before.is_final or self.status().is_final

    @rule(command=strategies.sampled_from(["pause", "resume", "cancel", "stop"]))
    @precondition(lambda self: self.working)
    def click(self, command: str) -> None:
        """A command to the run in one's own hands."""
        self.do(self.call(getattr(self.working[-1][0], command)))

    @rule()
    @precondition(lambda self: self.working)
    def crash(self) -> None:
        """The task that works on the run dies where it stands."""
        self.working[-1][1].cancel()

    @rule()
    def lose_the_session(self) -> None:
        """The owner's session is gone: to everybody else it looks dead, and may be replaced."""
        with psycopg.connect(self.database.conninfo(), autocommit=True) as connection:
            for (pid,) in connection.execute(OWNERS_BACKEND.encode(), [self.run_id]).fetchall():
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])

    @rule(number=strategies.integers(0, 1))
    def retry(self, number: int) -> None:
        before = self.status()
        try:
            self.do(self.services[number].retry(self.run_id))
        except (IllegalMove, UsageError, RunInProgress):
            # Cancelled, nothing failed, or its owner has not let go of it yet.
            return
        self.retried = self.retried or before.is_final

    def look(self) -> Any:
        return rows(self.database, COUNTS, id=self.run_id)[0]

    def status(self) -> RunStatus:
        return RunStatus(self.look().status)

    @invariant()
    def counts_are_exact_and_the_state_is_legal(self) -> None:
        if self.run_id is None:
            return
        row = self.look()
        assert row.kept == row.counted
        assert row.done_twice == 0
        assert row.budget is None or row.requests <= row.budget
        assert self.gate["asked"] <= row.requests
        status = RunStatus(row.status)
        if self.seen.is_final and not self.retried:
            assert status is self.seen, "an ended run came back"
        if status is RunStatus.COMPLETED:
            assert row.unfinished == 0
        if status.is_final:
            assert row.seller_count_snapshot == row.seller_count
        assert status is not RunStatus.FAILED, "it blamed itself"
        self.seen, self.retried = status, self.retried and not status.is_final

    def teardown(self) -> None:
        try:
            if self.run_id is not None:
                self.end_well()
        finally:
            self.do(self._close())
            self.loop.close()

    def end_well(self) -> None:
        """Whatever was done to it: left alone, the run ends, and nobody is lost."""
        self.gate["unwell"] = False
        for _ in range(20):
            self.do(self.settle())
            row = self.look()
            status = RunStatus(row.status)
            failed = rows(
                self.database,
                "SELECT 1 FROM collection_items WHERE run_id = :id AND status = 'failed'",
                id=self.run_id,
            )
            if status is RunStatus.CANCELLED or (status is RunStatus.COMPLETED and not failed):
                break
            assert self.run_id is not None
            if status.is_final:
                self.do(self.services[1].retry(self.run_id))
            if not self.do(self.services[1].resume(self.run_id, budget=1000)):
                self.do(self.work(self.services[1]))
        self.retried = True
        self.counts_are_exact_and_the_state_is_legal()
        assert row.running == 0
        assert status.is_final
        if status is RunStatus.COMPLETED:
            assert self.run_id is not None
            found = sellers_of(self.database, self.run_id)
            assert found == truth(self.market, NODES)["sellers"]

    async def settle(self) -> None:
        """Wait until nobody works on the run any more."""
        for execution, task in self.working:
            # It rests once it is paused or left; what only goes on is waited for.
            await execution.rest()
            execution.stop()
            await asyncio.wait({task})
        done = await asyncio.gather(*(task for _, task in self.working), return_exceptions=True)
        for end in done:
            if isinstance(end, BaseException) and not isinstance(
                end, RunInProgress | OwnershipLost | IllegalMove | asyncio.CancelledError
            ):
                raise end
        self.working.clear()

    async def _close(self) -> None:
        for service in self.services:
            await service.close()
        self.upstream.close()
        self.http.stop()
        await self.http.close_all_connections()
        await self.loop.shutdown_default_executor()


@pytest.fixture(scope="module")
def market() -> Iterator[SandboxProcess]:
    with sandbox_process(latency_s=0.01) as process:
        yield process


def test_any_order_of_commands_and_crashes_ends_in_a_legal_state(
    database: Database, settings: Settings, market: SandboxProcess
) -> None:
    machine = type(
        "AnyOrderHere",
        (AnyOrder,),
        {"database": database, "settings": settings, "market": market},
    )
    run_state_machine_as_test(machine, settings=small())


def small() -> hypothesis_settings:
    """How much is tried."""
    return hypothesis_settings(
        max_examples=EXAMPLES,
        stateful_step_count=14,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


@pytest.mark.parametrize(
    ("command", "status"), [("cancel", RunStatus.CANCELLED), ("pause", RunStatus.PAUSED)]
)
def test_what_was_decided_while_the_owner_looked_dead_is_followed(
    database: Database,
    settings: Settings,
    market: SandboxProcess,
    command: str,
    status: RunStatus,
) -> None:
    """The owner lives, and has just begun: no item in its hands tells it by its loss."""
    machine = type(
        "LostSession",
        (AnyOrder,),
        {"database": database, "settings": settings, "market": market},
    )()
    machine.launch(budget=15)
    while machine.status() is not RunStatus.RUNNING:
        machine.go_on(0.001)
    machine.lose_the_session()
    machine.do(getattr(machine.services[1], command)(machine.run_id))
    machine.do(machine.settle())
    assert machine.status() is status
    machine.teardown()
