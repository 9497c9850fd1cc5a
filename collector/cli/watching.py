"""Watching a run's activity line by line, from any process.

Reads the log itself and not a subscription: a log that is searched must not have gaps.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from collector.cli.summary import resumption
from collector.cli.terms import console, say
from collector.panel.sentences import row
from collector.store import activity_log
from collector.terminal import line_of, print_line

if TYPE_CHECKING:
    from collector.models import ActivityEntry
    from collector.workbench import Workbench

LOOK_EVERY_S: Final = 0.4


def watch_run(bench: Workbench, run_id: str, *, as_json: bool) -> None:
    """Print what is kept of a run's activity, then what comes, until the run has ended."""
    out = console()
    run = bench.attach(run_id)

    def tell(entry: ActivityEntry) -> None:
        if as_json:
            print(entry.model_dump_json(exclude_none=True), flush=True)
        else:
            print_line(out, line_of(row(entry)))

    last, told = 0, [""]
    while True:
        with bench.database.engine().connect() as conn:
            # Asked before the entries: those of an ended run are all there.
            ended = activity_log.ended(conn, run.id)
            entries = activity_log.read(conn, run.id, after=last)
        for entry in entries:
            tell(entry)
            last = entry.id
        if entries:
            continue
        if ended:
            return
        standing = resumption(run.progress(), short_id=run.short_id)
        if standing and standing != told:
            for line in standing:
                say(line)
        told = standing
        time.sleep(LOOK_EVERY_S)
