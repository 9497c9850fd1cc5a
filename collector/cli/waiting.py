"""Waiting for one's turn: `collector run --wait` begins when no other run is at work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from collector.cli.terms import say
from collector.panel.sentences import printable
from collector.store import turns

if TYPE_CHECKING:
    from collector.database import Database

LOOK_EVERY_S: Final = 1.0


@contextmanager
def turn(database: Database) -> Iterator[None]:
    """Wait until no run is at work and nobody else's turn lasts; the turn is ours inside.

    Runs started without `--wait` take no turn, but are waited for.

    Raises:
        DatabaseError: PostgreSQL went away.
    """
    from sqlalchemy.exc import DBAPIError

    from collector.database import explain

    # A session of its own: the turn ends with it, also when this process is killed.
    engine = database.engine()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        try:
            told = ""
            while True:
                other = turns.at_work(conn)
                if other is None and turns.take_turn(conn):
                    break
                waits_for = "another run" if other is None else printable(f"run {other.name}")
                if waits_for != told:
                    say(f"Waiting until {waits_for} has ended.")
                told = waits_for
                time.sleep(LOOK_EVERY_S)
        except DBAPIError as exc:
            raise explain(exc, database) from exc
        try:
            yield
        finally:
            # Closed and not given back to the pool, where the lock would live on.
            conn.invalidate()
