"""Streams of activity entries: one a run, 100 entries buffered, any number of subscribers.

Knows nothing of what the entries tell. Publishing never waits: a subscriber that falls more than
its own queue behind loses its oldest entries and is told how many by a `gap` entry, so that a
slow viewer slows nobody and nobody takes another's entries.

Publisher and subscribers may live on different threads and event loops (a kernel's loop, a
background run's, a widget callback's), so each stream has one lock, held for microseconds.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from typing import ClassVar
from uuid import UUID
from weakref import WeakSet

from collector.models import ActivityEntry
from collector.words import Action, RunStatus

BUFFERED_ENTRIES = 100
ENDED_STREAMS_KEPT = 32

__all__ = [
    "BUFFERED_ENTRIES",
    "ActivityEntry",
    "ActivityStream",
    "ActivityStreamManager",
    "Subscription",
    "get_activity_stream",
]


class Subscription:
    """One viewer of a stream, with a bounded queue of its own.

    Take what has come with `take()`, or iterate (`async for entry in subscription`), which ends
    when the stream has ended and everything was delivered. Entries come in order; where some
    were lost, a `gap` entry says how many (`items_count`) and carries the last lost id.
    """

    def __init__(self, stream: ActivityStream) -> None:
        self._stream = stream
        self._queue: deque[ActivityEntry] = deque()
        self._missed = 0
        self._missed_to = 0
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing more will come: closed by hand, or the stream ended and is drained."""
        with self._stream._lock:
            return self._closed or (self._stream._final is not None and not self._holds_any())

    @property
    def final_status(self) -> RunStatus | None:
        """How the run ended, once it has and everything was delivered."""
        with self._stream._lock:
            return None if self._holds_any() else self._stream._final

    def take(self, limit: int = BUFFERED_ENTRIES) -> list[ActivityEntry]:
        """Return up to `limit` entries that have come, without waiting."""
        with self._stream._lock:
            return self._take(limit)

    def close(self) -> None:
        """Stop receiving. A pending iteration ends."""
        with self._stream._lock:
            self._closed = True
            self._queue.clear()
            self._missed = 0
            self._stream._subscriptions.discard(self)
            self._wake()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> ActivityEntry:
        while True:
            with self._stream._lock:
                entries = self._take(1)
                if entries:
                    return entries[0]
                if self._closed or self._stream._final is not None:
                    raise StopAsyncIteration
                loop = asyncio.get_running_loop()
                future: asyncio.Future[None] = loop.create_future()
                self._waiter = (loop, future)
            await future

    # What follows is called with the stream's lock held.

    def _holds_any(self) -> bool:
        return bool(self._queue) or self._missed > 0

    def _take(self, limit: int) -> list[ActivityEntry]:
        taken: list[ActivityEntry] = []
        if self._missed and limit > 0:
            taken.append(
                ActivityEntry(id=self._missed_to, action=Action.GAP, items_count=self._missed)
            )
            self._missed = 0
        while self._queue and len(taken) < limit:
            taken.append(self._queue.popleft())
        return taken

    def _offer(self, entry: ActivityEntry) -> None:
        if len(self._queue) >= BUFFERED_ENTRIES:
            lost = self._queue.popleft()
            # A gap entry that is lost stands for all it stood for.
            self._miss(lost.items_count or 0 if lost.action is Action.GAP else 1, lost.id)
        self._queue.append(entry)
        self._wake()

    def _miss(self, count: int, last_id: int) -> None:
        self._missed += count
        self._missed_to = last_id

    def _wake(self) -> None:
        if self._waiter is None:
            return
        loop, future = self._waiter
        self._waiter = None
        # A viewer whose loop is gone (a closed kernel thread) has nothing to be woken for.
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class ActivityStream:
    """The entries of one run, numbered in the order they were published."""

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        self._lock = threading.RLock()
        self._buffer: deque[ActivityEntry] = deque(maxlen=BUFFERED_ENTRIES)
        self._last_id = 0
        self._final: RunStatus | None = None
        # Weak: a viewer that is dropped without being closed is gone, with its queue.
        self._subscriptions: WeakSet[Subscription] = WeakSet()

    @property
    def last_id(self) -> int:
        """The id of the newest entry; 0 before the first."""
        with self._lock:
            return self._last_id

    @property
    def final_status(self) -> RunStatus | None:
        """How the run ended; None while it may go on."""
        with self._lock:
            return self._final

    def start(self, *, after: int = 0) -> None:
        """Open the stream (again) and number the next entry at least `after + 1`."""
        with self._lock:
            self._final = None
            self._last_id = max(self._last_id, after)

    def publish(self, entry: ActivityEntry) -> ActivityEntry:
        """Hand an entry to every subscriber and return it with its number.

        An entry that already has an id (it was read back from the log) keeps it; one whose id
        was passed already is not delivered again.
        """
        with self._lock:
            if entry.id == 0:
                entry = entry.model_copy(update={"id": self._last_id + 1})
            elif entry.id <= self._last_id:
                return entry
            self._last_id = entry.id
            self._buffer.append(entry)
            for subscription in self._subscriptions:
                subscription._offer(entry)
            return entry

    def recent(self) -> list[ActivityEntry]:
        """The buffered entries, oldest first (at most 100)."""
        with self._lock:
            return list(self._buffer)

    def subscribe(self, *, after: int | None = None) -> Subscription:
        """Begin to receive: first what is buffered, then what comes.

        Args:
            after: the last id already seen. Entries after it that are buffered no longer are
                told as a gap. None: the buffered entries, whatever came before them.
        """
        with self._lock:
            subscription = Subscription(self)
            replay = [e for e in self._buffer if after is None or e.id > after]
            if after is not None and after < self._last_id:
                first = replay[0].id if replay else self._last_id + 1
                if first - after > 1:
                    subscription._miss(first - after - 1, first - 1)
            subscription._queue.extend(replay)
            self._subscriptions.add(subscription)
            return subscription

    def end(self, status: RunStatus) -> None:
        """End the stream; iterations end once they have delivered what came before."""
        with self._lock:
            self._final = status
            for subscription in self._subscriptions:
                subscription._wake()


