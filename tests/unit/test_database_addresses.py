"""Addresses of databases: read as services give them, shown without secrets, whole for libpq."""

from __future__ import annotations

import pickle

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from collector.connections import Database, parse_url
from collector.errors import DatabaseError
from collector.refusals import explain, pooled, too_old

SECRET = "p@ss/w:rd %"
QUOTED = "p%40ss%2Fw%3Ard%20%25"


def database(url: str, *, is_embedded: bool = False) -> Database:
    return Database(url=parse_url(url), is_embedded=is_embedded)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_becomes_psycopgs_and_keeps_its_options(scheme: str) -> None:
    url = parse_url(f" {scheme}://me:{QUOTED}@db.example.com:6432/team?sslmode=require&x=1\n")
    assert url.drivername == "postgresql+psycopg"
    assert (url.username, url.password, url.host, url.port) == (
        "me",
        SECRET,
        "db.example.com",
        6432,
    )
    assert url.database == "team"
    assert dict(url.query) == {"sslmode": "require", "x": "1"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "team",
        f"mysql://me:{QUOTED}@h/team",
        f"postgresql+psycopg2://me:{QUOTED}@h/team",
        f"postgresql://me:{QUOTED}@h:port/team",
        f"postgresql://me:{QUOTED}@h",
        f"postgresql://me:{QUOTED}@h/",
        f"host=h password={SECRET}",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(DatabaseError) as told:
        parse_url(text)
    message = str(told.value)
    assert "postgresql://user:password@host:5432/database" in message
    assert QUOTED not in message
    assert SECRET not in message
    assert told.value.__cause__ is None
    assert "\n" not in message


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgres://me:{QUOTED}@h:1/team", "postgresql://me:***@h:1/team"),
        ("postgres://me@h/team?sslmode=require", "postgresql://me@h/team?sslmode=require"),
        ("postgres://h/team", "postgresql://h/team"),
        ("postgres://me@[::1]:5/team", "postgresql://me@[::1]:5/team"),
        (
            f"postgres://h/team?user=me&password={QUOTED}&sslpassword={QUOTED}",
            "postgresql://h/team?user=me&password=***&sslpassword=***",
        ),
        ("postgres://me@/team?host=/a+b&port=5", "postgresql://me@/team?host=/a%20b&port=5"),
        ("postgres://me@/t%20m", "postgresql://me@/t%20m"),
    ],
)
def test_an_address_is_shown_as_psql_takes_it_but_for_secrets(url: str, shown: str) -> None:
    known = database(url)
    assert known.display_url() == shown
    assert shown in repr(known)
    assert SECRET not in repr(known)
    assert QUOTED not in repr(known)


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        (
            f"postgres://me:{QUOTED}@h:1/team?sslmode=require",
            {"user": "me", "password": SECRET, "host": "h", "port": "1", "dbname": "team"},
        ),
        ("postgres://me@/team?host=/a+b&port=5", {"host": "/a b", "port": "5", "user": "me"}),
        ("postgres://me@/team?host=a:1&host=b:2", {"host": "a,b", "port": "1,2"}),
        ("postgres://h/team?connect_timeout=3", {"connect_timeout": "3"}),
        ("postgres://h/team?application_name=mine", {"application_name": "mine"}),
        ("postgres://h/team", {"application_name": "collector", "keepalives_idle": "30"}),
    ],
)
def test_libpq_is_told_everything(url: str, arguments: dict[str, str]) -> None:
    told = conninfo_to_dict(database(url).conninfo())
    assert arguments.items() <= told.items()


def test_a_database_crosses_to_another_process() -> None:
    known = database(f"postgres://me:{QUOTED}@h/team")
    known.engine()
    again = pickle.loads(pickle.dumps(known))  # noqa: S301 - our own bytes
    assert again == known
    assert again.conninfo() == known.conninfo()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'connection failed: FATAL:  password authentication failed for user "me"',
            "refused the user",
        ),
        ("connection failed: fe_sendauth: no password supplied", "refused the user"),
        ("FATAL:  Tenant or user not found", "refused the user"),
        ('FATAL:  database "team" does not exist', 'CREATE DATABASE "team"'),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", no encryption', "sslmode=require"),
        ("server does not support SSL, but SSL was required", "correct its sslmode"),
        (
            'host "a": connection failed: FATAL:  password authentication failed for user "me"\n'
            'host "b": connection failed: Connection refused',
            "refused the user",
        ),
        ("FATAL:  sorry, too many clients already", "no free connection"),
        ("FATAL:  the database system is starting up", "try again in a moment"),
        ("could not translate host name: Name or service not known", "cannot be found"),
        ("connection refused: Connection refused", "Nothing answers at h:1"),
        ("connection timeout expired", "does not answer in time"),
        ("SSL connection has been closed; server closed the connection unexpectedly", "h:1"),
        ("something nobody has seen before", "something nobody has seen before"),
    ],
)
def test_what_libpq_says_is_told_with_a_remedy(text: str, said: str) -> None:
    known = database(f"postgres://me:{QUOTED}@h:1/team")
    message = str(explain(psycopg.OperationalError(f"{text} ({SECRET})\nmore\n"), known))
    assert said in message
    assert SECRET not in message
    assert "\n" not in message


def test_an_old_server_is_one_before_15() -> None:
    known = database("postgres://h/team")
    assert too_old(known, version=150_000) is None
    assert too_old(known, version=180_006) is None
    assert "PostgreSQL 14" in str(too_old(known, version=140_019))


def test_the_port_of_a_hosted_transaction_pooler_is_recognised() -> None:
    assert "5432, instead of 6543" in str(pooled(database("postgres://h:6543/team")))
    assert "session mode" in str(pooled(database("postgres://h:6432/team")))
