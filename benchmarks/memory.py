"""Peak memory of a long run against that of a short one: it must not grow with the run.

Each run has a process, a database and a sandbox of its own, and a viewer that takes every entry.

    python benchmarks/memory.py            1,000 products against 20,000 (some minutes)
    python benchmarks/memory.py --quick    200 against 2,000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from collector.activity import get_activity_stream
from collector.collection import CollectionService
from collector.database import open_database
from collector.embedded import stop_server
from collector.models import Category, RunOptions
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.upstream import Upstream
from collector.words import Source

RESULTS = Path(__file__).parent / "results" / "memory.json"
ALLOWED_RATIO = 1.2
# A list of the sandbox holds at most a hundred products; some are shared or have no price.
LIST_LENGTH = 100
SEARCHED_A_LIST = 70


def peak_mb() -> float:
    """The most memory this process has had resident, in MB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not ru_maxrss: on Linux that begins with what the parent had.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


async def measure(products: int, home: Path) -> dict[str, Any]:
    """Run over as many lists as bring about that many products."""
    with SandboxProcess(
        latency_s=0, day=0, options={"list-length": LIST_LENGTH, "page-cap": 4}
    ) as sandbox:
        settings = Settings(
            database_url=None,
            collector_home=home,
            oxylabs_username=None,
            oxylabs_password=None,
            oxylabs_url=sandbox.url,
        )
        database = open_database(settings)
        upstream = Upstream(settings)
        service = CollectionService(database, connect=upstream.connect, source=Source.SANDBOX)
        lists = -(-products // SEARCHED_A_LIST)
        categories = [Category(f"{1000 + n}", "Lists", f"{n}", "", True) for n in range(lists)]
        run_id = await service.create(categories, options=RunOptions(pages_per_search=1))
        viewer = get_activity_stream().stream(run_id).subscribe()
        before_mb, began = peak_mb(), time.perf_counter()
        task = service.start(run_id)[1]
        entries = 0
        async for _ in viewer:
            entries += 1
        progress = await task
        seconds = time.perf_counter() - began
        await service.close()
        database.dispose()
    assert progress.status == "completed", progress
    assert progress.failed_items == 0, progress
    return {
        "products": progress.products_searched,
        "requests": progress.requests,
        "entries": entries,
        "seconds": round(seconds, 1),
        "before_mb": round(before_mb, 1),
        "peak_mb": round(peak_mb(), 1),
    }


def in_a_process(products: int) -> dict[str, Any]:
    """Measure in a fresh process over a fresh PostgreSQL."""
    # A short path that every account can pass through: fit for PostgreSQL's sockets.
    with tempfile.TemporaryDirectory(prefix="collector-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o711)
        try:
            done = subprocess.run(
                [sys.executable, __file__, "--worker", str(products), "--home", str(home)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        finally:
            stop_server(home)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> int:
    """Print one table; 1 where memory grows with the run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="a tenth of the products")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(asyncio.run(measure(given.worker, given.home))))
        return 0
    short, long = (200, 2_000) if given.quick else (1_000, 20_000)
    rows = [in_a_process(products) for products in (short, long)]
    ratio = round(rows[1]["peak_mb"] / rows[0]["peak_mb"], 3)
    print(" products  requests  entries  seconds  before MB  peak MB")
    for row in rows:
        print(
            f"{row['products']:>9,}{row['requests']:>10,}{row['entries']:>9,}{row['seconds']:>9}"
            f"{row['before_mb']:>11}{row['peak_mb']:>9}"
        )
    print(f"peak of the long run / peak of the short one: {ratio} (at most {ALLOWED_RATIO})")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps({"quick": given.quick, "runs": rows, "ratio": ratio}, indent=1) + "\n"
    )
    return int(ratio > ALLOWED_RATIO)


if __name__ == "__main__":
    sys.exit(main())
