"""Seconds from `Workbench.open()` to the first request that reaches the sandbox.

Cold: a fresh home, where PostgreSQL's data and the database are still to be made. Warm: its server
runs. Each in a fresh process, medians of five. The first request is timed by the sandbox's own log.

With `--make-run`, also `make run` in a fresh clone of this repository: in total, and from the
moment that everything was installed. It takes minutes, and wants the network or pip's cache.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measured import is_quick, keep, print_table
from measured.processes import in_a_process, task_given
from measured.runs import sandbox_log

from collector.embedded import stop_server

TIMES = 2 if is_quick() else 5
ROOT = Path(__file__).resolve().parents[1]
UNSET = ("DATABASE_URL", "OXYLABS_USERNAME", "OXYLABS_PASSWORD", "OXYLABS_URL", "COLLECTOR_BUDGET")
STEPS = ("import", "open", "launch", "first request", "from open")


def measure(home: str) -> dict[str, float]:
    """Open and launch, here; seconds of each step."""
    os.environ["COLLECTOR_HOME"] = home
    for name in UNSET:
        os.environ.pop(name, None)
    began = time.time()
    from collector import Workbench

    imported = time.time()
    with Workbench.open() as bench:
        opened = time.time()
        run = bench.launch(background=True)
        launched = time.time()
        sandbox = first_asked(bench)
        run.cancel()
        run.wait(60)
    return {
        "import": imported - began,
        "open": opened - imported,
        "launch": launched - opened,
        "first request": sandbox - launched,
        "from open": sandbox - imported,
    }


def first_asked(bench: Any) -> float:
    """When the workbench's own sandbox was first asked, by its log."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        process = bench._upstream._sandbox
        if process is not None and process.url and (log := sandbox_log(process.base_url)):
            return float(log[0]["began_at"])
        time.sleep(0.02)
    raise TimeoutError("no request reached the sandbox")


def cold_and_warm() -> dict[str, dict[str, float]]:
    """The medians of both."""
    found: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(TIMES):
        home = Path(tempfile.mkdtemp(prefix="collector-"))
        # The account that PostgreSQL runs under must be able to pass through.
        home.chmod(0o711)
        try:
            for name in ("cold", "warm"):
                found[name].append(in_a_process(__file__, {"home": str(home / "home")}))
        finally:
            stop_server(home / "home")
            shutil.rmtree(home, ignore_errors=True)
    return {
        name: {step: statistics.median(row[step] for row in rows) for step in STEPS}
        for name, rows in found.items()
    }


def make_run() -> dict[str, float]:
    """`make run` in a fresh clone: seconds in total, and of those the ones after installing."""
    folder = Path(tempfile.mkdtemp(prefix="collector-"))
    folder.chmod(0o711)
    clone = folder / "clone"
    environment = {k: v for k, v in os.environ.items() if k not in UNSET}
    environment["COLLECTOR_HOME"] = str(folder / "home")
    environment.pop("VIRTUAL_ENV", None)
    try:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        began = time.time()
        subprocess.run(
            ["make", "run"],
            cwd=clone,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        ended = time.time()
        installed = (clone / ".venv" / ".installed").stat().st_mtime
    finally:
        stop_server(folder / "home")
        shutil.rmtree(folder, ignore_errors=True)
    return {"total": ended - began, "after installing": ended - installed}


def main() -> int:
    """Print the tables."""
    if task := task_given():
        print(json.dumps(measure(task["home"])))
        return 0
    rows: dict[str, Any] = cold_and_warm()
    print_table(
        ["seconds", *STEPS],
        [[name, *(round(row[step], 2) for step in STEPS)] for name, row in rows.items()],
    )
    if "--make-run" in sys.argv:
        rows["make run"] = make_run()
        print_table(
            ["make run in a fresh clone", "seconds"],
            [[name, round(seconds)] for name, seconds in rows["make run"].items()],
        )
    keep("startup", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
