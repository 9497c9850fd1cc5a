"""A scripted run: a synthetic market's entries on a real activity stream, for panels to show.

It has what a run has for its viewers (progress, subscription, controls that are thread-safe) and
no database and no requests. Deterministic but for the time.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from collector.activity import ActivityStream, Subscription
from collector.errors import CollectorError
from collector.models import ActivityEntry, utc_now
from collector.panel import LivePanel, RunControls
from collector.progress import RunProgress
from collector.tracker import Tracker
from collector.words import Action, PauseReason, Phase, RunStatus, Source

TITLES = (
    "Stainless steel garlic press, rocker",
    "USB-C hub, 7 ports, aluminium",
    "Wireless earbuds with charging case",
    "Silicone stretch lids, set of 12",
    "Phone stand, foldable",
    "Milk frother wand",
    "Lightning cable, 3 m",
    "Kitchen scale, 5 kg",
    "Webcam cover slide",
    "Desk lamp with wireless charger, dimmable, four colours of light, memory of the last one",
)
LISTS = ("Electronics › Headphones", "Kitchen & Dining › Coffee makers", "Kitchen & Dining")
HOSTILE = (
    "<img src=x onerror=\"window.__pwned='img'\">",
    "<iframe srcdoc=\"<script>parent.__pwned='iframe'</script>\"></iframe>",
    "<script>window.__pwned='script'</script>",
    "javascript:window.__pwned='url'",
    "</style><svg onload=\"window.__pwned='svg'\">",
    '"><a href="javascript:window.__pwned=\'link\'">x</a>',
    "{0} {view} %s ${window.__pwned='template'} `x`",
    '=HYPERLINK("http://x") \u202e desrever \ud800 \x00 \x1b[31m',
)


class ScriptedRun:
    """Plays a run at a given pace.

    Args:
        rate: entries a second, two a step.
        titles: the products' titles.
        products: after so many searches the run completes.
        name: the run's name.
        seed: of its random numbers.
    """

    def __init__(
        self,
        *,
        rate: float = 12,
        titles: tuple[str, ...] = TITLES,
        products: int = 880,
        name: str = "Electronics and kitchen, November",
        seed: int = 1,
        workers: int = 5,
        budget: int | None = 1500,
        source: Source = Source.SANDBOX,
    ) -> None:
        self.id = UUID(int=0x1A2B << 112 | seed)
        self.short_id = str(self.id)[:4]
        self.rate = rate
        self.titles = titles
        self.stream = ActivityStream(self.id)
        self.clicks: list[tuple[str, float]] = []
        self.refuses: str | None = None
        self.error_share = 0.03
        self._random = random.Random(seed)
        self._numbers = count()
        self._workers = workers
        self._requests_of_product: dict[int, str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._held_until = 0.0
        now = utc_now()
        self._figures = RunProgress(
            run_id=self.id,
            name=name,
            status=RunStatus.PENDING,
            source=source,
            created_at=now,
            budget=budget,
            categories=10,
            lists_total=20,
            products_total=products,
            seller_count=1086,
            seller_count_before=1086,
        )
        self._tracker = Tracker(self._figures, workers=workers)

    # ---- what a panel asks for

    def progress(self) -> RunProgress:
        """How the run stands."""
        return self._tracker.progress()

    def subscribe(self, after: int | None = None) -> Subscription:
        """A viewer's subscription."""
        return self.stream.subscribe(after=after)

    @property
    def controls(self) -> RunControls:
        """The buttons' callbacks, as thread-safe as a real run's."""
        return RunControls(
            pause=lambda: self._clicked("pause", self._pause),
            resume=lambda: self._clicked("resume", self._resume),
            cancel=lambda: self._clicked("cancel", self._cancel),
            retry=lambda: self._clicked("retry", self._resume),
        )

    def panel(self) -> LivePanel:
        """A panel of this run."""
        return LivePanel(self, self.controls)

    # ---- playing it

    def start(self) -> ScriptedRun:
        """Begin, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._set(status=RunStatus.RUNNING, started_at=self._figures.started_at or utc_now())
        self._task = self._loop.create_task(self._play())
        return self

    def history(self, *, steps: int, since: timedelta = timedelta(minutes=6)) -> ScriptedRun:
        """Act as if the run had begun a while ago and had done this much."""
        self._set(status=RunStatus.RUNNING, started_at=utc_now() - since)
        step = since / (steps + 1)
        moment = utc_now() - since
        for _ in range(steps):
            moment += step
            self.step(moment=moment)
        return self

    async def _play(self) -> None:
        done, began = 0, time.monotonic()
        while self.progress().status is not RunStatus.COMPLETED:
            await asyncio.sleep(min(0.05, 2 / self.rate))
            if (
                self.progress().status is not RunStatus.RUNNING
                or time.monotonic() < self._held_until
            ):
                began = time.monotonic() - 2 * done / self.rate
                continue
            due = int((time.monotonic() - began) * self.rate / 2)
            # After a blocked loop the run goes on at its pace: it does not catch up.
            if due - done > self.rate:
                began, done, due = time.monotonic(), 0, 1
            for _ in range(max(0, due - done)):
                self.step()
            done = max(done, due)

    def step(self, *, moment: datetime | None = None) -> None:
        """What a worker does comes to an outcome, and it begins something else: two entries."""
        worker = next(self._numbers) % self._workers + 1
        moment = moment or utc_now()
        title = self._requests_of_product.pop(worker, None)
        if title is not None:
            if self._tracker.progress().workers[worker - 1].phase is Phase.BEST_SELLERS:
                self._list_outcome(moment, worker, title)
            else:
                self._search_outcome(moment, worker, title)
        if self.progress().status is not RunStatus.RUNNING:
            return
        title = self._requests_of_product[worker] = self._random.choice(self.titles)
        is_list = self._random.random() < 0.05 and self._figures.lists_done < 18
        self._emit(moment, worker, title, is_list, Action.FETCHING, attempt=1)

    def _list_outcome(self, moment: datetime, worker: int, title: str) -> None:
        params = {"page": 1, "skipped": self._random.choice((0, 0, 2)), "elsewhere": 6}
        took = self._random.randint(3000, 12000)
        self._emit(
            moment,
            worker,
            title,
            True,
            Action.FOUND,
            items_count=50,
            params=params,
            duration_ms=took,
        )
        self._set(lists_done=self._figures.lists_done + 1)

    def _search_outcome(self, moment: datetime, worker: int, title: str) -> None:
        took = self._random.randint(2000, 8000)
        chance = self._random.random()
        figures = self._figures
        if chance < self.error_share:
            kind, message = self._random.choice(
                (
                    ("timeout", "No answer within 180 s"),
                    ("page_not_understood", "no card names a seller"),
                    ("unavailable", "The upstream answered 500"),
                )
            )
            stage = "parse" if kind == "page_not_understood" else "fetch"
            self._emit(
                moment,
                worker,
                title,
                False,
                Action.ERROR,
                error_type=kind,
                error_stage=stage,
                error_message=message,
                duration_ms=took,
                params={"will_retry": chance < self.error_share / 2, "delay_s": 2.0, "page": 1},
            )
            self._set(
                products_failed=figures.products_failed + 1, failed_items=figures.failed_items + 1
            )
            return
        sellers = self._random.randint(3, 40)
        new = self._random.choice((0, 0, 0, 1, 2, 3, 6)) if chance < 0.85 else 0
        if chance > 0.95:
            sellers = 0
            outcome = {"action": Action.FOUND, "params": {"page": 1, "unmatched": 48}}
        elif new:
            outcome = {"action": Action.INSERTED, "seller_found": "gadget_house"}
        else:
            outcome = {"action": Action.DEDUPED}
        self._emit(
            moment,
            worker,
            title,
            False,
            items_count=sellers,
            new_sellers_count=new,
            duration_ms=took,
            **outcome,
        )
        searched = figures.products_searched + 1
        self._set(
            products_searched=searched,
            sellers_new=figures.sellers_new + new,
            sellers_found=figures.sellers_found + new + sellers // 8,
            seller_count=figures.seller_count + new,
        )
        if searched + figures.products_failed >= figures.products_total:
            self.finish()

    def _emit(
        self,
        moment: datetime,
        worker: int,
        title: str,
        is_list: bool,
        action: Action,
        **told: object,
    ) -> None:
        entry = ActivityEntry(
            timestamp=moment,
            worker_id=worker,
            phase=Phase.BEST_SELLERS if is_list else Phase.SELLER_SEARCH,
            action=action,
            category=LISTS[len(title) % 3],
            product_name=None if is_list else title,
            **{"params": {"page": 1, "price_from": 22.48, "price_to": 27.48}, **told},
        )
        if action is Action.FETCHING:
            self._set(requests=self._figures.requests + 1)
        self._tracker.apply(self.stream.publish(entry))

    def _set(self, **changes: object) -> None:
        self._figures = replace(self._figures, **changes)
        self._tracker.rebase(self._figures)

    def _tell(self, action: Action, why: str) -> None:
        self._tracker.apply(self.stream.publish(ActivityEntry(action=action, error_message=why)))

    # ---- what may happen to it

    def hold(self, wait_s: float, *, worker: int = 5) -> None:
        """The upstream asks for a rest."""
        self._held_until = time.monotonic() + wait_s
        entry = ActivityEntry(
            worker_id=worker,
            phase=Phase.SELLER_SEARCH,
            action=Action.RATE_LIMITED,
            product_name=self.titles[0],
            error_type="rate_limited",
            error_message="Oxylabs answered 429",
            params={"wait_s": wait_s, "will_retry": True},
            duration_ms=210,
        )
        self._tracker.apply(self.stream.publish(entry))

    def pause_for(self, reason: PauseReason, message: str) -> None:
        """The run pauses by itself."""
        self._tell(Action.PAUSED, message)
        self._set(status=RunStatus.PAUSED, pause_reason=reason, message=message)

    def finish(self, status: RunStatus = RunStatus.COMPLETED) -> None:
        """The run ends."""
        self._tell(Action.COMPLETE if status is RunStatus.COMPLETED else Action.CANCELLED, "")
        count_now = self._figures.seller_count
        self._set(status=status, finished_at=utc_now(), seller_count_snapshot=count_now)
        self.stream.end(status)

    def _clicked(self, verb: str, act: object) -> None:
        self.clicks.append((verb, time.time()))
        if self.refuses is not None:
            raise CollectorError(self.refuses)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(act)

    def _pause(self) -> None:
        self._tell(Action.PAUSED, "")
        self._set(status=RunStatus.PAUSED, pause_reason=PauseReason.OPERATOR)

    def _resume(self) -> None:
        self.stream.start()
        self._tell(Action.RESUMED, "")
        self._set(
            status=RunStatus.RUNNING,
            pause_reason=None,
            message="",
            finished_at=None,
            failed_items=0,
            products_failed=0,
        )

    def _cancel(self) -> None:
        self.finish(RunStatus.CANCELLED)
