"""Runs that several processes share, some of which are killed: `DaskEngine` on real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from conftest import NODES, ROUNDS, Trial, moments, of_the_run, reach, the_run
from distributed import LocalCluster
from integration.collecting import asked, forget, wait_until
from integration.command_line import CommandLine

from collector.database import Database
from collector.sandbox.process import SandboxProcess

OWNER = """
import sys
from distributed import Client
from collector import Workbench
from collector.dask_engine import DaskEngine

with Client(sys.argv[1]) as client, Workbench.open() as bench:
    run = bench.launch(sys.argv[2].split(","), engine=DaskEngine(client))
    run.wait()
"""


@contextmanager
def shared_run(cli: CommandLine, *, workers: int) -> Iterator[subprocess.Popen[str]]:
    """A process that owns a run, on a Dask cluster that is not its own."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=":0",
        env=cli.environment,
    ) as cluster:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, cluster.scheduler_address, ",".join(NODES)],
            env=cli.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def participants(database: Database, run_id: str) -> list[int]:
    """The processes that take part in a run, by their id."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT name FROM run_participants WHERE run_id = %s ORDER BY place", [run_id]
        ).fetchall()
    return [int(name.rpartition(":")[2]) for (name,) in rows]


def said_lost(database: Database, run_id: str) -> list[str]:
    """What the run's activity says of participants that died."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT entry ->> 'error_message' FROM activity_log "
            "WHERE run_id = %s AND entry ->> 'error_type' = 'participant_lost'",
            [run_id],
        ).fetchall()
    return [message for (message,) in rows]


@pytest.mark.parametrize("number", range(-(-ROUNDS // 4)))
def test_participants_that_are_killed_cost_what_they_had_in_flight(
    number: int,
    cli: CommandLine,
    database: Database,
    sandbox: SandboxProcess,
    trial: Trial,
) -> None:
    moment = moments("participants", number)
    forget(sandbox)
    with shared_run(cli, workers=3) as owner:
        run_id = the_run(database, within_s=60)
        wait_until(lambda: len(participants(database, run_id)) == 3, within_s=60)
        reach(database, run_id, moment.randrange(8, 25))
        victims = moment.sample(participants(database, run_id), 2)
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        _, said = owner.communicate(timeout=120)
        assert owner.returncode == 0, said
    told = said_lost(database, run_id)
    assert {int(name.rpartition(":")[2].split()[0]) for name in told} <= set(victims)
    assert told
    trial.hold(
        "kill -9 of two of three participants",
        database=database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=len(victims),
    )


def test_when_the_owner_is_killed_its_participants_leave_and_another_goes_on(
    cli: CommandLine, database: Database, sandbox: SandboxProcess, trial: Trial
) -> None:
    forget(sandbox)
    with shared_run(cli, workers=2) as owner:
        run_id = the_run(database, within_s=60)
        wait_until(lambda: len(participants(database, run_id)) == 2, within_s=60)
        reach(database, run_id, 8)
        owner.kill()
        # What they had in flight is kept; the rest they put back.
        wait_until(lambda: participants(database, run_id) == [], within_s=30)
        assert of_the_run(database, run_id, "status") == ("running",)
        done = cli("resume", run_id, "--json", "--quiet")
        assert done.returncode == 0, done.stderr
    trial.hold(
        "kill -9 of the owner of a shared run",
        database=database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=0,
    )
