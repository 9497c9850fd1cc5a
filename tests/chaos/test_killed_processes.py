"""Kill -9 of whoever works on a run, at random moments, also while it is being resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import NODES, ROUNDS, Trial, Undisturbed, moments, of_the_run, reach, the_run
from integration.collecting import asked, wait_until
from integration.command_line import CommandLine
from jupyter_client.manager import KernelManager

from collector.database import Database
from collector.sandbox.process import SandboxProcess

LAUNCH = """
from collector import Workbench
bench = Workbench.open()
run = bench.launch({nodes!r})
"""


@contextmanager
def killed(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that ends by kill -9, whatever it is at."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_process_killed_at_any_moment_loses_nothing(
    number: int,
    cli: CommandLine,
    database: Database,
    sandbox: SandboxProcess,
    undisturbed: Undisturbed,
    trial: Trial,
) -> None:
    """And is killed once more while it goes on."""
    moment = moments("process", number)
    # By requests, for these come at the pace of the machine, and a little later.
    counts = sorted(moment.randrange(len(undisturbed.entries)) for _ in range(2))
    delays_s = [moment.uniform(0, 0.1) for _ in range(2)]
    print(f"killed at requests {counts}, and then {delays_s} s later")
    crashes = 0
    with killed(cli.start("run", *NODES, "--json", "--quiet")):
        run_id = the_run(database)
        reach(database, run_id, counts[0])
        time.sleep(delays_s[0])
    crashes += 1
    owner = of_the_run(database, run_id, "owner_id")
    if of_the_run(database, run_id, "status") != ("completed",):
        with killed(cli.start("resume", run_id, "--json", "--quiet")):
            wait_until(lambda: of_the_run(database, run_id, "owner_id") != owner, within_s=30)
            reach(database, run_id, counts[1])
            time.sleep(delays_s[1])
        crashes += 1
    if of_the_run(database, run_id, "status") != ("completed",):
        done = cli("resume", run_id, "--json", "--quiet")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "completed"
    trial.hold(
        "kill -9 of the command line, and of its resume",
        database=database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=crashes,
    )


@pytest.mark.parametrize("number", range(-(-ROUNDS // 4)))
def test_a_killed_kernel_leaves_a_run_that_any_terminal_resumes(
    number: int,
    cli: CommandLine,
    database: Database,
    sandbox: SandboxProcess,
    undisturbed: Undisturbed,
    trial: Trial,
) -> None:
    at_request = moments("kernel", number).randrange(len(undisturbed.entries) - 5)
    print(f"killed at request {at_request}")
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=cli.environment)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute(LAUNCH.format(nodes=list(NODES)))
        run_id = the_run(database)
        reach(database, run_id, at_request)
        manager.signal_kernel(signal.SIGKILL)
        wait_until(lambda: not manager.is_alive())
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    (status,) = of_the_run(database, run_id, "status")
    listed = json.loads(cli("runs", "--json").stdout)
    if status != "completed":
        assert "interrupted" in json.dumps(listed), "it is not shown as what it is"
        done = cli("resume", run_id[:8], "--json", "--quiet")
        assert done.returncode == 0, done.stderr
    trial.hold(
        "kill -9 of a Jupyter kernel",
        database=database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=1,
    )


def test_of_two_that_resume_at_once_one_owns_the_run_and_both_end_well(
    cli: CommandLine,
    database: Database,
    sandbox: SandboxProcess,
    undisturbed: Undisturbed,
    trial: Trial,
) -> None:
    with killed(cli.start("run", *NODES, "--json", "--quiet")):
        run_id = the_run(database)
        reach(database, run_id, len(undisturbed.entries) // 4)
    racers = [cli.start("resume", run_id, "--json", "--quiet") for _ in range(2)]
    ended = [racer.communicate(timeout=60) for racer in racers]
    for racer, (out, errors) in zip(racers, ended, strict=True):
        assert racer.returncode == 0, errors
        assert json.loads(out)["status"] == "completed"
        assert "Traceback" not in errors
    trial.hold(
        "two processes racing to resume",
        database=database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=1,
    )


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_run_that_says_how_to_go_on(
    name: signal.Signals,
    cli: CommandLine,
    database: Database,
    sandbox: SandboxProcess,
    undisturbed: Undisturbed,
    trial: Trial,
) -> None:
    """What is in flight is kept: nothing is asked for again."""
    process = cli.start("run", *NODES, "--json", "--quiet")
    run_id = the_run(database)
    reach(database, run_id, moments(name).randrange(5, len(undisturbed.entries) // 2))
    os.kill(process.pid, name)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 3, errors
    assert of_the_run(database, run_id, "status, pause_reason") == ("paused", "operator")
    command = errors.strip().rpartition("To go on: collector ")[2].split()
    assert command == ["resume", run_id[:8]]
    done = cli(*command, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    trial.hold(
        f"{name.name} to the command line",
        database=database,
        run_id=run_id,
        entries=asked(sandbox),
        crashes=0,
    )
