"""Faults on purpose, each held against the undisturbed run of the same market and day.

`COLLECTOR_CHAOS_ROUNDS` says how many random moments each kind of death is tried at (default 4),
`COLLECTOR_CHAOS_SEED` which moments these are. At the end a table tells what was tried.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy
from integration.collecting import asked, forget
from integration.command_line import CommandLine
from picture import REPEATED_A_CRASH, Picture, check_books, repeated

from collector.database import Database, upgrade
from collector.embedded import ensure_server
from collector.sandbox.process import SandboxProcess

ROUNDS = int(os.environ.get("COLLECTOR_CHAOS_ROUNDS", "4"))
SEED = os.environ.get("COLLECTOR_CHAOS_SEED", "1")
# Lists that share products; about forty requests, a second with five workers.
NODES = ("289754", "3610841", "2975312011")
MARKET: dict[str, object] = {"list-length": 8}
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "chaos.json"
COLUMNS = ("fault", "tried", "sellers lost", "items done twice", "requests repeated", "allowed")

KEEPER = """
import os, shutil, sys
from pathlib import Path
from collector.embedded import stop_server
os.setsid()
sys.stdin.read()
stop_server(Path(sys.argv[1]))
shutil.rmtree(sys.argv[1])
"""


def market(**given: Any) -> SandboxProcess:
    """The market that every run here walks."""
    options = {**MARKET, **given.pop("options", {})}
    return SandboxProcess(**{"latency_s": 0.1, "day": 0, **given}, options=options)


def moments(*of: object) -> random.Random:
    """The random moments of one test: the same again for the same seed."""
    return random.Random(" ".join(map(str, (SEED, *of))))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    """A market that answers honestly, within 100 ms on average."""
    with market() as process:
        yield process


@dataclass
class Undisturbed:
    """The run that nothing happened to."""

    picture: Picture
    entries: list[dict[str, Any]]


@pytest.fixture(scope="session")
def undisturbed(
    server: Database,
    template: Database,
    sandbox: SandboxProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Undisturbed:
    """The same run without any fault, in a database of its own."""
    name = f"undisturbed_{uuid4().hex[:12]}_sandbox"
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template.name}"'.encode())
    database = server.named(name)
    forget(sandbox)
    cli = command_line(database, tmp_path_factory.mktemp("home"), sandbox)
    done = cli("run", *NODES, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    found = Undisturbed(Picture.of(database, told["run_id"]), asked(sandbox))
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
    assert found.picture.items_done_twice == 0
    assert {status for _, _, status in found.picture.items} == {"done"}
    assert len(found.picture.sellers) > 50
    return found


def command_line(database: Database, home: Path, sandbox: SandboxProcess) -> CommandLine:
    """`collector` over a database and a sandbox."""
    cli = CommandLine.over(database, home)
    return CommandLine({**cli.environment, "OXYLABS_URL": sandbox.url})


@pytest.fixture
def cli(database: Database, tmp_path: Path, sandbox: SandboxProcess) -> CommandLine:
    """`collector` over the test's database and the honest market, whose log is empty."""
    forget(sandbox)
    return command_line(database, tmp_path / "home", sandbox)


@pytest.fixture(scope="session")
def mortal_home(short_directory: Path) -> Iterator[Path]:
    """A home whose PostgreSQL may be killed. Its commits are on disk before they are told."""
    home = short_directory / "mortal"
    keeper = subprocess.Popen([sys.executable, "-c", KEEPER, str(home)], stdin=subprocess.PIPE)
    ensure_server(home, settings={"fsync": "off"})
    yield home
    keeper.communicate(timeout=60)
    assert keeper.returncode == 0


@pytest.fixture
def mortal_database(mortal_home: Path) -> Iterator[Database]:
    """A migrated database of a PostgreSQL that may be killed."""
    server = served_from(mortal_home)
    name = f"mortal_{uuid4().hex[:12]}_sandbox"
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    database = server.named(name)
    upgrade(database)
    yield database
    database.dispose()
    ensure_server(mortal_home)
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def served_from(home: Path) -> Database:
    """The maintenance database of a home's PostgreSQL, which is started where it is not."""
    address = ensure_server(home)
    return Database(
        url=sqlalchemy.URL.create(
            "postgresql+psycopg",
            username=address.user,
            database="postgres",
            query={"host": str(address.socket_dir), "port": str(address.port)},
        ),
        is_embedded=False,
    )


