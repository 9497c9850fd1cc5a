"""Server-sent events: entries of the activity log as the text that a stream sends.

Pure: values in, bytes out. Titles and names in an entry come from strangers; they stand in its
JSON, on one line, so that nothing in them can be taken for a frame. The format and the meaning of
`id`, `retry` and comments: WHATWG HTML Standard, "Server-sent events".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from collector.errors import UsageError
from collector.words import Action, RunStatus

RETRY_MS = 2_000
# Whoever does not close the stream at its end asks again, in case failed items are sent again.
ENDED_RETRY_MS = 60_000
KEEPALIVE = b": keepalive\n\n"
OPENING = f"retry: {RETRY_MS}\n\n".encode()

# The ends of a line, by the standard.
_LINE_END = re.compile(r"\r\n|\r|\n")
# What PostgreSQL's bigint holds, and no sign.
_POSITION = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """A row of the activity log, framed once for everybody who watches.

    A `gap` row stands for entries that its run's owner could not keep, up to and with its own id.
    """

    id: int
    is_gap: bool
    frame: bytes

    @classmethod
    def of(cls, entry_id: int, action: str, entry: str) -> LoggedEntry:
        """The row with that id; `entry` is its JSON."""
        return cls(entry_id, action == Action.GAP, frame(entry, event_id=entry_id))


def frame(
    text: str,
    *,
    event: str | None = None,
    event_id: int | None = None,
    retry_ms: int | None = None,
) -> bytes:
    """One event. Lines of `text` stay lines of its data; what is no Unicode becomes a `?`."""
    lines = [] if event is None else [f"event: {event}"]
    if event_id is not None:
        lines.append(f"id: {event_id}")
    if retry_ms is not None:
        lines.append(f"retry: {retry_ms}")
    lines += [f"data: {line}" for line in _LINE_END.split(text)]
    return ("\n".join(lines) + "\n\n").encode(errors="replace")


def gap_frame(missed: int, *, last_id: int) -> bytes:
    """Tells that `missed` entries, the last of them `last_id`, are not in this stream."""
    told = json.dumps({"missed": missed, "last_id": last_id})
    return frame(told, event="gap", event_id=last_id)


def end_frame(status: RunStatus) -> bytes:
    """Tells how the run ended: nothing follows."""
    return frame(json.dumps({"status": status.value}), event="end", retry_ms=ENDED_RETRY_MS)


def frames_after(entries: Iterable[LoggedEntry], *, after: int) -> tuple[list[bytes], int]:
    """The frames of what follows `after`, gaps among them, and the id that they lead to.

    Ids of a run have no holes: where one shows, entries were pruned or lost.
    """
    frames: list[bytes] = []
    for entry in entries:
        if entry.id <= after:
            continue
        last_missed = entry.id if entry.is_gap else entry.id - 1
        if last_missed > after:
            frames.append(gap_frame(last_missed - after, last_id=last_missed))
        if not entry.is_gap:
            frames.append(entry.frame)
        after = entry.id
    return frames, after


def position(*, last_event_id: str | None, after: str | None) -> int | None:
    """The id after which a reader wants to go on; None for a newcomer.

    `Last-Event-ID` wins over `?after=`: a browser that connects again repeats its address.

    Raises:
        UsageError: it is no whole number.
    """
    for name, given in (("Last-Event-ID", last_event_id or None), ("after", after)):
        if given is not None:
            if not _POSITION.fullmatch(given):
                raise UsageError(f"{name} must be the id of an entry: a whole number from 0 on.")
            return int(given)
    return None
