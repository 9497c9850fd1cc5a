"""Migrations: applied under a lock when a database is opened, or printed as SQL to be pasted."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from collector.connections import Database
from collector.errors import DatabaseError
from collector.refusals import explain, server_name

# Any constant will do, as long as nobody changes it: processes of all versions must agree.
LOCK_KEY = 4_711_044
LOCK_PATIENCE = "180s"

# Alembic keeps the migration in hand in module variables: one thread at a time.
_alembic = threading.Lock()


def upgrade(database: Database) -> list[str]:
    """Bring a database to the newest revision; the names of those applied, oldest first.

    All of it is one transaction, and one process at a time does it: whoever comes second finds
    nothing left to do.

    Raises:
        DatabaseError: the database is newer than this code, or does not let us.
    """
    with _explained(database), _connected(database) as connection:
        if _is_newest(connection, database):
            return []
    # The lock among threads comes first: whoever waits for the other one holds it already.
    with _explained(database), _alembic, _connected(database) as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_PATIENCE}'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        before = _revision(connection)
        if _is_newest(connection, database):
            return []
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return _between(before)


def current_revision(database: Database) -> str | None:
    """The revision that a database stands at; None where none was ever applied.

    Raises:
        DatabaseError: the database cannot be read.
    """
    with _explained(database), _connected(database) as connection:
        return _revision(connection)


def newest_revision() -> str:
    """The revision that this code needs."""
    return _scripts().get_current_head() or ""


def migration_sql() -> str:
    """Every migration from an empty database on, as SQL for psql or a hosted SQL editor."""
    config = alembic_config()
    config.output_buffer = io.StringIO()
    with _alembic:
        command.upgrade(config, "head", sql=True)
    return config.output_buffer.getvalue()


def migrations_directory() -> Path:
    """Where the migrations are: in the package as installed, beside it in a checkout.

    Raises:
        DatabaseError: neither is there; the installation is broken.
    """
    package = Path(__file__).resolve().parent
    for place in (package / "_migrations", package.parent / "migrations"):
        if (place / "env.py").is_file():
            return place
    raise DatabaseError("The migrations are missing from this installation: install it again.")


def alembic_config() -> Config:
    """What Alembic needs to know, built here: an installed package has no `alembic.ini`.

    A connection in `attributes["connection"]` is the one it works on.
    """
    config = Config()
    # Alembic reads % as the start of a reference.
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    return config


def _is_newest(connection: Connection, database: Database) -> bool:
    revision = _revision(connection)
    if revision is None:
        return False
    try:
        _scripts().get_revision(revision)
    except CommandError as exc:
        raise DatabaseError(
            f"{database.name} on {server_name(database)} is at revision {revision}, which this "
            f"version of the collector does not know (its newest is {newest_revision()}): upgrade "
            "the collector, or use another database."
        ) from exc
    return revision == newest_revision()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _between(before: str | None) -> list[str]:
    applied = _scripts().walk_revisions(base=before or "base", head="head")
    return [script.revision for script in applied if script.revision != before][::-1]


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


@contextmanager
def _connected(database: Database) -> Iterator[Connection]:
    """A transaction on a connection of its own, which does not linger in a pool."""
    engine = create_engine(database.url, poolclass=NullPool, connect_args=database.options)
    with engine.begin() as connection:
        yield connection


@contextmanager
def _explained(database: Database) -> Iterator[None]:
    try:
        yield
    except DBAPIError as exc:
        if isinstance(exc.orig, psycopg.errors.LockNotAvailable):
            raise DatabaseError(
                f"Another process has been migrating {database.name} for more than "
                f"{LOCK_PATIENCE}: wait for it, or end it, and try again."
            ) from exc
        raise explain(exc, database) from exc
