"""A real kernel: a second launch after whatever became of the first, interrupts, shutting down."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collecting import (
    asked,
    environment,
    forget,
    repeated,
    rows,
    sandbox_process,
    sellers_of,
    through,
    truth,
    value,
    wait_until,
)
from command_line import CommandLine
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from collector.database import Database
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings

NODES = ("289754",)
CELL_WITHIN_S = 90


@pytest.fixture(scope="module")
def market() -> Iterator[SandboxProcess]:
    with sandbox_process(latency_s=0.1, options={"list-length": 14}) as process:
        yield process


@pytest.fixture(autouse=True)
def _nothing_asked(market: SandboxProcess) -> None:
    forget(market)


class Kernel:
    """A kernel with an open workbench, and cells to execute in it."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def __call__(self, cell: str) -> str:
        """Execute a cell; what it prints. It must not fail."""
        printed, error = self.ends(self.client.execute(cell))
        assert not error, error
        return printed

    def begin(self, cell: str) -> str:
        """Begin to execute a cell; its message id."""
        return str(self.client.execute(cell))

    def ends(self, message_id: str) -> tuple[str, str]:
        """Wait for a cell's end: what it printed, and the error it ended with."""
        printed, error = "", ""
        while True:
            message: dict[str, Any] = self.client.get_iopub_msg(timeout=CELL_WITHIN_S)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    printed += content["text"]
                case "error":
                    error = f"{content['ename']}: {content['evalue']}"
                case "status" if content["execution_state"] == "idle":
                    return printed, error
                case _:
                    pass


@contextlib.contextmanager
def kernel_of(settings: Settings) -> Iterator[Kernel]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment(settings))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        kernel = Kernel(manager, client)
        kernel("from collector import Workbench; bench = Workbench.open()")
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_every_launch_in_one_kernel_behaves_like_the_first(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    """After completion, a cancel, a spent budget, and a task that died."""
    ways = {
        "completed": "run = await bench.launch({nodes}); print(run.status)",
        "cancelled": (
            "import asyncio; run = bench.launch({nodes}); await asyncio.sleep(0.3)\n"
            "run.cancel(); print((await run).status)"
        ),
        "paused": "run = bench.launch({nodes}, budget=3); print((await run).status)",
        "crashed": (
            "import asyncio; run = bench.launch({nodes}); await asyncio.sleep(0.3)\n"
            "tasks = [t for t in asyncio.all_tasks() if t.get_name() == f'run {run.short_id}']\n"
            "assert tasks; tasks[0].cancel(); await asyncio.wait(tasks); print('crashed')"
        ),
    }
    known = truth(market, NODES)
    with kernel_of(through(settings, market)) as kernel:
        for way, cell in ways.items():
            assert kernel(cell.replace("{nodes}", repr(list(NODES)))).strip() == way
            forget(market)
            printed = kernel(
                f"run = bench.launch({list(NODES)!r}); shown = await run\n"
                "print(shown.status, run.id, len(shown.workers), shown.failed_items)"
            )
            status, run_id, workers, failed = printed.split()
            assert (status, workers, failed) == ("completed", "5", "0"), f"after {way}"
            assert sellers_of(database, run_id) == known["sellers"], f"after {way}"
            assert repeated(asked(market)) == 0, f"after {way}"


@pytest.mark.parametrize("waiting", ["await run", "run.wait()"])
def test_interrupting_a_cell_that_waits_ends_the_waiting_and_not_the_run(
    waiting: str, settings: Settings, database: Database, market: SandboxProcess
) -> None:
    with kernel_of(through(settings, market)) as kernel:
        cell = kernel.begin(f"run = bench.launch({list(NODES)!r})\n{waiting}")
        wait_until(lambda: len(asked(market)) > 5)
        kernel.manager.interrupt_kernel()
        _, error = kernel.ends(cell)
        assert error.startswith(("KeyboardInterrupt", "CancelledError")), error
        assert len(asked(market)) < 20, "it ended by itself"
        if waiting == "run.wait()":
            assert "the run goes on" in error
            assert "bench.attach(" in error
        assert kernel("print((await run).status)").strip() == "completed"
    assert repeated(asked(market)) == 0
    (run_id,) = rows(database, "SELECT id FROM collection_runs")[0]
    assert sellers_of(database, run_id) == truth(market, NODES)["sellers"]


def test_a_kernel_that_is_shut_down_leaves_a_run_that_a_terminal_resumes(
    settings: Settings, database: Database, market: SandboxProcess, tmp_path: Path
) -> None:
    reached = through(settings, market)
    with kernel_of(reached) as kernel:
        kernel(f"run = bench.launch({list(NODES)!r})")
        wait_until(lambda: len(asked(market)) > 5)
        kernel.manager.shutdown_kernel()
    assert value(database, "SELECT status FROM collection_runs") in {"running", "paused"}
    cli = CommandLine(environment(reached))
    listed = cli("runs")
    assert "interrupted" in listed.stdout or "paused" in listed.stdout
    watched = cli("pause", "latest")
    assert "collector resume" in watched.stderr
    assert cli("resume", "latest", "--quiet", "--json").returncode == 0
    (run_id,) = rows(database, "SELECT id FROM collection_runs")[0]
    assert sellers_of(database, run_id) == truth(market, NODES)["sellers"]
    assert repeated(asked(market)) <= 5


def test_a_cluster_in_a_notebook_has_the_workers_of_a_run(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    """As the documentation writes it: the kernel stays free, and shows one run."""
    with kernel_of(through(settings, market)) as kernel:
        kernel(
            "from distributed import Client, LocalCluster\n"
            "from collector.dask_engine import DaskEngine\n"
            "cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=':0')\n"
            "client = Client(cluster)"
        )
        kernel(f"run = bench.launch({list(NODES)!r}, engine=DaskEngine(client))")
        assert kernel("print(1 + 1)").strip() == "2"
        printed = kernel("shown = await run; print(shown.status, run.id, shown.failed_items)")
        status, run_id, failed = printed.split()
        assert (status, failed) == ("completed", "0")
        kernel("run.panel(); client.close(); cluster.close()")
    assert sellers_of(database, run_id) == truth(market, NODES)["sellers"]
    assert repeated(asked(market)) == 0
