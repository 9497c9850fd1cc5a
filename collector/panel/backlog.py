"""The backlog: which entries a panel keeps so that a late viewer sees what an early one sees.

Flat memory: the 100 newest entries of each filter (every item also has an entry that says it
begins, which would crowd out the outcomes), and 100 of each worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from collector.models import ActivityEntry
from collector.panel.sentences import FILTERS, MARKS, Row, row
from collector.words import Action

ROWS = 100
# Trouble is judged on the latest outcomes, and not before there are a few.
TROUBLE_WINDOW = 20
TROUBLE_NEEDS = 6

_KEYS = {kind: [key for key, _, kinds in FILTERS if kind in kinds] for kind in MARKS}
_SUCCESSES = frozenset({Action.INSERTED, Action.DEDUPED, Action.FOUND, Action.UPDATED})


class Backlog:
    """What a panel remembers of its run's activity: the newest entries per filter and worker."""

    def __init__(self) -> None:
        self.last_id = 0
        self.last_failure = ""
        self._logs: dict[str, deque[Row]] = {key: deque(maxlen=ROWS) for key, _, _ in FILTERS}
        self._workers: dict[int, deque[Row]] = {}
        self._succeeded: deque[bool] = deque(maxlen=TROUBLE_WINDOW)

    def add(self, entries: Iterable[ActivityEntry]) -> list[Row]:
        """Remember entries, and return them as the browser gets them, oldest first."""
        rows = []
        for entry in entries:
            if entry.id <= self.last_id:
                continue
            self.last_id = entry.id
            line = row(entry)
            rows.append(line)
            for key in _KEYS[line[4]]:
                self._logs[key].append(line)
            self._workers.setdefault(entry.worker_id, deque(maxlen=ROWS)).append(line)
            if entry.action is Action.ERROR:
                self._succeeded.append(False)
                self.last_failure = entry.error_message or ""
            elif entry.action in _SUCCESSES:
                self._succeeded.append(True)
            elif entry.action is Action.RESUMED:
                self._succeeded.clear()
        return rows

    def newest(self) -> list[Row]:
        """The entries a new viewer begins with, oldest first: at most 200, each once."""
        both = (*self._logs["outcomes"], *self._logs["steps"])
        return sorted({line[0]: line for line in both}.values())

    def log(self, name: str, *, worker: int | None = None) -> list[Row]:
        """The newest entries of one filter, or of one worker, oldest first."""
        return list(self._logs.get(name, ()) if worker is None else self._workers.get(worker, ()))

    def failing(self) -> tuple[int, int] | None:
        """`(failures, outcomes)` lately, where failures outnumber successes; otherwise None."""
        return outnumbered(self._succeeded)


def outnumbered(succeeded: Sequence[bool]) -> tuple[int, int] | None:
    """Whether failures outnumber successes among enough outcomes, and how many they are."""
    failures = len(succeeded) - sum(succeeded)
    if len(succeeded) >= TROUBLE_NEEDS and 2 * failures > len(succeeded):
        return failures, len(succeeded)
    return None
