"""The command line with real runs: real PostgreSQL, sandbox, processes and signals."""

from __future__ import annotations

import json
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import SMALL, CommandLine, assert_one_error_line, stored

from collector.database import Database

JSON_KEYS = [
    *("run_id", "status", "source", "categories", "products_total", "products_searched"),
    *("products_covered", "sellers_found", "sellers_new", "seller_count_snapshot", "requests"),
    *("requests_per_new_seller", "failed_items", "seconds"),
]


@pytest.fixture
def cli(database: Database, tmp_path: Path) -> CommandLine:
    return CommandLine.over(database, tmp_path / "home")


@pytest.fixture
def slow_run(cli: CommandLine, database: Database) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own that would take minutes; given once it has sent requests."""
    process = cli.start("run", "289754", "--quiet", COLLECTOR_SANDBOX_LATENCY="1")
    until(lambda: column(database, "requests > 5") == [True])
    yield process
    process.kill()
    process.communicate()


def column(database: Database, expression: str) -> list[Any]:
    """An expression over the runs, oldest first."""
    rows = stored(database, f"SELECT {expression} FROM collection_runs ORDER BY created_at")
    return [row[0] for row in rows]


def until(holds: Callable[[], bool], *, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def test_a_run_ends_with_one_line_of_json(cli: CommandLine, database: Database) -> None:
    done = cli("run", *SMALL, "--json", "--name", "Kitchen")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told) == JSON_KEYS
    assert told["status"] == "completed"
    assert told["source"] == "sandbox"
    assert told["categories"] == 1
    assert told["products_searched"] == told["products_total"] > 0
    assert told["sellers_new"] == told["sellers_found"] == told["seller_count_snapshot"] > 0
    assert told["seller_count_snapshot"] == stored(database, "SELECT count(*) FROM sellers")[0][0]
    assert told["requests"] == 1 + told["products_searched"]
    assert told["failed_items"] == 0
    assert 0 < told["seconds"] < 60
    assert done.stdout.count("\n") == 1, "what is shown live belongs to stderr here"
    assert "SANDBOX" in done.stderr


def test_a_second_run_says_who_came_back_and_leaves_a_report(
    cli: CommandLine, tmp_path: Path
) -> None:
    assert cli("run", *SMALL, "--quiet").returncode == 0
    done = cli("run", *SMALL, "--report", f"{tmp_path}/")
    assert done.returncode == 0, done.stderr
    for label in ("new sellers", "returning", "retained", "not seen"):
        assert re.search(rf"^  {label} +\d", done.stdout, re.MULTILINE), done.stdout
    named = re.search(r"^  report +(.+)$", done.stdout, re.MULTILINE)
    assert named, done.stdout
    assert Path(named[1]).stat().st_size > 0
    assert "SANDBOX" in done.stdout


def test_a_spent_budget_says_how_to_go_on(cli: CommandLine, database: Database) -> None:
    done = cli("run", *SMALL, "--budget", "8")
    assert done.returncode == 3, done.stderr
    assert column(database, "requests") == [8]
    command = re.search(r"collector (resume [0-9a-f]{8} --budget \d+)$", done.stderr.strip())
    assert command, done.stderr
    refused = cli("resume", "latest", "--budget", "4")
    assert "budget" in assert_one_error_line(refused, code=2)

    resumed = cli("resume", "latest", "--budget", "500", "--json", "--quiet")
    assert resumed.returncode == 0, resumed.stderr
    told = json.loads(resumed.stdout.splitlines()[-1])
    assert list(told) == JSON_KEYS
    assert told["status"] == "completed"
    assert told["requests"] == 1 + told["products_total"]


def test_the_command_that_is_printed_can_be_typed(cli: CommandLine) -> None:
    done = cli("run", *SMALL, "--budget", "8")
    typed = done.stderr.strip().rpartition("collector ")[2].split()
    assert typed[0] == "resume"
    assert cli(*typed, "--quiet").returncode == 3


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_run_that_can_be_resumed(
    cli: CommandLine, slow_run: subprocess.Popen[str], database: Database, name: signal.Signals
) -> None:
    slow_run.send_signal(name)
    _, errors = slow_run.communicate(timeout=30)
    assert slow_run.returncode == 3, errors
    assert "Traceback" not in errors
    run_id = str(column(database, "id")[0])
    assert f"collector resume {run_id[:8]}" in errors
    assert column(database, "status") == ["paused"]
    in_flight = "SELECT count(*) FROM collection_requests WHERE finished_at IS NULL"
    assert stored(database, in_flight) == [(0,)], "what was in flight is kept"
    assert stored(database, "SELECT count(*) FROM collection_items WHERE status = 'running'") == [
        (0,)
    ]

    resumed = cli("resume", run_id[:8], "--json", "--quiet", COLLECTOR_SANDBOX_LATENCY="0")
    told = json.loads(resumed.stdout)
    assert told["status"] == "completed"
    assert told["failed_items"] == 0


def test_a_second_signal_leaves_at_once(
    cli: CommandLine, slow_run: subprocess.Popen[str], database: Database
) -> None:
    slow_run.send_signal(signal.SIGINT)
    assert slow_run.stderr is not None
    until(lambda: bool(select.select([slow_run.stderr], [], [], 0)[0]))
    began = time.monotonic()
    slow_run.send_signal(signal.SIGINT)
    _, errors = slow_run.communicate(timeout=30)
    assert time.monotonic() - began < 2
    assert slow_run.returncode in {130, 3}, errors
    assert "collector resume" in errors
    assert cli("resume", "latest", "--quiet", COLLECTOR_SANDBOX_LATENCY="0").returncode == 0
    assert column(database, "status") == ["completed"]


def test_another_process_pauses_and_cancels_a_run(
    cli: CommandLine, slow_run: subprocess.Popen[str], database: Database
) -> None:
    paused = cli("pause", "latest")
    assert paused.returncode == 0, paused.stderr
    assert re.fullmatch(r"Run [0-9a-f]{8}: paused\n", paused.stdout)
    _, errors = slow_run.communicate(timeout=30)
    assert slow_run.returncode == 3, errors

    cancelled = cli("cancel", "latest")
    assert cancelled.stdout.endswith(": cancelled\n")
    assert column(database, "status") == ["cancelled"]
    assert "cancelled" in assert_one_error_line(cli("resume", "latest"), code=2)


def test_a_run_that_another_process_cancels_exits_so(
    cli: CommandLine, slow_run: subprocess.Popen[str]
) -> None:
    assert cli("cancel", "latest").stdout.endswith(": cancelled\n")
    _, errors = slow_run.communicate(timeout=30)
    assert slow_run.returncode == 4, errors


def test_a_killed_run_is_shown_as_interrupted_and_resumed(
    cli: CommandLine, slow_run: subprocess.Popen[str]
) -> None:
    slow_run.kill()
    slow_run.communicate()
    resumed = cli("resume", "latest", "--json", COLLECTOR_SANDBOX_LATENCY="0")
    assert json.loads(resumed.stdout.splitlines()[-1])["status"] == "completed"


def test_refused_credentials_pause_and_say_so(cli: CommandLine) -> None:
    with cli.start("sandbox", "--port", "0") as sandbox:
        assert sandbox.stdout is not None
        address = re.search(r"http://\S+", sandbox.stdout.readline())
        assert address
        wrong = {"OXYLABS_USERNAME": "somebody", "OXYLABS_PASSWORD": "wrong-and-secret"}
        done = cli("run", *SMALL, OXYLABS_URL=address[0], **wrong)
        sandbox.terminate()
    assert done.returncode == 3
    assert "refused the credentials (401)" in done.stderr
    assert "OXYLABS_USERNAME" in done.stderr
    assert "collector resume" in done.stderr
    assert "wrong-and-secret" not in done.stdout + done.stderr


def test_runs_are_listed_newest_first(cli: CommandLine, database: Database) -> None:
    assert cli("runs").stdout.startswith("No runs yet")
    assert json.loads(cli("runs", "--json").stdout) == []
    for name in ("one", "=two"):
        assert cli("run", *SMALL, "--quiet", "--budget", "2", "--name", name).returncode == 3
    listed = json.loads(cli("runs", "--json").stdout)
    assert [run["name"] for run in listed] == ["=two", "one"]
    assert [run["run_id"] for run in listed] == [str(i) for i in reversed(column(database, "id"))]
    assert {run["status"] for run in listed} == {"paused"}
    assert [line.split()[1] for line in cli("runs").stdout.splitlines()[1:]] == ["=two", "one"]


def test_watching_prints_every_entry_once_and_ends_with_the_run(
    cli: CommandLine, database: Database
) -> None:
    run = cli.start("run", *SMALL, "--quiet", COLLECTOR_SANDBOX_LATENCY="0.2")
    until(lambda: column(database, "status") == ["running"])
    watched = cli("watch", "latest", "--json")
    run.communicate(timeout=60)
    assert run.returncode == 0
    assert watched.returncode == 0, watched.stderr
    entries = [json.loads(line) for line in watched.stdout.splitlines()]
    kept = stored(database, "SELECT count(*) FROM activity_log")[0][0]
    assert [entry["id"] for entry in entries] == list(range(1, kept + 1))
    assert entries[-1]["action"] == "complete"

    lines = cli("watch", "latest").stdout.splitlines()
    assert len(lines) == kept
    assert "Completed" in lines[-1]


def test_failed_items_can_be_sent_again(cli: CommandLine, database: Database) -> None:
    nowhere = "http://127.0.0.1:1"
    failed = cli("run", *SMALL, OXYLABS_URL=nowhere)
    assert column(database, "requests > 0") == [True]
    assert "collector retry" in failed.stderr or "collector resume" in failed.stderr
    assert "Cannot reach 127.0.0.1:1" in failed.stderr
    again = cli("retry", "latest", "--json", "--quiet")
    if again.returncode == 2:
        # Nothing failed for good: the run is paused with its items still due.
        again = cli("resume", "latest", "--json", "--quiet")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["failed_items"] == 0


def test_what_was_found_can_be_written_out(cli: CommandLine, tmp_path: Path) -> None:
    assert cli("run", *SMALL, "--quiet").returncode == 0
    sellers = tmp_path / "sellers.csv"
    done = cli("export", "sellers", "-o", str(sellers))
    assert done.returncode == 0, done.stderr
    assert str(sellers) in done.stdout
    header = sellers.read_text().splitlines()[0]
    for name in ("display_name", "normalized_name", "feedback_percent", "flagged"):
        assert f'"{name}"' in header
    audit = tmp_path / "audit.json"
    assert cli("export", "audit", "--output", str(audit)).returncode == 0
    wanted = {"created_at", "action", "seller_name", "source", "affected_count"}
    assert wanted | {"seller_count_snapshot"} <= set(json.loads(audit.read_text())[0])
    page = tmp_path / "report.html"
    assert cli("report", "latest", "-o", str(page)).returncode == 0
    assert "SANDBOX" in page.read_text()
    assert_one_error_line(cli("export", "nothing", "-o", str(sellers)), code=2)
    assert_one_error_line(cli("export", "sellers", "-o", str(tmp_path / "x.doc")), code=2)
    assert_one_error_line(cli("export", "sellers", "-o", str(tmp_path / "no" / "x.csv")), code=1)


def test_a_saved_choice_can_be_run(cli: CommandLine, database: Database) -> None:
    stored(
        database, "INSERT INTO category_presets (name, node_ids) VALUES ('music', ARRAY['172541'])"
    )
    done = cli("run", "--preset", "music", "--budget", "1", "--json", "--quiet")
    assert done.returncode == 3, done.stderr
    assert stored(database, "SELECT node_id FROM run_categories") == [("172541",)]
    assert "music" in assert_one_error_line(cli("run", "--preset", "none"), code=2)
    assert_one_error_line(cli("run", "172541", "--preset", "music"), code=2)
