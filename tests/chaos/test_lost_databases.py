"""PostgreSQL killed, stopped, cut off, full or read-only while a run goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from conftest import NODES, ROUNDS, Trial, Undisturbed, moments, served_from
from cutting_proxy import CuttingProxy
from integration.collecting import asked, categories, forget, serving, through, until
from integration.command_line import CommandLine, assert_one_error_line

from collector.database import Database, upgrade
from collector.embedded import ensure_server, server_status, stop_server
from collector.errors import DatabaseError
from collector.progress import RunProgress
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.words import RunStatus

Working = tuple[UUID, asyncio.Task[RunProgress]]


@asynccontextmanager
async def working(
    database: Database, settings: Settings, sandbox: SandboxProcess, *, patience_s: float = 60
) -> AsyncIterator[Working]:
    """A run that is worked on by this process."""
    forget(sandbox)
    async with serving(through(settings, sandbox), database, patience_s=patience_s) as service:
        run_id = await service.create(categories(NODES))
        _, task = service.start(run_id)
        yield run_id, task


def kill_the_postmaster(home: Path) -> None:
    pid = server_status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def kill_a_backend(home: Path) -> None:
    """PostgreSQL ends every other session and recovers: it cannot know what the dead one broke."""
    with psycopg.connect(served_from(home).conninfo(), autocommit=True) as connection:
        (pid,) = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'collector' LIMIT 1"
        ).fetchone() or (None,)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def stop_at_once(home: Path) -> None:
    """What `pg_ctl stop -m immediate` sends."""
    pid = server_status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)


@pytest.mark.parametrize(
    ("fault", "deed"),
    [
        ("kill -9 of PostgreSQL", kill_the_postmaster),
        ("kill -9 of one of its backends", kill_a_backend),
        ("PostgreSQL stopped `immediate`", stop_at_once),
    ],
    ids=["postmaster", "backend", "immediate"],
)
async def test_a_run_goes_on_by_itself_once_its_database_is_back(
    fault: str,
    deed: Callable[[Path], None],
    mortal_home: Path,
    mortal_database: Database,
    settings: Settings,
    sandbox: SandboxProcess,
    undisturbed: Undisturbed,
    trial: Trial,
) -> None:
    moment, crashes = moments(fault), 0
    async with working(mortal_database, settings, sandbox) as (run_id, task):
        total = len(undisturbed.entries)
        for count in sorted(moment.sample(range(2, total - 8), 2)):
            await until(lambda count=count: len(asked(sandbox)) >= count)
            if not task.done():
                print(f"{fault} at request {count}")
                await asyncio.to_thread(deed, mortal_home)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(ensure_server, mortal_home)
                crashes += 1
        progress = await asyncio.wait_for(task, 60)
    assert crashes
    assert progress.status is RunStatus.COMPLETED
    trial.hold(
        fault,
        database=mortal_database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=crashes,
    )


@pytest.mark.parametrize("number", range(-(-ROUNDS // 4)))
async def test_cut_connections_lose_nothing_and_do_nothing_twice(
    number: int,
    database: Database,
    settings: Settings,
    sandbox: SandboxProcess,
    trial: Trial,
) -> None:
    """Also where the commit went through and its answer did not: nobody was told, it holds."""
    moment = moments("cut", number)
    socket = Path(database.url.query["host"]) / f".s.PGSQL.{database.url.query['port']}"
    if not socket.is_socket():
        pytest.skip("the database is not reached through a Unix socket")
    async with CuttingProxy(socket, moment) as proxy:
        cut = Database(
            url=database.url.set(host="127.0.0.1", port=proxy.port, query={}), is_embedded=False
        )
        async with working(cut, settings, sandbox) as (run_id, task):
            await asyncio.sleep(0.3)
            while proxy.cut < 25 and not task.done():
                await asyncio.wait({task}, timeout=moment.uniform(0.01, 0.1))
                match moment.randrange(8):
                    case 0:
                        proxy.cut_all()
                    case 1:
                        await proxy.be_away(moment.uniform(0.1, 0.5))
                    case _:
                        proxy.cut_the_next_answer()
            progress = await asyncio.wait_for(task, 90)
        cut.dispose()
    assert proxy.cut >= 5
    assert progress.status is RunStatus.COMPLETED
    # Requests survive a cut: their answers wait until they can be kept.
    trial.hold(
        "connections to PostgreSQL cut, answers half-sent",
        database=database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=0,
    )


async def read_only_for_a_while(database: Database) -> None:
    """What hosted databases do when their disk is nearly full."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        name = database.name
        for setting in ("= on", "= off"):
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(
                f'ALTER DATABASE "{name}" SET default_transaction_read_only {setting}'.encode()
            )
            # The setting is for new sessions.
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(1)


