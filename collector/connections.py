"""A PostgreSQL database as an address: parsed, shown without secrets, and made into engines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import sqlalchemy
from psycopg import Connection
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from collector.errors import DatabaseError

DRIVER = "postgresql+psycopg"
SECRET_OPTIONS = frozenset({"password", "sslpassword", "oauth_client_secret"})
# A vanished host is noticed after 30 + 3 * 10 seconds, not after hours.
CONNECT_OPTIONS = {
    "application_name": "collector",
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
IDLE_IN_TRANSACTION = "60s"


@dataclass(frozen=True)
class Database:
    """One database. Prints without its password; `url` and `conninfo()` do not.

    Attributes:
        url: SQLAlchemy's address, `postgresql+psycopg://…`.
        is_embedded: whether it is on the PostgreSQL that comes along.
    """

    url: sqlalchemy.URL
    is_embedded: bool

    def engine(self) -> Engine:
        """The synchronous engine: one a database object, with a small pool, for short work.

        Its connections are ended by PostgreSQL when they sit in an open transaction for a
        minute: an analyst's forgotten one would slow every run.
        """
        return self._engine

    @cached_property
    def _engine(self) -> Engine:
        engine = create_engine(
            self.url, pool_size=2, max_overflow=8, pool_pre_ping=True, connect_args=self.options
        )

        # Not a startup option: session-mode poolers refuse those that they do not know.
        @event.listens_for(engine, "connect")
        def limit_idle(connection: Connection[Any], _: object) -> None:
            connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION}'")
            connection.commit()

        return engine

    def engine_for(self, connections: int) -> Engine:
        """A new synchronous engine for so many threads, which retry what a lost connection cost.

        Without looking whether a connection lives before each use: that is a round trip.
        """
        return create_engine(
            self.url, pool_size=connections, max_overflow=0, connect_args=self.options
        )

    def async_engine(self, *, pool_size: int = 8) -> AsyncEngine:
        """A new asynchronous engine, bound to the loop that first uses it; dispose of it there."""
        return create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=2,
            pool_pre_ping=True,
            connect_args=self.options,
        )

    def dispose(self) -> None:
        """Close the connections that `engine()` keeps."""
        if "_engine" in self.__dict__:
            self._engine.dispose()

    def conninfo(self) -> str:
        """The address for libpq (psycopg, ADBC, psql). It holds the password: never show it."""
        options = {**self.options, **_libpq_arguments(self.url)}
        if self.is_embedded:
            # Poolers refuse this at the start of a connection; there is none before our own.
            options["options"] = f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION}"
        return "postgresql:///?" + "&".join(
            f"{name}={quote(str(value), safe='')}" for name, value in options.items()
        )

    def display_url(self) -> str:
        """The address for people, with *** for every secret."""
        url = self.url
        login = ""
        if url.username:
            login = quote(url.username, safe="") + (":***" if url.password else "") + "@"
        host = f"[{url.host}]" if url.host and ":" in url.host else url.host or ""
        port = f":{url.port}" if url.port else ""
        options = "&".join(
            f"{name}={'***' if name in SECRET_OPTIONS else quote(value, safe='/')}"
            for name, values in url.normalized_query.items()
            for value in values
        )
        path = quote(url.database or "", safe="")
        return f"postgresql://{login}{host}{port}/{path}" + (f"?{options}" if options else "")

    def named(self, name: str) -> Database:
        """Another database of the same server and account."""
        return Database(url=self.url.set(database=name), is_embedded=self.is_embedded)

    def secrets(self) -> tuple[str, ...]:
        """Every text in the address that must not be shown."""
        found = [self.url.password or ""]
        for name, values in self.url.normalized_query.items():
            if name in SECRET_OPTIONS:
                found.extend(values)
        return tuple(secret for secret in found if secret)

    @property
    def name(self) -> str:
        """The database's name on its server."""
        return self.url.database or ""

    @property
    def options(self) -> dict[str, str]:
        """Libpq's options of every connection, but for those that the address sets itself."""
        return {k: v for k, v in CONNECT_OPTIONS.items() if k not in self.url.query}

    def __repr__(self) -> str:
        return f"Database({self.display_url()!r}, is_embedded={self.is_embedded})"

    def __getstate__(self) -> dict[str, Any]:
        # Connections stay with the process that opened them.
        return {"url": self.url, "is_embedded": self.is_embedded}


def parse_url(text: str) -> sqlalchemy.URL:
    """An address as hosted services give it, made ready for psycopg; its options are kept.

    Raises:
        DatabaseError: it is no address of a PostgreSQL database. The text is not repeated.
    """
    hint = "write it as postgresql://user:password@host:5432/database"
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        # The original may quote the password: it is not chained.
        raise DatabaseError(
            f"DATABASE_URL cannot be read: {hint}, with %-codes for special characters in the "
            "password."
        ) from None
    if url.drivername not in {"postgres", "postgresql", DRIVER}:
        raise DatabaseError(f"DATABASE_URL must name a PostgreSQL database: {hint}.")
    if not url.database:
        raise DatabaseError(f"DATABASE_URL names no database: {hint}.")
    return url.set(drivername=DRIVER)


def _libpq_arguments(url: sqlalchemy.URL) -> dict[str, Any]:
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    _, arguments = dialect.create_connect_args(url)  # type: ignore[no-untyped-call]
    return dict(arguments)
