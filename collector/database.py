"""The way to PostgreSQL: find or start it, check it, migrate it, hand out engines.

Real data and the sandbox's live in two databases of one server, told apart by name.
"""

from __future__ import annotations

import psycopg
import sqlalchemy
from psycopg import sql
from psycopg.pq import PGconn, Ping

from collector.connections import DRIVER, Database, parse_url
from collector.embedded import ensure_server
from collector.errors import DatabaseError
from collector.migrating import current_revision, migration_sql, upgrade
from collector.refusals import explain, may_not_create, pooled, too_old, wrongly_encoded
from collector.settings import Settings
from collector.words import Source

__all__ = [
    "Database",
    "current_revision",
    "explain",
    "migration_sql",
    "open_database",
    "parse_url",
    "upgrade",
]

EMBEDDED_NAME = "collector"
SANDBOX_SUFFIX = "_sandbox"
# PostgreSQL cuts longer names off without an error.
NAME_BYTES = 63
MAINTENANCE_NAMES = ("postgres", "template1")


def open_database(
    settings: Settings, *, source: Source | None = None, migrate: bool = True
) -> Database:
    """The database for `source`: reachable, fit for use and, with `migrate`, up to date.

    Args:
        settings: where it is; without a `DATABASE_URL` the embedded PostgreSQL is started.
        source: whose data; by default what the settings say.
        migrate: whether to apply missing migrations.

    Raises:
        DatabaseError: one line that says what is wrong and what to do, without secrets.
    """
    source = settings.source if source is None else source
    database = _database_for(settings, source=source)
    if database.is_embedded or source is Source.SANDBOX:
        _create_if_missing(database, own=_base_name(settings))
    _check(database)
    if migrate:
        upgrade(database)
    return database


def _database_for(settings: Settings, *, source: Source) -> Database:
    if settings.database_url is None:
        address = ensure_server(settings.collector_home)
        url = sqlalchemy.URL.create(
            DRIVER,
            username=address.user,
            database=EMBEDDED_NAME,
            query={"host": str(address.socket_dir), "port": str(address.port)},
        )
        database = Database(url=url, is_embedded=True)
    else:
        url = parse_url(settings.database_url.get_secret_value())
        database = Database(url=url, is_embedded=False)
    is_for_sandbox = database.name.endswith(SANDBOX_SUFFIX)
    if source is Source.SANDBOX:
        return database if is_for_sandbox else database.named(_sandbox_name(database.name))
    if is_for_sandbox:
        raise DatabaseError(
            f"DATABASE_URL names {database.name}, which by its name holds the sandbox's data: name "
            "another database for real runs."
        )
    return database


def _base_name(settings: Settings) -> str:
    if settings.database_url is None:
        return EMBEDDED_NAME
    return parse_url(settings.database_url.get_secret_value()).database or ""


def _sandbox_name(name: str) -> str:
    named = f"{name}{SANDBOX_SUFFIX}"
    if len(named.encode()) > NAME_BYTES:
        raise DatabaseError(
            f"The database's name is too long to add {SANDBOX_SUFFIX} for the sandbox: use one of "
            f"at most {NAME_BYTES - len(SANDBOX_SUFFIX)} bytes in DATABASE_URL."
        )
    return named


def _check(database: Database) -> None:
    """Whether the server is recent enough and keeps sessions."""
    try:
        with psycopg.connect(database.conninfo(), autocommit=True) as connection:
            refusal = too_old(database, version=connection.info.server_version)
            if refusal:
                raise refusal
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise wrongly_encoded(database, encoding=encoding)
            if not database.is_embedded and not _keeps_sessions(connection, database):
                raise pooled(database)
    except psycopg.Error as exc:
        raise explain(exc, database) from exc


def _keeps_sessions(connection: psycopg.Connection[object], database: Database) -> bool:
    """Whether a connection of ours always speaks to the same server process.

    A second connection sits in a transaction meanwhile: without it, a transaction-mode pooler
    would lend the first one the same idle server process every time.
    """
    seen = {_process(connection)}
    with psycopg.connect(database.conninfo()) as other:
        others = _process(other)  # opens a transaction
        seen.add(_process(connection))
        other.rollback()
    seen |= {_process(connection), _process(connection)}
    return len(seen) == 1 and others not in seen


def _process(connection: psycopg.Connection[object]) -> object:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row[0] if isinstance(row, tuple) else None


def _create_if_missing(database: Database, *, own: str) -> None:
    """Create the database unless it is there.

    Asked of another database, since a failed connection does not say in so many words, nor in
    every language, that its database is missing.
    """
    try:
        psycopg.connect(database.conninfo()).close()
        return
    except psycopg.OperationalError as exc:
        if PGconn.ping(database.conninfo().encode()) != Ping.OK:
            raise explain(exc, database) from exc
        refused = exc
    except psycopg.Error as exc:
        raise explain(exc, database) from exc
    with _neighbour(database, own=own, refused=refused) as connection:
        exists = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [database.name]
        ).fetchone()
        if exists:
            raise explain(refused, database) from refused
        try:
            # template0: an administrator's template1 may hold anything.
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
                    sql.Identifier(database.name)
                )
            )
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            pass  # another first user was faster
        except psycopg.errors.InsufficientPrivilege as exc:
            raise may_not_create(database, name=database.name) from exc
        except psycopg.Error as exc:
            raise explain(exc, database) from exc


def _neighbour(
    database: Database, *, own: str, refused: psycopg.OperationalError
) -> psycopg.Connection[tuple[object, ...]]:
    """A connection to another database of the same server."""
    names = dict.fromkeys((own, *MAINTENANCE_NAMES))
    names.pop(database.name, None)
    for name in names:
        try:
            return psycopg.connect(database.named(name).conninfo(), autocommit=True)
        except psycopg.OperationalError:
            continue
    # None lets us in, so it is not about the one database.
    raise explain(refused, database) from refused