@dataclass
class Trial:
    """One fault under test: what it did to the run, for the table and for the assertions."""

    undisturbed: Undisturbed
    keep: Callable[[str, object], None]
    noted: list[dict[str, Any]] = field(default_factory=list)

    def hold(
        self,
        fault: str,
        *,
        database: Database,
        run_id: UUID | str,
        entries: list[dict[str, Any]],
        crashes: int,
    ) -> None:
        """Hold an ended run against the undisturbed one, whatever it went through.

        Args:
            fault: what was done to it.
            database: where it stands.
            run_id: the run.
            entries: what the sandbox was asked for it.
            crashes: how often something died; each may repeat what was in flight.
        """
        found, wanted = Picture.of(database, run_id), self.undisturbed.picture
        again = repeated(entries, self.undisturbed.entries)
        note = {
            "fault": fault,
            "tried": 1,
            "sellers lost": len(wanted.sellers - found.sellers),
            "items done twice": found.items_done_twice,
            "requests repeated": again,
            "allowed": REPEATED_A_CRASH * crashes,
        }
        # Kept before it is judged: a failure belongs into the table too.
        self.keep("chaos", note)
        assert found == wanted
        check_books(database, run_id)
        assert again <= REPEATED_A_CRASH * crashes, note


@pytest.fixture
def trial(undisturbed: Undisturbed, record_property: Callable[[str, object], None]) -> Trial:
    """The trial of one fault."""
    return Trial(undisturbed, record_property)


def the_run(database: Database, *, within_s: float = 30) -> str:
    """The id of the newest run of a database, waiting until there is one."""
    deadline = time.monotonic() + within_s
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        while True:
            found = connection.execute(
                "SELECT id FROM collection_runs WHERE status <> 'pending' "
                "ORDER BY created_at DESC LIMIT 1"
            ).fetchone()
            if found:
                return str(found[0])
            assert time.monotonic() < deadline, "no run began"
            time.sleep(0.005)


def reach(database: Database, run_id: str, requests: int, *, within_s: float = 60) -> None:
    """Wait until a run has reserved so many requests, or has ended."""
    deadline = time.monotonic() + within_s
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        while True:
            row = connection.execute(
                "SELECT requests >= %s OR finished_at IS NOT NULL FROM collection_runs "
                "WHERE id = %s",
                [requests, run_id],
            ).fetchone()
            assert row is not None
            if row[0]:
                return
            assert time.monotonic() < deadline, "the run stands still"
            time.sleep(0.002)


def of_the_run(database: Database, run_id: str, columns: str) -> tuple[Any, ...]:
    """Columns of a run's row."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        query = f"SELECT {columns} FROM collection_runs WHERE id = %s"
        row = connection.execute(query.encode(), [run_id]).fetchone()
    assert row is not None
    return tuple(row)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was tried, and keep it."""
    notes = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "chaos" and report.when == "call"
    ]
    if not notes:
        return
    lines: dict[str, dict[str, Any]] = {}
    for note in notes:
        line = lines.setdefault(note["fault"], dict.fromkeys(COLUMNS[1:], 0))
        line["tried"] += note["tried"]
        for column in COLUMNS[2:]:
            line[column] = max(line[column], note[column])
    width = max(map(len, lines)) + 2
    terminalreporter.section("faults, the worst of each")
    terminalreporter.write_line(f"{'':{width}}" + "".join(f"{c:>19}" for c in COLUMNS[1:]))
    for fault, line in sorted(lines.items()):
        terminalreporter.write_line(f"{fault:{width}}" + "".join(f"{v:>19}" for v in line.values()))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([{"fault": f, **line} for f, line in lines.items()], indent=1))
