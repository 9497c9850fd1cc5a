"""The activity stream under load: many clients on one run, one that hardly reads, a blocked kernel.

A worker process emits entries as a run does, through the same writer; `collector serve` is the
server; the clients read raw sockets here. Latency is from the worker's emit to the client's read,
so it holds the writer's batch, the commit, the notice, the server and this process's own parsing.

    python benchmarks/stream.py                                   # as the README has it
    python benchmarks/stream.py --clients 10 --seconds 3 --blocked 3
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from collector.activity import ActivityStream
from collector.activity_writer import ActivityWriter
from collector.database import open_database
from collector.embedded import stop_server
from collector.models import ActivityEntry, Category, RunOptions
from collector.settings import Settings
from collector.store import moves, runs
from collector.words import Action, Phase, RunStatus, Source

CATEGORY = Category("172541", "Electronics", "Headphones", "headphones", confirmed=True)
STAMP = b'"timestamp": "'


def main() -> None:
    """Measure, and print one table for each question."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rate", type=int, default=200, help="entries a second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--blocked", type=int, default=40, help="seconds a cell blocks the kernel")
    parser.add_argument("--worker", metavar="RUN", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        asyncio.run(emit(UUID(given.worker), given))
        return
    with tempfile.TemporaryDirectory(prefix="collector-", dir="/tmp") as folder:
        # The account that PostgreSQL runs under must be able to pass through.
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        os.environ |= {"COLLECTOR_HOME": str(home), "JUPYTER_CONFIG_DIR": f"{folder}/config"}
        for name in ("DATABASE_URL", "OXYLABS_USERNAME", "OXYLABS_PASSWORD", "OXYLABS_URL"):
            os.environ.pop(name, None)
        try:
            with serving() as server:
                asyncio.run(measure(server, given))
        finally:
            stop_server(home)


# The worker, a process of its own.


async def emit(run_id: UUID, given: argparse.Namespace) -> None:
    """Emit entries at a steady rate, block for a while, emit a few more, end the run."""
    database = open_database(Settings.read())
    engine = database.async_engine(pool_size=2)
    stream = ActivityStream(run_id)
    writer = ActivityWriter(engine, run_id)
    writing = asyncio.create_task(writer.write())
    await emit_for(stream, writer, seconds=given.seconds, rate=given.rate)
    if given.blocked:
        await asyncio.sleep(0.5)
        time.sleep(given.blocked)  # noqa: ASYNC251 - as a cell blocks the kernel's loop
        await emit_for(stream, writer, seconds=1, rate=given.rate)
    writer.close()
    await writing
    with database.engine().begin() as conn:
        moves.move(conn, run_id, RunStatus.COMPLETED)
    await engine.dispose()
    database.dispose()


async def emit_for(
    stream: ActivityStream, writer: ActivityWriter, *, seconds: int, rate: int
) -> None:
    """Emit `rate` entries a second, evenly."""
    began = time.monotonic()
    for number in range(seconds * rate):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        entry = ActivityEntry(
            worker_id=1 + number % 5,
            phase=Phase.SELLER_SEARCH,
            action=Action.INSERTED,
            category=CATEGORY.title,
            product_name="Wireless earbuds with a charging case, 40 hours, waterproof",
            seller_found=f"seller-{number}",
            new_sellers_count=3,
            items_count=24,
            duration_ms=5200,
            params={"page": 1, "unmatched": 2},
        )
        writer.offer(stream.publish(entry))


# The server, and what it costs.


@dataclass(frozen=True)
class Served:
    """A `collector serve`."""

    port: int
    token: str
    pid: int

    def memory_mb(self) -> float:
        """What it holds."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def cpu_s(self) -> float:
        """What it used of the processors so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving():
    """A `collector serve` on a free port."""
    command = [sys.executable, "-m", "collector.cli", "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline().split("127.0.0.1:")[1].split("/")[0])
        token = process.stdout.readline().removeprefix("Token: ").strip()
        yield Served(port, token, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


# The clients.


@dataclass
class Client:
    """One reader, and what it was given."""

    latencies: array = field(default_factory=lambda: array("d"))
    last_id: int = 0
    missed: int = 0
    out_of_order: int = 0
    keepalives: list[float] = field(default_factory=list)
    times: array = field(default_factory=lambda: array("d"))
    ended: bool = False

    def take(self, frame: bytes) -> None:
        """Take one event."""
        if frame.startswith(b"id: "):
            now = time.time()
            entry_id = int(frame[4 : frame.index(b"\n")])
            self.out_of_order += entry_id != self.last_id + 1
            self.last_id = entry_id
            at = frame.index(STAMP) + len(STAMP)
            sent = datetime.fromisoformat(frame[at : frame.index(b'"', at)].decode())
            self.latencies.append((now - sent.timestamp()) * 1000)
            self.times.append(now)
        elif frame.startswith(b": keepalive"):
            self.keepalives.append(time.time())
        elif frame.startswith(b"event: gap"):
            self.missed += 1
        elif frame.startswith(b"event: end"):
            self.ended = True

    async def read(self, server: Served, run_id: UUID) -> None:
        """Read until the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request(server, run_id))
        await reader.readuntil(b"\r\n\r\n")
        rest = b""
        while got := await reader.read(65536):
            *frames, rest = (rest + got).split(b"\n\n")
            for frame in frames:
                self.take(frame)
        writer.close()


def request(server: Served, run_id: UUID) -> bytes:
    # HTTP/1.0: the body comes as it is, without the lengths of chunks between.
    return (
        f"GET /collector/runs/{run_id}/activity?after=0 HTTP/1.0\r\nHost: 127.0.0.1\r\n"
        f"Authorization: token {server.token}\r\n\r\n"
    ).encode()


async def read_slowly(server: Served, run_id: UUID) -> None:
    """Read a byte a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.write(request(server, run_id))
    try:
        while await reader.read(1):  # noqa: ASYNC110 - it waits on purpose
            await asyncio.sleep(1)
    finally:
        writer.close()


async def measure(server: Served, given: argparse.Namespace) -> None:
    """Let all of them read one run."""
    database = open_database(Settings.read())
    with database.engine().begin() as conn:
        run_id = runs.create(
            conn,
            name="benchmark",
            categories=[CATEGORY],
            options=RunOptions(),
            source=Source.SANDBOX,
            budget=None,
            sandbox_day=0,
        )
        moves.move(conn, run_id, RunStatus.RUNNING)
    clients = [Client() for _ in range(given.clients)]
    reading = [asyncio.create_task(c.read(server, run_id)) for c in clients]
    slow = asyncio.create_task(read_slowly(server, run_id))
    await asyncio.sleep(2)
    arguments = [f"--{n}={getattr(given, n)}" for n in ("rate", "seconds", "blocked")]
    worker = await asyncio.create_subprocess_exec(
        sys.executable, __file__, f"--worker={run_id}", *arguments
    )
    while not clients[0].last_id:  # noqa: ASYNC110 - the client has nobody to tell
        await asyncio.sleep(0.01)
    cpu, memory = server.cpu_s(), [server.memory_mb()]
    for _ in range(given.seconds):
        await asyncio.sleep(1)
        memory.append(server.memory_mb())
    used = server.cpu_s() - cpu
    await asyncio.wait(reading)
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    assert await worker.wait() == 0
    database.dispose()
    show(given, clients, memory=memory, cpu=used / given.seconds)


def show(
    given: argparse.Namespace, clients: list[Client], *, memory: list[float], cpu: float
) -> None:
    """Print the tables."""
    steady = given.seconds * given.rate
    latencies = sorted(ms for client in clients for ms in client.latencies[:steady])
    whole = sum(
        c.ended and not c.missed and not c.out_of_order and len(c.latencies) == c.last_id
        for c in clients
    )
    early = statistics.median(memory[len(memory) // 4 : len(memory) // 2])
    late = statistics.median(memory[-max(1, len(memory) // 4) :])
    rows = {
        "clients, and one that reads a byte a second": given.clients,
        "entries a second, seconds": f"{given.rate}, {given.seconds}",
        "clients that got every entry in order": f"{whole} of {given.clients}",
        "gaps told": sum(c.missed for c in clients),
        "emit to client, median": f"{at(latencies, 0.5):.0f} ms",
        "emit to client, p99": f"{at(latencies, 0.99):.0f} ms",
        "emit to client, slowest": f"{latencies[-1]:.0f} ms",
        "server, of one processor": f"{cpu:.0%}",
        "server memory, second quarter → last": f"{early:.0f} → {late:.0f} MB",
    }
    if given.blocked:
        client = clients[0]
        pauses = [b - a for a, b in zip(client.times, client.times[1:], strict=False)]
        longest = max(range(len(pauses)), key=pauses.__getitem__)
        kept = [k for k in client.keepalives if client.times[longest] < k]
        kept = [k for k in kept if k < client.times[longest + 1]]
        after = sorted(client.latencies[longest + 1 :])
        rows["a blocked kernel: seconds, keepalives"] = f"{pauses[longest]:.0f}, {len(kept)}"
        rows["the entries after it, slowest"] = f"{after[-1]:.0f} ms"
    print("| activity stream | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


def at(ordered: list[float], share: float) -> float:
    """The value below which that share lies."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    main()
