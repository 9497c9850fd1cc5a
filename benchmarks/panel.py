"""What the live panel costs its kernel at 200 entries a second, shown in a real kernel.

The same scripted run is played twice in one kernel each, with the panel and without, by the usual
five workers and by a hundred; the cost is the CPU time of the kernel's process. No browser reads
along: what a kernel sends costs it the same.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
from measured import is_quick, keep, print_table
from nbclient import NotebookClient

RATE = 200
SECONDS = 5 if is_quick() else 30
WORKERS = (5, 100)
HERE = Path(__file__).resolve().parent
PLAY = """
import asyncio, json, time
from scripted_run import ScriptedRun
run = ScriptedRun(rate={rate}, products=10**6, workers={workers}).start()
"""
SHOW = "panel = run.panel()\npanel"
MEASURE = f"""
await asyncio.sleep(1)
cpu, wall, first = time.process_time(), time.monotonic(), run.stream.last_id
await asyncio.sleep({SECONDS})
wall = time.monotonic() - wall
print(json.dumps([(time.process_time() - cpu) / wall, (run.stream.last_id - first) / wall]))
"""


def measure(workers: int, *, panel: bool) -> tuple[float, float]:
    """The share of a core that the kernel took, and the entries a second that were played."""
    play = PLAY.format(rate=RATE, workers=workers)
    cells = [play, SHOW if panel else "None", MEASURE]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    share, rate = json.loads(notebook.cells[2].outputs[-1]["text"])
    return share, rate


def main() -> None:
    """Print the table."""
    path = [str(HERE.parent), str(HERE.parent / "tests" / "browser")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path)
    rows, figures = [], {}
    for workers in WORKERS:
        without, rate = measure(workers, panel=False)
        shown, shown_rate = measure(workers, panel=True)
        rows += [
            [f"{workers}", "without a panel", f"{rate:.0f}", f"{without:.1%}"],
            [f"{workers}", "with the panel", f"{shown_rate:.0f}", f"{shown:.1%}"],
            [f"{workers}", "the panel alone", "", f"{shown - without:.1%}"],
        ]
        figures[f"{workers} workers"] = {"without": without, "with": shown, "rate": rate}
    print_table(["workers", "kernel", "entries/s", "of a core"], rows)
    keep("panel", {**figures, "seconds": SECONDS})


if __name__ == "__main__":
    main()