class ActivityStreamManager:
    """The streams of this process, one a run. A singleton: every call gives the same one."""

    _instance: ClassVar[ActivityStreamManager | None] = None
    _creation: ClassVar[threading.Lock] = threading.Lock()

    _streams: OrderedDict[UUID, ActivityStream]
    _lock: threading.Lock

    def __new__(cls) -> ActivityStreamManager:
        """Return the one instance."""
        with cls._creation:
            if cls._instance is None:
                instance = super().__new__(cls)
                instance._streams = OrderedDict()
                instance._lock = threading.Lock()
                cls._instance = instance
            return cls._instance

    def stream(self, run_id: UUID) -> ActivityStream:
        """The stream of a run, made at the first call."""
        with self._lock:
            stream = self._streams.get(run_id)
            if stream is None:
                stream = self._streams[run_id] = ActivityStream(run_id)
                self._forget_ended()
            return stream

    def publish(self, run_id: UUID, entry: ActivityEntry) -> ActivityEntry:
        """Publish an entry on a run's stream and return it with its number."""
        return self.stream(run_id).publish(entry)

    def end(self, run_id: UUID, status: RunStatus) -> None:
        """End a run's stream."""
        self.stream(run_id).end(status)

    def _forget_ended(self) -> None:
        """Keep memory flat over many runs: the oldest ended streams go (the log has them)."""
        ended = [rid for rid, s in self._streams.items() if s.final_status is not None]
        for run_id in ended[: max(0, len(ended) - ENDED_STREAMS_KEPT)]:
            del self._streams[run_id]


def get_activity_stream() -> ActivityStreamManager:
    """The one `ActivityStreamManager` of this process."""
    return ActivityStreamManager()
