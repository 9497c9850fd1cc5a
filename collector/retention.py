"""Old activity goes: once a day at most, beside a workbench that opens, and of ended runs only."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.exc import DBAPIError

from collector.background import BackgroundLoop
from collector.database import Database, explain
from collector.store import activity_log


def prune_old_activity(database: Database, *, days: int, background: BackgroundLoop) -> None:
    """Drop activity of ended runs that is older than `days`, unless that was done today.

    Returns at once. Where it fails the log says so, and another day does it.
    """

    async def prune() -> None:
        try:
            await asyncio.to_thread(_prune, database, days)
        except DBAPIError as exc:
            told = explain(exc, database)
            logging.getLogger(__name__).warning("Old activity was not dropped: %s", told)

    asyncio.run_coroutine_threadsafe(prune(), background.loop)


def _prune(database: Database, days: int) -> None:
    with database.engine().begin() as conn:
        is_our_turn = activity_log.take_turn_to_prune(conn)
    if is_our_turn:
        # A transaction of its own: other workbenches do not wait for it to open.
        with database.engine().begin() as conn:
            activity_log.prune(conn, days=days)
