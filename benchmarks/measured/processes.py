"""What processes use, out of /proc: processors and memory, of one or of a whole family."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any


def cpu_s(pid: int) -> float:
    """Seconds of the processors that a process used so far, its threads with it."""
    return sum(_times(pid)[:2]) / os.sysconf("SC_CLK_TCK")


def family_cpu_s(pid: int) -> float:
    """The same of a process and its children, those that have ended too: a PostgreSQL's."""
    ticks = sum(_times(pid))
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _fields(stat)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def running_s(pid: int) -> float:
    """Seconds that a process of one thread has run so far, by the scheduler's finer account."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _times(pid: int) -> list[int]:
    """User, system, and both of the children that were waited for."""
    return [int(field) for field in _fields(Path(f"/proc/{pid}/stat"))[11:15]]


def _fields(stat: Path) -> list[str]:
    # The name in brackets may hold anything.
    return stat.read_text().rsplit(")", 1)[1].split()


def peak_mb() -> float:
    """The most memory this process has had resident, in MB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not ru_maxrss: on Linux that begins with what the parent had.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def in_a_process(script: Path | str, task: dict[str, Any]) -> dict[str, Any]:
    """Have a script do a task in a fresh process; the task is its last word, as JSON.

    Returns what it printed last, as JSON.
    """
    done = subprocess.run(
        [sys.executable, str(script), "--task", json.dumps(task)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def task_given() -> dict[str, Any] | None:
    """The task that `in_a_process` gave to this process; None where it is nobody's child."""
    if "--task" not in sys.argv:
        return None
    given: dict[str, Any] = json.loads(sys.argv[sys.argv.index("--task") + 1])
    return given
