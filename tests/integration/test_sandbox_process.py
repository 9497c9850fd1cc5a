"""The sandbox as a child: quick to start, quick to end, and never an orphan."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from collector.errors import SandboxError
from collector.sandbox.process import SandboxProcess

PARENT = """
import sys, time
from collector.sandbox.process import SandboxProcess
print(SandboxProcess(latency_s=0).start(), flush=True)
time.sleep(600)
"""


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_gone(port: int, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while is_listening(port):
        assert time.monotonic() < deadline, "the sandbox is still there"
        time.sleep(0.02)


def test_it_starts_within_seconds_and_ends_with_its_block() -> None:
    began = time.monotonic()
    with SandboxProcess(latency_s=0) as sandbox:
        assert time.monotonic() - began < 5
        port = int(sandbox.base_url.rpartition(":")[2])
        assert httpx.get(f"{sandbox.base_url}/_sandbox/health").status_code == 200
    wait_until_gone(port, seconds=1)
    assert sandbox.pid is None
    sandbox.stop()


def test_it_dies_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline().decode().split(":")[2].split("/")[0])
        assert is_listening(port)
        parent.kill()
        wait_until_gone(port, seconds=5)


def test_an_interrupt_of_the_parents_group_does_not_reach_it() -> None:
    """Ctrl-C goes to the whole foreground group; what is in flight must still be answered."""
    with SandboxProcess(latency_s=0) as sandbox:
        assert sandbox.pid is not None
        assert os.getpgid(sandbox.pid) != os.getpgrp()


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_while_it_holds_a_request(name: signal.Signals) -> None:
    command = [sys.executable, "-m", "collector.sandbox", "--latency", "0"]
    with subprocess.Popen(
        [*command, "--faults", "timeout=1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        said = json.loads(child.stdout.readline())
        with socket.create_connection(("127.0.0.1", said["port"])) as held:
            held.sendall(
                b"POST /v1/queries HTTP/1.1\r\nHost: a\r\nContent-Length: 48\r\n"
                b"Authorization: Basic c2FuZGJveDpzYW5kYm94\r\n\r\n"
                b'{"source": "amazon_bestsellers", "query": "12" }'
            )
            time.sleep(0.2)
            child.send_signal(name)
            assert child.wait(timeout=3) == 0
        assert child.stderr.read() == b""


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match=f"Port {port} is taken: choose another"):
            SandboxProcess(port=port).start()
        done = subprocess.run(
            [sys.executable, "-m", "collector.sandbox", "--port", str(port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "choose another" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"faults": "418=1"}, "kind=rate"),
        ({"list-length": 1}, "--list-length"),
        ({"day": -1}, "--day"),
        ({"port": 99999}, "--port"),
        ({"recordings": "/nowhere/at/all"}, "recordings in /nowhere/at/all"),
        ({"unheard-of": 1}, "unrecognized"),
    ],
)
def test_what_cannot_be_used_is_said(options: dict[str, object], said: str) -> None:
    with pytest.raises(SandboxError, match=said):
        SandboxProcess(options=options).start()


def test_one_that_does_not_answer_in_time_is_given_up() -> None:
    with pytest.raises(SandboxError, match="did not start within"):
        SandboxProcess(deadline_s=0.001).start()
