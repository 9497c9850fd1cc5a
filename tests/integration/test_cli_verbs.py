"""The command line without a run: help, bad usage, faults, the database, the servers."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import httpx
import pytest
from command_line import COLLECTOR, SMALL, CommandLine, assert_one_error_line, clean_environment

from collector.database import Database
from collector.migrating import newest_revision

VERBS = [
    *("run", "resume", "retry", "pause", "cancel", "watch", "runs", "categories"),
    *("export", "report", "sandbox", "lab", "serve", "db"),
]


@pytest.fixture
def cli(database: Database, tmp_path: Path) -> CommandLine:
    return CommandLine.over(database, tmp_path / "home")


@pytest.fixture
def lone_cli(tmp_path: Path) -> CommandLine:
    """Without a database: none may be started by what this is used for."""
    return CommandLine(clean_environment(tmp_path / "home"))


def test_help_names_every_verb_and_loads_nothing_heavy(lone_cli: CommandLine) -> None:
    done = lone_cli("--help")
    assert done.returncode == 0
    listed = re.findall(r"^  ([a-z]+)  ", done.stdout, re.MULTILINE)
    assert set(VERBS) <= set(listed)
    script = (
        "import sys, collector.cli\n"
        "print([m for m in ('pandas', 'sqlalchemy', 'jupyterlab', 'ipywidgets') "
        "if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "[]\n", "help would be slow"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run", "--nonsense"],
        ["run", "--budget", "0"],
        ["run", "--workers", "many"],
        ["run", "--pages-per-search", "4"],
        ["resume"],
        ["export", "sellers"],
    ],
)
def test_bad_usage_is_told_in_one_line(lone_cli: CommandLine, arguments: list[str]) -> None:
    done = lone_cli(*arguments)
    assert_one_error_line(done, code=2)
    assert done.stdout == ""


def test_what_does_not_exist_is_bad_usage(cli: CommandLine) -> None:
    near = assert_one_error_line(cli("run", "Electronics/Headphone"), code=2)
    assert "Headphones" in near
    assert "beef" in assert_one_error_line(cli("resume", "beef"), code=2)
    assert_one_error_line(cli("pause", "not an id"), code=2)
    assert_one_error_line(cli("watch", "latest"), code=2)
    window = cli("run", "--price-from", "3", "--price-to", "2")
    assert "price_from" in assert_one_error_line(window, code=2)


def test_an_unreachable_database_is_told_without_its_password(lone_cli: CommandLine) -> None:
    address = "postgresql://somebody:very-secret@127.0.0.1:1/somewhere"
    done = lone_cli("run", DATABASE_URL=address)
    assert "127.0.0.1" in assert_one_error_line(done, code=1)
    assert "very-secret" not in done.stderr + done.stdout


@pytest.mark.parametrize("place", ["--debug runs", "runs --debug"])
def test_debug_shows_where_it_went_wrong(lone_cli: CommandLine, place: str) -> None:
    address = "postgresql://somebody:very-secret@127.0.0.1:1/somewhere"
    done = lone_cli(*place.split(), DATABASE_URL=address)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "very-secret" not in done.stderr


def test_a_home_that_cannot_be_is_told(lone_cli: CommandLine) -> None:
    error = assert_one_error_line(lone_cli("runs", COLLECTOR_HOME="/proc/nowhere"), code=1)
    assert "COLLECTOR_HOME" in error


def test_half_of_the_credentials_is_told(lone_cli: CommandLine) -> None:
    done = lone_cli("runs", OXYLABS_PASSWORD="very-secret")
    assert "OXYLABS_USERNAME" in assert_one_error_line(done, code=1)
    assert "very-secret" not in done.stderr


def test_a_reader_that_leaves_is_no_error(lone_cli: CommandLine) -> None:
    with lone_cli.start("db", "sql") as writer:
        assert writer.stdout is not None
        writer.stdout.close()
        assert writer.wait(timeout=30) == 1
        assert writer.stderr is not None
        assert writer.stderr.read() == ""


def test_categories_are_found_by_name_and_number(lone_cli: CommandLine) -> None:
    assert "172541   Electronics › Headphones" in lone_cli("categories", "headphones").stdout
    assert "Headphones" in lone_cli("categories", "172541").stdout
    everything = json.loads(lone_cli("categories", "--json").stdout)
    assert len(everything) > 300
    assert {"node_id", "department", "name", "title"} <= set(everything[0])
    assert_one_error_line(lone_cli("categories", "zzqqzz"), code=2)


def test_the_database_can_be_asked_about(cli: CommandLine, database: Database) -> None:
    assert cli("db", "url").stdout.strip() == database.display_url()
    assert cli("db", "url", "--show-password").stdout.strip() == database.conninfo()
    assert newest_revision() in cli("db", "status").stdout
    assert cli("db", "upgrade").stdout == f"Up to date: {newest_revision()}\n"
    assert "DATABASE_URL" in assert_one_error_line(cli("db", "stop"), code=2)


def test_migrations_are_applied_one_by_one(empty_database: Database, tmp_path: Path) -> None:
    cli = CommandLine.over(empty_database, tmp_path / "home")
    assert "none yet" in cli("db", "status").stdout
    applied = cli("db", "upgrade").stdout.splitlines()
    assert applied[0] == "Applied: 044_seller_collection"
    assert applied[-1] == f"Applied: {newest_revision()}"


def test_migrations_are_printed_without_any_database(lone_cli: CommandLine) -> None:
    printed = lone_cli("db", "sql").stdout
    assert "CREATE TABLE collection_runs" in printed
    assert "seller_count_snapshot" in printed
    assert not Path(lone_cli.environment["COLLECTOR_HOME"]).exists()


def test_the_status_of_a_home_starts_nothing(lone_cli: CommandLine) -> None:
    done = lone_cli("db", "status")
    assert done.returncode == 0, done.stderr
    assert "not running" in done.stdout
    assert lone_cli("db", "stop").stdout == "It was not running.\n"


def test_the_sandbox_says_how_to_use_it_and_ends_when_told(lone_cli: CommandLine) -> None:
    with lone_cli.start("sandbox", "--seed", "7", "--password", "a b") as sandbox:
        assert sandbox.stdout is not None
        lines = [sandbox.stdout.readline() for _ in range(3)]
        address = re.search(r"http://127\.0\.0\.1:(\d+)/v1/queries", lines[0])
        assert address
        assert f"export OXYLABS_URL={address[0]} OXYLABS_USERNAME=sandbox" in lines[1]
        assert "OXYLABS_PASSWORD='a b'" in lines[1]
        health = address[0].replace("/v1/queries", "/_sandbox/health")
        assert httpx.get(health).json()["status"] == "ok"
        taken = assert_one_error_line(lone_cli("sandbox", "--port", address[1]), code=1)
        assert f"Port {address[1]} is taken" in taken
        sandbox.send_signal(signal.SIGINT)
        assert sandbox.wait(timeout=10) == 0
    assert "nope" in assert_one_error_line(lone_cli("sandbox", "--faults", "nope=1"), code=1)


def test_jupyterlab_opens_on_the_notebook(lone_cli: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "my run.ipynb").write_text(json.dumps(empty))
    environment = {"JUPYTER_RUNTIME_DIR": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path)}
    arguments = ["lab", str(folder / "my run.ipynb"), "--no-browser", "--port", "0"]
    with lone_cli.start(*arguments, **environment) as lab:
        assert lab.stderr is not None
        address = None
        for line in lab.stderr:
            address = re.search(r"(http://127\.0\.0\.1:\d+)(/lab/tree/\S+?)\?token=(\w+)", line)
            if address:
                break
        assert address, "it never said where it is"
        assert address[2] == "/lab/tree/my%20run.ipynb"
        settings = "/lab/api/settings/@jupyterlab/apputils-extension:notification"
        token = {"Authorization": f"token {address[3]}"}
        answer = httpx.get(address[1] + settings, headers=token)
        news = answer.json()["schema"]["properties"]["fetchNews"]["default"]
        assert news == "false", "a question about news would stand before the notebook"
        lab.terminate()
        lab.communicate(timeout=30)
    missing = assert_one_error_line(lone_cli("lab", "missing.ipynb"), code=2)
    assert "missing.ipynb" in missing


def test_a_terminal_shows_the_run_in_place(cli: CommandLine) -> None:
    """In a real terminal of 100 by 30: repainted, then replaced by the summary."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    environment = {**cli.environment, "TERM": "xterm-256color", "COLLECTOR_SANDBOX_LATENCY": "0.2"}
    run = subprocess.Popen(
        [*COLLECTOR, "run", *SMALL], env=environment, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    seen = bytearray()
    while True:
        try:
            chunk = os.read(controller, 65_536)
        except OSError:
            # The system's word for: nobody has the terminal open any more.
            break
        if not chunk:
            break
        seen += chunk
    os.close(controller)
    assert run.wait(timeout=10) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert "● Running" in text
    assert text.count("Best-seller lists") > 2, "it was not repainted"
    assert "SANDBOX" in text
    assert re.search(r"new sellers +\d+", text)
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l"), "the cursor stayed hidden"
