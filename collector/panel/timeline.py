"""The timeline: runs and edits in one order, as the words and numbers that the history shows.

Pure: rows of frames in, JSON-able values out. Nothing here is markup, and nothing may be put into
markup unescaped: names come from strangers. Moments are epoch milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from collector.panel.sentences import count, epoch_ms, printable, span
from collector.panel.view import STATUSES
from collector.words import RunStatus, Source

# One entry of the timeline as the browser gets it, and what choosing one shows.
Moment = dict[str, Any]
Detail = dict[str, Any]
Frame = Any

NAMES_SHOWN: Final = 200
CATEGORIES_SHOWN: Final = 6

# What an edit is called: with a name, and with several.
_VERBS: Final = {
    "add": "Added",
    "remove": "Removed",
    "edit": "Renamed",
    "flag": "Flagged",
    "unflag": "Unflagged",
    "undo": "Undid edit",
    "redo": "Did again edit",
}
# The sections of a run's delta: title, sign, tone, what it means.
_RUN_SECTIONS: Final = {
    "new": ("Added to the list", "+", "ok", ""),
    "not_seen": (
        "Not seen again",
        "−",
        "bad",
        "The run before saw them; all their products were searched again. They stay on the list.",
    ),
    "returning": (
        "Returning",
        "↺",
        "calm",
        "On the list already, though the run before did not see them.",
    ),
}
# The sections of an edit: title, sign, tone.
_EDIT_SECTIONS: Final = {
    "added": ("Added", "+", "ok"),
    "removed": ("Removed", "−", "bad"),
    "renamed": ("Renamed", "→", "calm"),
    "flagged": ("Flagged", "⚑", "warn"),
    "unflagged": ("Flag taken away", "⚐", "calm"),
    "edited": ("Note changed", "✎", "calm"),
}


def rows_of(frame: Frame) -> list[dict[str, Any]]:
    """A frame's rows, what is missing as None."""
    return [plain(row) for row in frame.to_dict("records")]


def plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """One row, what is missing as None."""
    return {str(key): None if _is_missing(value) else value for key, value in row.items()}


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, float) and math.isnan(value)


def timeline(runs: Iterable[Mapping[str, Any]], edits: Iterable[Mapping[str, Any]]) -> list[Moment]:
    """Return runs and edits in one order, newest first; runs that have not ended stand on top.

    Args:
        runs: rows of the `runs` frame.
        edits: rows of the `edits` frame.
    """
    moments = [*map(_run, runs), *map(_edit, edits)]
    # A run stands where it ended: so the counts follow one another as the list grew.
    return sorted(moments, key=lambda m: (m["open"], m["at"]), reverse=True)


def _run(row: Mapping[str, Any]) -> Moment:
    status = RunStatus(row["status"])
    words, mark, tone = STATUSES[status]
    took = row["seconds"]
    ended = row["finished_at"]
    return {
        "key": f"run:{row['run_id']}",
        "kind": "run",
        "mark": "▶",
        "title": printable(row["name"]) or "Run",
        "aside": f"{mark} {words}",
        "tone": tone,
        "open": ended is None,
        "at": epoch_ms(ended or row["started_at"] or row["created_at"]),
        "delta": int(row["sellers_new"]),
        "count": _whole(row["seller_count_snapshot"]),
        "took": "" if took is None else span(took),
        "sandbox": row["source"] == Source.SANDBOX,
    }


def _edit(row: Mapping[str, Any]) -> Moment:
    return {
        "key": f"edit:{row['audit_id']}",
        "kind": "edit",
        "mark": "✎",
        "title": _edit_title(row),
        "aside": f"by {printable(row['actor'], longest=40)}",
        "tone": "calm",
        "open": False,
        "at": epoch_ms(row["created_at"]),
        "delta": int(row["change"]),
        "count": int(row["seller_count_snapshot"]),
        "took": "",
        "sandbox": False,
    }


def _edit_title(row: Mapping[str, Any]) -> str:
    action, number = row["action"], int(row["affected_count"])
    verb = _VERBS.get(action, printable(action, longest=20).capitalize())
    if action in {"undo", "redo"}:
        return f"{verb} {row['undoes_id']}"
    if row["source"] == "import":
        return f"Imported {count(number, 'seller')}"
    name = printable(row["seller_name"], longest=64)
    if action == "edit" and number == 1:
        return f"Renamed to {name}"
    more = f" and {number - 1:,} more" if number > 1 else ""
    return f"{verb} {name}{more}" if name else f"{verb} {count(number, 'seller')}"


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def figures(moments: Sequence[Moment]) -> dict[str, Any]:
    """What stands above the timeline: the sellers on the list, how much happened, the curve.

    The curve has the counts of at most the 200 latest moments, the oldest first.
    """
    runs = sum(moment["kind"] == "run" for moment in moments)
    counts = [m["count"] for m in moments if m["count"] is not None]
    return {
        "sellers": counts[0] if counts else None,
        "runs": count(runs, "run"),
        "edits": count(len(moments) - runs, "edit"),
        "curve": counts[:200][::-1],
    }


