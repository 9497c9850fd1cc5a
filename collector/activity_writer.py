"""Keeps a run's entries in the database, in small batches, without holding up its workers.

Entries wait in a bounded queue. While the database lags or is away they gather there; beyond its
bound the oldest are lost, counted, and stored as one `gap` entry.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from collector.models import ActivityEntry
from collector.store import activity_log
from collector.transactions import Transactions, may_pass
from collector.words import Action

Keep = Callable[[Connection, UUID, Sequence[ActivityEntry]], None]

BATCH_ENTRIES = 200
BATCH_EVERY_S = 0.1
WAITING_ENTRIES = 5_000
RETRY_EVERY_S = 1.0


class ActivityWriter:
    """Writes the entries it is offered until it is closed.

    Args:
        transactions: reach the run's database.
        run_id: whose entries they are.
        keep: what writes a batch.
    """

    def __init__(
        self, transactions: Transactions, run_id: UUID, *, keep: Keep = activity_log.append
    ) -> None:
        self._transactions = transactions
        self._run_id = run_id
        self._keep = keep
        self._waiting: deque[ActivityEntry] = deque()
        self._missed = 0
        self._missed_to = 0
        self._closing = False
        self._wake = asyncio.Event()

    def offer(self, entry: ActivityEntry) -> None:
        """Take an entry, which has its number. Never waits. On the loop of `write`."""
        if len(self._waiting) >= WAITING_ENTRIES:
            self._missed += 1
            self._missed_to = self._waiting.popleft().id
        self._waiting.append(entry)
        self._wake.set()

    def close(self) -> None:
        """Let `write` end once everything is written, or the database is away."""
        self._closing = True
        self._wake.set()

    async def write(self) -> None:
        """Write until closed."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not self._closing:
                # What comes in the meantime goes along.
                await asyncio.sleep(BATCH_EVERY_S)
            while self._waiting:
                if not await self._write_batch():
                    if self._closing:
                        return
                    await asyncio.sleep(RETRY_EVERY_S)
            if self._closing:
                return

    async def _write_batch(self) -> bool:
        batch = [self._waiting.popleft() for _ in range(min(BATCH_ENTRIES, len(self._waiting)))]
        missed, missed_to = self._missed, self._missed_to
        gap = ActivityEntry(
            id=missed_to, timestamp=batch[0].timestamp, action=Action.GAP, items_count=missed
        )
        try:
            entries = [gap, *batch] if missed else batch
            await self._transactions.run_once(
                lambda c: self._keep(c, self._run_id, entries), single=True
            )
        except (DBAPIError, OSError) as exc:
            if not may_pass(exc):
                # Refused for what it holds, and it would be again: the loss is told as a gap.
                self._missed += len(batch)
                self._missed_to = batch[-1].id
                return True
            # The database is away. The entries wait; that it is away is told by whoever
            # settles items, and a loss by the gap entry.
            self._waiting.extendleft(reversed(batch))
            return False
        self._missed -= missed
        return True
