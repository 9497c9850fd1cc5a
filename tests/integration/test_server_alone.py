"""`collector serve`: runs over HTTP without JupyterLab, and nothing beside them."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from served import WrittenRun, own_environment

from collector.connections import Database
from collector.server.standing_alone import is_loopback


@contextmanager
def serving(
    home: Path, database: Database, *options: str, **variables: str
) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """A `collector serve`: its address, the token that it printed, the process."""
    address = database.url.render_as_string(hide_password=False)
    environment = own_environment(home, DATABASE_URL=address, **variables)
    process = subprocess.Popen(
        [sys.executable, "-m", "collector.cli", "serve", "--port", "0", *options],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, process.stderr.read()
            token = process.stdout.readline().removeprefix("Token: ").strip()
            yield found[0].removesuffix("/runs"), token, process
        finally:
            process.kill()
            process.wait()


def test_it_serves_runs_and_their_streams_with_the_token_it_prints(
    database: Database, tmp_path: Path
) -> None:
    run = WrittenRun(database)
    run.write_numbered(1, 2)
    run.end()
    with serving(tmp_path, database) as (url, token, process):
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}/runs").status_code == 403
        headers = {"Authorization": f"token {token}"}
        assert httpx.get(f"{url}/runs", headers=headers).json()[0]["run_id"] == str(run.id)
        stream = httpx.get(f"{url}/runs/{run.id}/activity", headers=headers)
        assert re.findall(r"^id: (\d+)$", stream.text, re.M) == ["1", "2"]
        page = httpx.get(f"{url}/runs/{run.id}/", params={"token": token})
        assert page.headers["content-type"].startswith("text/html")

        # With a stream open, one Ctrl-C ends it at once and without a question.
        other = WrittenRun(database)
        with httpx.stream("GET", f"{url}/runs/{other.id}/activity", headers=headers) as answer:
            assert answer.status_code == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0


def test_kernels_files_and_terminals_are_not_served(database: Database, tmp_path: Path) -> None:
    """Whatever else is enabled in the environment, whose token is used and not printed."""
    (tmp_path / "secret.txt").write_text("not for readers")
    config = tmp_path / "config" / "jupyter_server_config.d"
    config.mkdir(parents=True)
    more = {"jupyterlab": True, "jupyter_server_terminals": True}
    enabled = json.dumps({"ServerApp": {"jpserver_extensions": more}})
    (config / "more.json").write_text(enabled)
    gone = [
        *("api/kernels", "api/kernelspecs", "api/sessions", "api/contents", "api/terminals"),
        *("api/config/x", "api/shutdown", "api/status", "api/events/subscribe", "api/nbconvert"),
        *("files/secret.txt", "view/secret.txt", "nbconvert/html/secret.txt", "lab", "tree"),
        *("terminals/websocket/1", "api/security/csp-report", "kernelspecs/python3/x"),
    ]
    with serving(tmp_path, database, JUPYTER_TOKEN="chosen-by-us") as (url, said, _):
        assert said == "the one in JUPYTER_TOKEN"
        root = url.removesuffix("collector")
        headers = {"Authorization": "token chosen-by-us"}
        assert httpx.get(f"{url}/runs", headers=headers).status_code == 200
        assert httpx.get(f"{url}/runs", params={"token": ""}).status_code == 403
        for path in gone:
            for method in ("GET", "POST"):
                answer = httpx.request(method, root + path, headers=headers)
                assert answer.status_code == 404, path
                assert "not for readers" not in answer.text
        assert httpx.get(f"{root}metrics").status_code in {302, 403}


def test_a_port_that_is_taken_is_bad_usage_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "collector.cli", "serve", "--port", port],
            env=own_environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    expected = f"Error: Port {port} is taken: choose another one, or 0 for any free one.\n"
    assert done.stderr == expected


def test_an_address_that_is_not_ours_is_bad_usage(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "collector.cli", "serve", "--ip", "203.0.113.9"],
        env=own_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "203.0.113.9" in done.stderr


@pytest.mark.parametrize(
    ("ip", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("", False)],
)
def test_only_loopback_counts_as_this_machine_alone(ip: str, alone: bool) -> None:
    assert is_loopback(ip) is alone