def run_detail(
    row: Mapping[str, Any],
    delta: Iterable[Mapping[str, Any]],
    *,
    before: Mapping[str, Any] | None = None,
    marks: Sequence[str] = (),
) -> Detail:
    """Return what choosing a run shows.

    Args:
        row: the run's row of the `runs` frame.
        delta: rows of its delta (`analysis.DELTAS`).
        before: the row of the run it is compared with.
        marks: sentences that say what to know about the comparison.
    """
    moment = _run(row)
    names: dict[str, list[str]] = {}
    for seller in delta:
        gone = " (taken off since)" if seller["removed"] else ""
        name = printable(seller["display_name"], longest=64)
        names.setdefault(str(seller["status"]), []).append(name + gone)
    sections = [
        _section(title, sign, tone, names.get(status, []), hint)
        for status, (title, sign, tone, hint) in _RUN_SECTIONS.items()
    ]
    seen = len(names.get("retained", []))
    unknown = len(names.get("out_of_scope", []))
    told = []
    if before is not None:
        told.append(f"Compared with “{printable(before['name'], longest=80)}”.")
    if seen:
        told.append(f"{count(seen, 'seller')} seen by both runs.")
    if unknown:
        told.append(f"Nothing can be said of {unknown:,}: their products were not searched again.")
    return {
        "key": moment["key"],
        "title": moment["title"],
        "badge": moment["aside"],
        "tone": moment["tone"],
        "sandbox": moment["sandbox"],
        "again": str(row["run_id"]),
        "facts": _run_facts(row),
        "notes": [*told, *marks],
        "sections": [s for s in sections if s["total"] or s["title"] == "Added to the list"],
        "more": f"deltas(“{str(row['run_id'])[:8]}”) has them all",
    }


def _run_facts(row: Mapping[str, Any]) -> list[list[Any]]:
    categories = str(row["category_names"] or "").split("; ")
    shown = "; ".join(printable(name, longest=80) for name in categories[:CATEGORIES_SHOWN])
    rest = len(categories) - CATEGORIES_SHOWN
    budget = "" if row["budget"] is None else f" of {int(row['budget']):,}"
    searched = f"{int(row['products_searched']):,} of {int(row['products_total']):,}"
    facts: list[list[Any]] = [
        ["Started", epoch_ms(row["started_at"] or row["created_at"])],
        ["Took", "not ended yet" if row["seconds"] is None else span(row["seconds"])],
        ["Categories", shown + (f" and {rest} more" if rest > 0 else "")],
        ["Products searched", searched],
        ["Requests", f"{int(row['requests']):,}{budget}"],
    ]
    cost = row["requests_per_new_seller"]
    facts.append(["Requests per new seller", "none was new" if cost is None else f"{cost:,.1f}"])
    if row["products_covered"]:
        facts.insert(4, ["Not due", count(int(row["products_covered"]), "product")])
    if row["failed_items"]:
        facts.append(["Failed", count(int(row["failed_items"]), "item")])
    return facts


def edit_detail(row: Mapping[str, Any], changes: Iterable[Mapping[str, Any]]) -> Detail:
    """Return what choosing an edit shows.

    Args:
        row: its row of the `edits` frame.
        changes: rows of its `changes` frame.
    """
    moment = _edit(row)
    names: dict[str, list[str]] = {}
    for change in changes:
        names.setdefault(str(change["change"]), []).append(_changed(change))
    return {
        "key": moment["key"],
        "title": moment["title"],
        "badge": "Import" if row["source"] == "import" else "Edit",
        "tone": "calm",
        "sandbox": False,
        "again": None,
        "facts": [
            ["When", moment["at"]],
            ["By", printable(row["actor"], longest=60)],
            ["Edit", f"{int(row['audit_id']):,}"],
        ],
        "notes": [],
        "sections": [
            _section(title, sign, tone, names[kind])
            for kind, (title, sign, tone) in _EDIT_SECTIONS.items()
            if kind in names
        ],
        "more": "audit_log() has every entry",
    }


def _changed(change: Mapping[str, Any]) -> str:
    old, new = (printable(change[key], longest=64) for key in ("old_name", "new_name"))
    if change["change"] == "renamed":
        return f"{old} → {new}"
    note = printable(change["new_note"])
    if change["change"] in {"flagged", "edited"} and note:
        return f"{new or old} · {note}"
    return new or old


def _section(title: str, sign: str, tone: str, names: Sequence[str], hint: str = "") -> Detail:
    return {
        "title": title,
        "sign": sign,
        "tone": tone,
        "hint": hint,
        "total": len(names),
        "names": list(names[:NAMES_SHOWN]),
    }
