"""Runs that wait for each other: who is at work, and whose turn is next."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, text

from collector.store.ownership import owner_is_alive

# "turn" in ASCII; held by a session for as long as its run takes.
TURN_LOCK = 0x7475726E

_AT_WORK = text(
    f"""
    SELECT r.id, r.name FROM collection_runs r
    WHERE r.status = 'running' AND {owner_is_alive("r.owner_id")}
    ORDER BY r.created_at LIMIT 1
    """  # noqa: S608 - constants of this package
)


def take_turn(conn: Connection) -> bool:
    """Take the turn of those who wait, unless somebody has it. It ends with the session."""
    return bool(
        conn.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": TURN_LOCK}).scalar_one()
    )


def at_work(conn: Connection) -> Row[Any] | None:
    """A run (`id`, `name`) that a living process is working on; None where there is none.

    A paused run is not at work: whoever waits would wait for a person.
    """
    return conn.execute(_AT_WORK).first()
