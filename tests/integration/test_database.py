"""Opening a database: which one, what it is checked for, what is said where it will not do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import text
from wire import answering, listening, pooling

from collector.database import Database, current_revision, open_database
from collector.embedded import ensure_server, stop_server
from collector.errors import DatabaseError
from collector.migrating import newest_revision
from collector.settings import Settings
from collector.words import Source

NEWEST = newest_revision()
PASSWORD = "s3cret-Pa55:/@word"
QUOTED = "s3cret-Pa55%3A%2F%40word"


def settings_for(url: str, *, home: Path = Path("/dev/null")) -> Settings:
    return Settings(
        database_url=SecretStr(url),
        collector_home=home,
        oxylabs_username=None,
        oxylabs_password=None,
    )


def refusal(url: str, *, source: Source = Source.OXYLABS) -> str:
    """What is said of a DATABASE_URL, once it is sure that it is one line without secrets."""
    with pytest.raises(DatabaseError) as told:
        open_database(settings_for(url), source=source)
    said: BaseException | None = told.value
    message = str(told.value)
    assert "\n" not in message
    while said is not None:
        assert PASSWORD not in str(said)
        assert QUOTED not in str(said)
        said = said.__cause__
    return message


@pytest.fixture(scope="module")
def guarded(short_directory: Path) -> Iterator[str]:
    """A server that asks everybody but its owner for a password; its sockets, for a URL."""
    home = short_directory / "guarded"
    rules = short_directory / "pg_hba.conf"
    rules.write_text("local all collector trust\nlocal all all scram-sha-256\n")
    rules.chmod(0o644)
    address = ensure_server(home, settings={"fsync": "off", "hba_file": str(rules)})
    with psycopg.connect(
        host=str(address.socket_dir), user=address.user, dbname="postgres", autocommit=True
    ) as connection:
        for statement in (
            "CREATE ROLE reader LOGIN PASSWORD {}",
            "CREATE DATABASE team TEMPLATE template0",
            "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' "
            "LOCALE_PROVIDER libc",
            "CREATE DATABASE closed TEMPLATE template0",
            "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
        ):
            connection.execute(sql.SQL(statement).format(sql.Literal(PASSWORD)))
    yield f"host={address.socket_dir}"
    stop_server(home)


@pytest.fixture
def unlisted(server: Database) -> Iterator[str]:
    """A name for a database that is dropped afterwards, with its sandbox."""
    name = f"made_{uuid4().hex[:12]}"
    yield name
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        for made in (name, f"{name}_sandbox"):
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(made))
            )


def url_of(database: Database, *, name: str | None = None) -> str:
    url = database.url.set(database=name or database.name)
    return url.render_as_string(hide_password=False)


def test_an_opened_database_is_migrated(empty_database: Database) -> None:
    database = open_database(settings_for(url_of(empty_database)))
    assert database.name == empty_database.name
    assert not database.is_embedded
    assert current_revision(database) == NEWEST


def test_opening_without_migrating_leaves_it_as_it_is(empty_database: Database) -> None:
    database = open_database(settings_for(url_of(empty_database)), migrate=False)
    assert current_revision(database) is None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_the_scheme_opens(database: Database, scheme: str) -> None:
    url = url_of(database).replace("postgresql+psycopg", scheme)
    assert open_database(settings_for(url)).url.drivername == "postgresql+psycopg"


def test_the_sandbox_gets_a_database_of_its_own(server: Database, unlisted: str) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unlisted)))
    settings = settings_for(url_of(server, name=unlisted))
    real = open_database(settings, source=Source.OXYLABS)
    sandbox = open_database(settings, source=Source.SANDBOX)
    assert (real.name, sandbox.name) == (unlisted, f"{unlisted}_sandbox")
    with sandbox.engine().begin() as connection:
        connection.execute(text("INSERT INTO products VALUES ('B1', 'x', NULL, now(), now())"))
    with real.engine().connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM products")).scalar() == 0
    real.dispose()
    sandbox.dispose()


def test_a_missing_database_of_ones_own_is_not_created(server: Database, unlisted: str) -> None:
    told = refusal(url_of(server, name=unlisted))
    assert f'CREATE DATABASE "{unlisted}"' in told


def test_a_sandbox_can_be_made_where_the_real_database_is_missing(
    server: Database, unlisted: str
) -> None:
    opened = open_database(settings_for(url_of(server, name=unlisted)), source=Source.SANDBOX)
    assert current_revision(opened) == NEWEST


def test_real_runs_never_use_a_sandboxs_database(database: Database) -> None:
    assert "name another database for real runs" in refusal(url_of(database))


def test_a_name_too_long_for_a_sandbox_is_refused(server: Database) -> None:
    url = url_of(server, name="n" * 56)
    assert "too long" in refusal(url, source=Source.SANDBOX)


def test_both_engines_and_libpq_reach_the_same_database(database: Database) -> None:
    with database.engine().connect() as connection:
        assert connection.execute(text("SELECT current_database()")).scalar() == database.name
    with psycopg.connect(database.conninfo()) as raw:
        assert raw.execute("SELECT current_database()").fetchone() == (database.name,)
    again = database.engine()
    assert database.engine() is again


async def test_the_asynchronous_engine_reaches_it_too(database: Database) -> None:
    engine = database.async_engine(pool_size=2)
    async with engine.connect() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT current_database(), current_setting('application_name'), "
                    "current_setting('idle_in_transaction_session_timeout')"
                )
            )
        ).one()
    assert tuple(row) == (database.name, "collector", "0")
    await engine.dispose()


def test_a_forgotten_transaction_of_a_notebook_is_ended(database: Database) -> None:
    with database.engine().connect() as connection:
        row = connection.execute(
            text(
                "SELECT current_setting('application_name'), "
                "current_setting('idle_in_transaction_session_timeout')"
            )
        ).one()
    assert tuple(row) == ("collector", "1min")
    embedded = Database(url=database.url, is_embedded=True)
    with psycopg.connect(embedded.conninfo()) as connection:
        shown = connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()
    assert shown == ("1min",)


def test_a_vanished_host_is_noticed(database: Database) -> None:
    with psycopg.connect(database.conninfo()) as connection:
        told = connection.info.get_parameters()
    assert told["keepalives_idle"] == "30"
    assert told["keepalives_count"] == "3"


@pytest.mark.parametrize(
    ("login", "name", "said"),
    [
        ("reader:wrong-s3cret", "team", "refused the user or the password"),
        ("reader", "team", "refused the user or the password"),
        (f"nobody-here:{QUOTED}", "team", "refused the user or the password"),
        (f"reader:{QUOTED}", "missing", 'create it with `CREATE DATABASE "missing"`'),
        (f"reader:{QUOTED}", "closed", 'GRANT CONNECT ON DATABASE "closed" TO "reader"'),
        (f"reader:{QUOTED}", "team", 'GRANT CREATE ON SCHEMA public TO "reader"'),
        ("collector", "latin", "is encoded in LATIN1"),
    ],
)
def test_what_a_server_refuses_is_said_with_its_remedy(
    guarded: str, login: str, name: str, said: str
) -> None:
    assert said in refusal(f"postgresql://{login}@/{name}?{guarded}")


def test_a_sandbox_that_may_not_be_made_comes_with_the_sql_to_make_it(guarded: str) -> None:
    told = refusal(f"postgres://reader:{QUOTED}@/team?{guarded}", source=Source.SANDBOX)
    assert 'run `CREATE DATABASE "team_sandbox" OWNER "reader"`' in told


def test_wrong_credentials_are_said_for_the_sandbox_too(guarded: str) -> None:
    told = refusal(f"postgres://reader:wrong-s3cret@/team?{guarded}", source=Source.SANDBOX)
    assert "refused the user or the password" in told


@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("no-such-host.invalid:5432", "no-such-host.invalid:5432 cannot be found"),
        ("127.0.0.1:1", "Nothing answers at 127.0.0.1:1"),
        ("[::1]:1", "Nothing answers at ::1:1"),
    ],
)
def test_an_unreachable_server_is_said(address: str, said: str, source: Source) -> None:
    url = f"postgresql://me:{QUOTED}@{address}/team"
    assert said in refusal(url, source=source)


def test_a_missing_socket_directory_is_said(tmp_path: Path) -> None:
    assert "Nothing answers at" in refusal(f"postgresql://me@/team?host={tmp_path}")


def test_a_server_that_stays_silent_is_given_up() -> None:
    def stay_silent(client: socket.socket) -> None:
        while client.recv(1024):
            pass

    with listening(stay_silent) as port:
        url = f"postgresql://me:{QUOTED}@127.0.0.1:{port}/team?connect_timeout=2"
        assert "does not answer in time" in refusal(url)


def test_something_else_than_postgresql_is_said() -> None:
    def answer(client: socket.socket) -> None:
        client.recv(1024)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listening(answer) as port:
        told = refusal(f"postgresql://me:{QUOTED}@127.0.0.1:{port}/team")
    assert "check that it is a PostgreSQL" in told


def test_a_server_older_than_15_is_refused() -> None:
    with answering(version="14.19") as port:
        told = refusal(f"postgresql://me:{QUOTED}@127.0.0.1:{port}/team")
    assert "runs PostgreSQL 14, and at least 15 is needed" in told


@pytest.fixture
def socket_path(database: Database) -> Path:
    """The socket of the test server, for a pooler to stand before it."""
    directory, port = database.url.query.get("host"), database.url.query.get("port", "5432")
    if not isinstance(directory, str) or not directory.startswith("/"):
        pytest.skip("the test server given is not one on this machine that trusts its users")
    return Path(directory, f".s.PGSQL.{port}")


def test_a_pooler_in_transaction_mode_is_refused(database: Database, socket_path: Path) -> None:
    """It lends the same server connection again and again to whoever is alone with it."""
    with pooling(socket_path, by_transaction=True) as port:
        login = f"{database.url.username}:{QUOTED}"
        url = f"postgresql://{login}@127.0.0.1:{port}/{database.name}"
        with psycopg.connect(url, autocommit=True) as connection:
            pids = {connection.execute("SELECT pg_backend_pid()").fetchone() for _ in range(5)}
        told = refusal(url, source=Source.SANDBOX)
    assert len(pids) == 1
    assert "is a pooler in transaction mode" in told
    assert "session mode" in told


def test_a_pooler_in_session_mode_will_do(database: Database, socket_path: Path) -> None:
    with pooling(socket_path, by_transaction=False) as port:
        url = f"postgresql://{database.url.username}@127.0.0.1:{port}/{database.name}"
        opened = open_database(settings_for(url))
        assert current_revision(opened) == NEWEST


def test_an_option_that_libpq_does_not_know_is_said(database: Database) -> None:
    url = f"{url_of(database)}&pgbouncer=true"
    told = refusal(url, source=Source.SANDBOX)
    assert "DATABASE_URL has an option" in told
    assert "pgbouncer" in told


def test_the_embedded_server_is_used_without_a_url(short_directory: Path) -> None:
    home = short_directory / "own"
    ensure_server(home, settings={"fsync": "off"})
    settings = Settings(database_url=None, collector_home=home)
    real = open_database(settings, source=Source.OXYLABS)
    sandbox = open_database(settings, source=Source.SANDBOX)
    assert (real.name, sandbox.name) == ("collector", "collector_sandbox")
    assert real.is_embedded
    assert current_revision(real) == NEWEST
    stop_server(home)