async def test_a_run_waits_for_a_database_that_is_read_only_for_a_while(
    database: Database,
    settings: Settings,
    sandbox: SandboxProcess,
    undisturbed: Undisturbed,
    trial: Trial,
) -> None:
    async with working(database, settings, sandbox) as (run_id, task):
        await until(lambda: len(asked(sandbox)) >= len(undisturbed.entries) // 3)
        await read_only_for_a_while(database)
        progress = await asyncio.wait_for(task, 60)
    assert progress.status is RunStatus.COMPLETED
    trial.hold(
        "PostgreSQL read-only for a while",
        database=database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=0,
    )


@pytest.fixture
def small_disk(short_directory: Path) -> Iterator[Path]:
    """A home on a file system of its own with room for little more than the database."""
    home = short_directory / f"small-{time.monotonic_ns()}"
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=150m,mode=711", "collector-test", str(home)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this account cannot mount a small file system")
    try:
        yield home
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(home)], check=True)
        (home / "ballast").unlink(missing_ok=True)
        stop_server(home)
        subprocess.run(["umount", str(home)], check=True)


def fill(home: Path) -> None:
    """Leave no room on a home's file system."""
    with (home / "ballast").open("wb", buffering=0) as ballast:
        block = bytes(4096)
        try:
            while True:
                ballast.write(block)
        except OSError:
            return


async def test_a_run_outlasts_a_full_disk(
    small_disk: Path,
    settings: Settings,
    sandbox: SandboxProcess,
    undisturbed: Undisturbed,
    trial: Trial,
) -> None:
    ensure_server(small_disk, settings={"fsync": "off"})
    server = served_from(small_disk)
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE full_sandbox")
    database = server.named("full_sandbox")
    upgrade(database)
    async with working(database, settings, sandbox) as (run_id, task):
        await until(lambda: len(asked(sandbox)) >= len(undisturbed.entries) // 3)
        fill(small_disk)
        await asyncio.sleep(2)
        assert not task.done(), "the disk was not full"
        (small_disk / "ballast").unlink()
        # Where there was no room for its log, PostgreSQL has ended.
        await asyncio.to_thread(ensure_server, small_disk)
        progress = await asyncio.wait_for(task, 60)
    database.dispose()
    assert progress.status is RunStatus.COMPLETED
    trial.hold(
        "disk full under PostgreSQL",
        database=database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=1,
    )


def test_a_read_only_home_is_refused_in_one_line(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    cli = CommandLine({**os.environ, "COLLECTOR_HOME": str(small_disk)})
    cli.environment.pop("DATABASE_URL", None)
    line = assert_one_error_line(cli("run", *NODES), code=1)
    assert "Read-only file system" in line
    assert "COLLECTOR_HOME" in line


async def test_a_database_that_stays_away_leaves_a_run_that_says_how_to_go_on(
    mortal_home: Path,
    mortal_database: Database,
    settings: Settings,
    sandbox: SandboxProcess,
    undisturbed: Undisturbed,
    trial: Trial,
) -> None:
    async with working(mortal_database, settings, sandbox, patience_s=1) as (run_id, task):
        await until(lambda: len(asked(sandbox)) >= len(undisturbed.entries) // 3)
        stop_at_once(mortal_home)
        began = time.monotonic()
        with pytest.raises(DatabaseError, match="resume the run"):
            await asyncio.wait_for(task, 60)
        assert time.monotonic() - began < 20
        ensure_server(mortal_home)
        async with serving(through(settings, sandbox), mortal_database) as service:
            assert await service.resume(run_id) is False
            assert (await service.start(run_id)[1]).status is RunStatus.COMPLETED
    trial.hold(
        "PostgreSQL away for good, then resumed",
        database=mortal_database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=1,
    )
