"""The world that tests stand in: a real PostgreSQL, migrated once, cloned for each test.

Without `COLLECTOR_TEST_DATABASE_URL` the embedded PostgreSQL is started for the session (one a
pytest-xdist worker), with fsync off. With it, that server is used; its user must be allowed to
create databases.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from psycopg import sql
from pydantic import SecretStr

from collector.database import Database, parse_url, upgrade
from collector.embedded import ensure_server
from collector.settings import Settings

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "recordings"
# Tests may lose their data with the machine, and are many.
SERVER_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
}

# What a busy machine takes for an example says nothing about the code: its first text alone, for
# which the table of all characters is made, took 1.5 s.
hypothesis_settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("untimed")

KEEPER = """
import os, shutil, sys
from pathlib import Path
from collector.embedded import stop_server
os.setsid()
sys.stdin.read()
stop_server(Path(sys.argv[1]))
shutil.rmtree(sys.argv[1])
"""


def run_sql(database: Database, statement: str | sql.Composed, *values: object) -> list[tuple]:
    """Run one statement in a database, outside any transaction; the rows it brings."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def create_database(server: Database, name: str, *, template: str = "template0") -> Database:
    """A new database on the test server."""
    run_sql(
        server,
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        ),
    )
    return server.named(name)


def drop_database(server: Database, name: str) -> None:
    """Drop a database, whoever is connected to it still."""
    run_sql(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """A directory with a short name that every account can pass through: fit for sockets."""
    directory = Path(tempfile.mkdtemp(prefix="collector-", dir="/tmp"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def server(short_directory: Path) -> Iterator[Database]:
    """The test server, as its maintenance database."""
    given = os.environ.get("COLLECTOR_TEST_DATABASE_URL")
    if given:
        yield Database(url=parse_url(given), is_embedded=False)
        return
    home = short_directory / "session"
    # It stops the server when its input ends: at the end of the session, or at its death.
    keeper = subprocess.Popen([sys.executable, "-c", KEEPER, str(home)], stdin=subprocess.PIPE)
    address = ensure_server(home, settings=SERVER_SETTINGS)
    yield Database(
        url=sqlalchemy.URL.create(
            "postgresql+psycopg",
            username=address.user,
            database="postgres",
            query={"host": str(address.socket_dir), "port": str(address.port)},
        ),
        is_embedded=False,
    )
    keeper.communicate(timeout=60)
    assert keeper.returncode == 0


@pytest.fixture(scope="session")
def template(server: Database) -> Iterator[Database]:
    """A migrated database that nobody works in: the one to clone."""
    name = f"template_{uuid4().hex[:12]}"
    database = create_database(server, name)
    upgrade(database)
    database.dispose()
    yield database
    drop_database(server, name)


@pytest.fixture
def database(server: Database, template: Database) -> Iterator[Database]:
    """A migrated, empty database of the test's own. Its name ends as a sandbox's does."""
    name = f"test_{uuid4().hex[:12]}_sandbox"
    database = create_database(server, name, template=template.name)
    yield database
    database.dispose()
    drop_database(server, name)


@pytest.fixture
def empty_database(server: Database) -> Iterator[Database]:
    """A database of the test's own without any table."""
    name = f"empty_{uuid4().hex[:12]}_sandbox"
    database = create_database(server, name)
    yield database
    database.dispose()
    drop_database(server, name)


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    """Settings that lead to `database`, with the sandbox as source, whatever the environment."""
    return Settings(
        database_url=SecretStr(database.url.render_as_string(hide_password=False)),
        collector_home=tmp_path / "home",
        oxylabs_username=None,
        oxylabs_password=None,
        oxylabs_url="https://realtime.oxylabs.io/v1/queries",
        collector_budget=None,
        collector_workers=5,
        collector_sandbox_seed=1,
        collector_sandbox_latency=0.0,
    )


@pytest.fixture
def recordings() -> Path:
    """The recorded pages, which are not part of the project."""
    if not RECORDINGS.is_dir():
        pytest.skip("the recordings are not beside the project")
    return RECORDINGS
