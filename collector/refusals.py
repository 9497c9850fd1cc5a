"""Why PostgreSQL did not let us, in one line that says what to do.

libpq gives no code for a failed connection, only text; so the text is looked at. What is not
recognised is passed on as the server said it, without the secrets of the address.
"""

from __future__ import annotations

import re

import psycopg
from sqlalchemy.exc import DBAPIError

from collector.connections import Database
from collector.errors import DatabaseError

OLDEST_VERSION = 15
# By its documentation, where Supabase's pooler hands out a connection a transaction.
TRANSACTION_MODE_PORT = 6543

_CONNECTING: tuple[tuple[str, str], ...] = (
    (
        r"password authentication failed|no password supplied|SASL|SCRAM|role .* does not exist"
        r"|Tenant or user not found",
        "{server} refused the user or the password: correct them in DATABASE_URL "
        "(special characters of a password as %-codes).",
    ),
    (
        r"database .* does not exist",
        "{server} has no database {name}: create it with `CREATE DATABASE {quoted}`, or correct "
        "DATABASE_URL.",
    ),
    (
        r"certificate|does not support SSL|SSL error|sslmode|sslrootcert",
        "{server} and DATABASE_URL do not agree on encryption ({reason}): correct its sslmode or "
        "sslrootcert.",
    ),
    (
        r"no pg_hba\.conf entry|SSL connection is required|connection is insecure",
        "{server} does not accept this connection ({reason}): add ?sslmode=require to "
        "DATABASE_URL, or have your address allowed in pg_hba.conf.",
    ),
    (
        r"too many clients|remaining connection slots|too many connections|MaxClients"
        r"|max clients reached",
        "{server} has no free connection ({reason}): close other clients, or raise its limit.",
    ),
    (
        r"starting up|shutting down|recovery mode|not yet accepting",
        "{server} is starting or stopping: try again in a moment.",
    ),
    (
        r"permission denied for database",
        "The user may not connect to {name} on {server}: run "
        "`GRANT CONNECT ON DATABASE {quoted} TO {user}` as its owner.",
    ),
    (
        r"could not translate host|Name or service not known|failed to resolve|nodename nor"
        r"|No address associated|Temporary failure in name",
        "{server} cannot be found: check the host in DATABASE_URL and your network.",
    ),
    (
        r"Connection refused|No such file or directory",
        "Nothing answers at {server}: check that PostgreSQL runs there, and the host and port in "
        "DATABASE_URL.",
    ),
    (
        r"timeout|timed out|unreachable|No route to host",
        "{server} does not answer in time: check the host in DATABASE_URL, your network and its "
        "firewall.",
    ),
    (
        r"server closed the connection|Connection reset|terminating connection|lost synchron"
        r"|received invalid response|expected authentication",
        "{server} broke the connection off: check that it is a PostgreSQL, then try again.",
    ),
    (
        r"invalid connection option|invalid URI query parameter|invalid .* value|invalid integer",
        "DATABASE_URL has an option that PostgreSQL does not know ({reason}): remove it.",
    ),
)


def explain(exc: psycopg.Error | DBAPIError, database: Database) -> DatabaseError:
    """The error to raise, `from exc`, for one that psycopg or SQLAlchemy raised."""
    original = exc.orig if isinstance(exc, DBAPIError) else exc
    if isinstance(original, psycopg.errors.InsufficientPrivilege):
        return DatabaseError(
            f"The user of {server_name(database)} may not do that ({_reason(original, database)}): "
            f"run `GRANT CREATE ON SCHEMA public TO {_user(database)}` in {database.name} as its "
            "owner."
        )
    if isinstance(original, psycopg.errors.ReadOnlySqlTransaction):
        return DatabaseError(
            f"{server_name(database)} only reads (a replica?): set DATABASE_URL to the one that "
            "writes."
        )
    reason = _reason(original, database)
    if getattr(original, "sqlstate", None) is None:
        for pattern, message in _CONNECTING:
            if re.search(pattern, reason, re.IGNORECASE):
                return DatabaseError(_fill(message, database, reason))
    return DatabaseError(
        f"PostgreSQL at {server_name(database)} reported: {reason}. Correct that, or try again."
    )


def too_old(database: Database, *, version: int) -> DatabaseError | None:
    """The error for a server older than we support; `version` as libpq counts, 150004."""
    if version >= OLDEST_VERSION * 10_000:
        return None
    return DatabaseError(
        f"{server_name(database)} runs PostgreSQL {version // 10_000}, and at least "
        f"{OLDEST_VERSION} is needed: upgrade it, or unset DATABASE_URL to use the one that comes "
        "along."
    )


def pooled(database: Database) -> DatabaseError:
    """The error for a pooler that gives every transaction another server connection."""
    advice = (
        "use the session-mode or direct port, 5432, instead of 6543"
        if database.url.port == TRANSACTION_MODE_PORT
        else "use the direct address, or the pooler's session mode"
    )
    return DatabaseError(
        f"{server_name(database)} is a pooler in transaction mode, which cannot hold the session "
        f"lock that owns a run: {advice}, in DATABASE_URL."
    )


def wrongly_encoded(database: Database, *, encoding: str | None) -> DatabaseError:
    """The error for a database that cannot hold every title and name."""
    return DatabaseError(
        f"{database.name} on {server_name(database)} is encoded in {encoding}: make a new one with "
        "`CREATE DATABASE collector_utf8 TEMPLATE template0 ENCODING 'UTF8'` and name it in "
        "DATABASE_URL."
    )


def may_not_create(database: Database, *, name: str) -> DatabaseError:
    """The error for a sandbox database that is missing and that we may not create."""
    return DatabaseError(
        f"The sandbox needs a database of its own on {server_name(database)}, and the user may not "
        f'create it: run `CREATE DATABASE "{name}" OWNER {_user(database)}` there as an '
        "administrator, or set OXYLABS_USERNAME and OXYLABS_PASSWORD."
    )


def server_name(database: Database) -> str:
    """The server as people know it: host and port, or the one that comes along."""
    if database.is_embedded:
        return "the embedded PostgreSQL"
    url = database.url
    hosts = url.normalized_query.get("host", ())
    host = url.host or ", ".join(hosts) or "localhost"
    return f"{host}:{url.port}" if url.port else host


def _fill(message: str, database: Database, reason: str) -> str:
    text = message.format(
        server=server_name(database),
        name=database.name,
        quoted=f'"{database.name}"',
        user=_user(database),
        reason=reason,
    )
    return text[:1].upper() + text[1:] if database.is_embedded else text


def _user(database: Database) -> str:
    return f'"{database.url.username}"' if database.url.username else "your role"


def _reason(exc: BaseException | None, database: Database) -> str:
    """The telling line of an error, without secrets and without the address before it."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    # Of several tries, one address after the other, what a server said tells most.
    marks = (r"FATAL|ERROR", "failed|refused|error")
    told = [line for mark in marks for line in reversed(lines) if re.search(mark, line)]
    line = (told or lines or ["no reason given"])[0]
    line = re.sub(r"^.*?(FATAL|ERROR): +|^connection (is bad|failed): ", "", line).rstrip(".")
    for secret in database.secrets():
        line = line.replace(secret, "***")
    return line
