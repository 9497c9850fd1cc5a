"""`collector schedule` and `collector run --wait`: as a scheduler would use them."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from command_line import SMALL, CommandLine, assert_one_error_line, stored
from stored import opened_store

from collector.database import Database
from collector.store import moves, presets
from collector.words import RunStatus


@pytest.fixture
def collector(database: Database, tmp_path: Path) -> CommandLine:
    return CommandLine.over(database, tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "100 % of it's $reports"
    made.mkdir()
    return made


def test_systemd_finds_nothing_wrong_with_its_units(
    collector: CommandLine, folder: Path, tmp_path: Path
) -> None:
    done = collector("schedule", "systemd", "--reports", str(folder), "--output", str(folder))
    assert done.returncode == 0, done.stderr
    assert "systemctl --user" in done.stderr
    units = sorted(str(path) for path in folder.iterdir())
    assert [Path(unit).suffix for unit in units] == [".service", ".timer"]

    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here to verify the units")
    verified = subprocess.run(
        [analyze, "verify", "--user", "--recursive-errors=no", *units],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert verified.returncode == 0, verified.stderr
    ours = [line for line in verified.stderr.splitlines() if "collector-monthly" in line]
    assert ours == []


def test_the_line_for_cron_runs_as_cron_runs_it_and_leaves_a_report(
    collector: CommandLine, database: Database, folder: Path, tmp_path: Path
) -> None:
    """An environment of almost nothing: what is secret comes from the file that is named."""
    with database.engine().begin() as conn:
        presets.save(conn, "it's %1", ["289754"])
    done = collector("schedule", "cron", "--preset", "it's %1", "--reports", str(folder))
    assert done.returncode == 0, done.stderr
    assert database.name not in done.stdout, "the address is a secret"
    line = done.stdout.splitlines()[-1]

    home = tmp_path / "a home"
    secrets = home / ".config" / "collector" / "environment"
    secrets.parent.mkdir(parents=True)
    address = collector.environment["DATABASE_URL"]
    secrets.write_text(f"DATABASE_URL='{address}'\nCOLLECTOR_SANDBOX_LATENCY=0\n")
    command = line.split(maxsplit=5)[5].replace(r"\%", "%")
    ran = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stderr
    assert len(list(folder.glob("report_*.html"))) == 1
    assert stored(database, "SELECT status FROM collection_runs") == [("completed",)]


def test_a_run_that_finds_another_at_work_waits_for_it(
    collector: CommandLine, database: Database
) -> None:
    with opened_store(database) as store:
        at_work, owner_id = store.running(name="Tea")
        waiting = [collector.start("run", *SMALL, "--quiet", "--wait") for _ in range(2)]
        for each in waiting:
            assert each.stderr is not None
            assert "Waiting until run Tea has ended." in each.stderr.readline()
        store(lambda c: moves.move(c, at_work, RunStatus.CANCELLED, owner_id=owner_id))

    told = [each.communicate(timeout=120)[1] for each in waiting]
    assert [each.returncode for each in waiting] == [0, 0], told
    times = stored(database, "SELECT started_at, finished_at FROM collection_runs ORDER BY 1")
    assert len(times) == 3
    assert all(ended <= began for (_, ended), (began, _) in pairwise(times))


def test_what_cannot_be_scheduled_is_told_in_one_line(
    collector: CommandLine, folder: Path, tmp_path: Path
) -> None:
    for arguments, says in (
        (["--reports", str(tmp_path / "missing")], "create it first"),
        (["--reports", str(folder), "--preset", "nobody's"], "no preset"),
        (["--reports", str(folder), "--at", "25:00"], "06:30"),
        (["--reports", str(folder), "--day", "31"], "1 to 28"),
    ):
        done = collector("schedule", "cron", *arguments)
        assert says in assert_one_error_line(done, code=2)
