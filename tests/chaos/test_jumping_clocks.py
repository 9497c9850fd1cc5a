"""A wall clock that jumps by a day at every look: only the monotonic clock may be relied on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from conftest import NODES, Trial
from integration.collecting import asked
from integration.command_line import CommandLine

from collector.database import Database
from collector.sandbox.process import SandboxProcess

SOURCE = Path(__file__).with_name("jumping_clock.c")


@pytest.fixture
def jumping(tmp_path: Path) -> dict[str, str]:
    """The environment of processes whose wall clock jumps."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("a jumping clock needs Linux and a C compiler")
    library = tmp_path / "jumping_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def test_the_clock_of_this_test_does_jump(jumping: dict[str, str]) -> None:
    program = (
        "import time; from datetime import datetime as d; began = time.monotonic();"
        "looks = [time.time() for _ in range(50)] + [d.now().timestamp() for _ in range(50)];"
        "print(max(looks) - min(looks) > 80_000, time.monotonic() - began < 5)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=jumping, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True"]


def test_a_run_does_not_care_what_time_it_is(
    jumping: dict[str, str],
    cli: CommandLine,
    database: Database,
    sandbox: SandboxProcess,
    trial: Trial,
) -> None:
    began = time.monotonic()
    done = cli("run", *NODES, "--json", "--quiet", **jumping)
    took_ms = (time.monotonic() - began) * 1000
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    trial.hold(
        "a clock that jumps by a day at every look",
        database=database,
        run_id=told["run_id"],
        entries=asked(sandbox),
        crashes=0,
    )
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        for table in ("collection_requests", "collection_items"):
            durations = connection.execute(
                f"SELECT min(duration_ms), max(duration_ms) FROM {table}".encode()
            ).fetchone()
            assert durations is not None
            assert 0 <= durations[0] <= durations[1] < took_ms
