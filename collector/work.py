"""What the items of a run ask for: one request each, read, kept in one transaction, and told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from collector.entries import (
    describe_error,
    item_entry,
    list_outcome,
    request_params,
    search_outcome,
)
from collector.errors import BudgetExhausted, PageNotUnderstood, Refused, UpstreamError
from collector.models import ActivityEntry, Item, ProductPage, RunOptions, Settled
from collector.policy import Decision, Step, interval_s, speaks_of_the_target
from collector.pressure import PressureGauge
from collector.runner import HeldBack
from collector.settling import book_failure, settle_list, settle_search
from collector.sources import amazon, ebay
from collector.sources.oxylabs import Answer, OxylabsClient
from collector.store import items, pace, requests
from collector.transactions import Transactions
from collector.words import Action, ItemKind, PauseReason, Source


@dataclass(frozen=True, slots=True)
class Booked:
    """A reserved request whose answer has come."""

    request_id: int
    duration_ms: int


class RunWork:
    """The work of one run, as `ParallelCollectionRunner` wants it.

    Args:
        run_id: the run.
        options: what it is asked to do.
        source: where its answers must come from.
        owner_id: who works on it.
        client: sends the requests.
        transactions: reach the database.
        publish: tells viewers.
        on_pause: is told when the runner pauses by itself.
        may_send: whether a request may leave, asked once it is reserved.
        run_owner_id: the run's owner, where that is somebody else than who works on it here.
    """

    def __init__(
        self,
        run_id: UUID,
        *,
        options: RunOptions,
        source: Source,
        owner_id: int,
        client: OxylabsClient,
        transactions: Transactions,
        publish: Callable[[ActivityEntry], object],
        on_pause: Callable[[PauseReason, str], Awaitable[None]],
        may_send: Callable[[], bool],
        run_owner_id: int | None = None,
    ) -> None:
        self.run_id = run_id
        self._options = options
        self._source = source
        self._owner_id = owner_id
        self._run_owner_id = run_owner_id
        self._client = client
        self._transactions = transactions
        self._publish = publish
        self._on_pause = on_pause
        self._may_send = may_send
        self._gauge = PressureGauge()
        self._held: set[int] = set()
        self._told_per_second: int | None = None

    async def claim(self, limit: int) -> Sequence[Item]:
        """Take up to `limit` pending items of the run."""
        claimed = await self._transactions.run(
            lambda c: items.claim(
                c,
                self.run_id,
                owner_id=self._owner_id,
                run_owner_id=self._run_owner_id,
                limit=limit,
            ),
            single=True,
        )
        self._held.update(item.id for item in claimed)
        return claimed

    async def exhausted(self) -> bool:
        """Whether nothing of the run is pending or under way anywhere."""
        if await self._transactions.run(lambda c: items.is_exhausted(c, self.run_id)):
            return True
        # A claim whose commit was lost with the connection: ours by name, unknown to us.
        await self._transactions.run(
            lambda c: items.release_strays(
                c, self.run_id, owner_id=self._owner_id, held=sorted(self._held)
            )
        )
        return False

    async def release(self, released: Sequence[Item]) -> None:
        """Put items back."""
        await self._transactions.run(lambda c: items.release(c, released, owner_id=self._owner_id))
        self._held.difference_update(item.id for item in released)

    def pace_s(self) -> float:
        """Seconds to leave between two requests."""
        return interval_s(self._gauge.pressure(self._client.rate_limits))

    async def on_pause(self, reason: PauseReason, message: str) -> None:
        """The runner paused by itself: keep that and tell it."""
        await self._on_pause(reason, message)

    async def perform(self, item: Item, *, worker_id: int, attempt: int) -> None:
        """Send the item's request and keep what its answer brings."""
        request_id = await self._reserve(item)
        entry = partial(item_entry, item, worker_id=worker_id, attempt=attempt)
        payload = self._payload(item)
        self._publish(entry(Action.FETCHING, url=payload.get("url"), params=request_params(item)))
        began = time.monotonic()
        try:
            answer = await self._client.fetch(payload)
            await self._learn_plan(answered=True)
            page = await self._read(item, answer)
        except UpstreamError as error:
            await self._learn_plan(answered=False)
            if speaks_of_the_target(error):
                self._gauge.count(succeeded=False)
            failed = error
            await _to_the_end(
                self._transactions.run(
                    lambda c: book_failure(
                        c, item, failed, request_id=request_id, duration_ms=_since_ms(began)
                    )
                )
            )
            raise
        self._gauge.count(succeeded=True)
        booked = Booked(request_id, _since_ms(began))
        await _to_the_end(self._settle(item, page, booked=booked, entry=entry))

    async def _reserve(self, item: Item) -> int:
        """Reserve a request, and wait for its slot.

        Raises:
            HeldBack: none may leave now; nothing stays reserved.
        """
        reserved = await self._transactions.run(
            lambda c: requests.reserve_request(
                c, item, owner_id=self._owner_id, interval_s=self.pace_s()
            ),
            single=True,
        )
        if (request_id := reserved.request_id) is None:
            raise HeldBack(reserved.wait_s)
        if reserved.wait_s > 0:
            await asyncio.sleep(reserved.wait_s)
        if not self._may_send():
            # That took its time, and somebody paused meanwhile: stop means stop.
            await self._transactions.run(lambda c: requests.give_back(c, request_id))
            raise HeldBack
        return request_id

    async def _learn_plan(self, *, answered: bool) -> None:
        """Keep what the latest headers told of the plan, where that is news."""
        limits = [limit.limit for limit in self._client.rate_limits]
        if not limits and not answered:
            return
        # Of several limits (a second, a month) the smallest is the one to pace by.
        told = min(limits, default=0)
        if told != self._told_per_second:
            self._told_per_second = told
            await self._transactions.run(lambda c: pace.learn(c, told))

    def _payload(self, item: Item) -> dict[str, Any]:
        if item.kind is ItemKind.BEST_SELLERS:
            return amazon.best_sellers_payload(
                item.node_id, page=item.page, geo_location=self._options.geo_location
            )
        return ebay.search_payload(
            words=ebay.search_words(item.title or ""),
            price_from_cents=item.price_from_cents or 0,
            price_to_cents=item.price_to_cents or 0,
            page=item.page,
            results_per_page=self._options.results_per_page,
        )

    async def _read(self, item: Item, answer: Answer) -> ProductPage | ebay.SearchPage:
        if answer.from_sandbox and self._source is not Source.SANDBOX:
            raise Refused(
                "OXYLABS_URL leads to a sandbox, whose invented sellers must not reach the real "
                "list: unset OXYLABS_URL, or unset the credentials to work in the sandbox."
            )
        if item.kind is ItemKind.BEST_SELLERS:
            return amazon.parse_best_sellers(answer.content, page=item.page)
        if not isinstance(answer.content, str):
            raise PageNotUnderstood("The answer to an eBay search is not a page of HTML.")
        # In a thread: the parser lets the loop run meanwhile (it releases the GIL).
        return await asyncio.to_thread(_read_search_page, answer.content)

    async def _settle(
        self, item: Item, page: ProductPage | ebay.SearchPage, *, booked: Booked, entry: Any
    ) -> None:
        tell = partial(entry, duration_ms=booked.duration_ms)
        if isinstance(page, ProductPage):
            listed = await self._transactions.run(
                lambda c: settle_list(
                    c, item, page, booking=booked, owner_id=self._owner_id, options=self._options
                )
            )
            self._held.discard(item.id)
            self._publish(tell(Action.FOUND, **list_outcome(item, listed or Settled())))
        else:
            searched = await self._transactions.run(
                lambda c: settle_search(
                    c, item, page, booking=booked, owner_id=self._owner_id, options=self._options
                )
            )
            self._held.discard(item.id)
            self._publish(tell(**search_outcome(item, page, searched or Settled())))

    async def fail(self, item: Item, *, worker_id: int, attempt: int, error: Exception) -> None:
        """Keep an item as failed."""
        kind, stage, page = describe_error(error)
        await self._transactions.run(
            lambda c: items.fail(
                c,
                item,
                owner_id=self._owner_id,
                error_type=kind,
                error_stage=stage,
                error_message=str(error),
                page=page,
            )
        )
        self._held.discard(item.id)

    def on_attempt_failed(
        self, item: Item, *, worker_id: int, attempt: int, error: Exception, decision: Decision
    ) -> None:
        """Tell that an attempt failed and what follows."""
        if isinstance(error, BudgetExhausted):
            return
        kind, stage, _ = describe_error(error)
        again = decision.step in {Step.RETRY, Step.HOLD}
        params: dict[str, Any] = {"page": item.page, "will_retry": again}
        if decision.step is Step.HOLD:
            params["wait_s"] = round(decision.delay_s, 1)
        elif again:
            params["delay_s"] = round(decision.delay_s, 1)
        self._publish(
            item_entry(
                item,
                Action.RATE_LIMITED if decision.step is Step.HOLD else Action.ERROR,
                worker_id=worker_id,
                attempt=attempt,
                error_message=str(error),
                error_type=kind,
                error_stage=stage,
                params=params,
            )
        )


def _read_search_page(html: str) -> ebay.SearchPage:
    page = ebay.parse_search_page(html)
    ebay.check_search_page(page, html=html)
    return page


def _since_ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


async def _to_the_end(coroutine: Coroutine[Any, Any, None]) -> None:
    """Await something that must not be cut short: a cancellation waits until it is done."""
    task = asyncio.ensure_future(coroutine)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            # Looked at, for asyncio complains otherwise: whoever cancelled has its own fault.
            task.exception()
        raise
