"""The sellers grid: the whole list at hand, searched, sorted and edited.

The browser draws the rows in sight and asks for them as it scrolls; the list, its order and who
is chosen stay in the kernel. Edits are callbacks: each is an audit entry of the workbench's own,
and what it tells stands in the grid. Everything is done on one thread of the grid's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import anywidget
import traitlets

from collector.errors import UsageError
from collector.panel.aside import Aside
from collector.panel.front_end import script
from collector.panel.grid_picture import grid_picture
from collector.panel.grid_rows import COLUMNS, FILTERS, Frame, GridRows, next_sort
from collector.panel.sentences import count, printable
from collector.panel.shown import Shown
from collector.panel.static_picture import stylesheet

FIRST_ROWS: Final = 60
ROWS_ABOVE: Final = 10
MOST_ROWS: Final = 500
TOLD_SHOWN: Final = 4
LONGEST_SEARCH: Final = 200


class Edited(Protocol):
    """What an edit did."""

    @property
    def affected(self) -> int:
        """How many sellers it changed."""

    @property
    def told(self) -> Mapping[str, str]:
        """Why a name was left as it was, by name."""


@dataclass(frozen=True, slots=True)
class SellersSource:
    """The list and its edits. All are called on a thread and may raise `CollectorError`.

    Attributes:
        sellers: the `sellers` frame, removed ones among them.
        add: puts names on the list, those that were taken off among them.
        remove: takes names off the list.
        rename: gives a seller another name.
        flag: flags names; a note replaces theirs.
        unflag: takes the flag from names.
        undo: undoes the latest edit.
        redo: does again what was undone last.
    """

    sellers: Callable[[], Frame]
    add: Callable[[list[str]], Edited]
    remove: Callable[[list[str]], Edited]
    rename: Callable[[str, str], Edited]
    flag: Callable[..., Edited]
    unflag: Callable[[list[str]], Edited]
    undo: Callable[[], Edited]
    redo: Callable[[], Edited]


class GridWidget(anywidget.AnyWidget):
    """The grid's half in the browser. `SellersGrid` owns it and alone changes it."""

    _esm = script("elements.js", "grid_body.js", "grid.js")
    _css = stylesheet() + script("grid.css")
    layout_of = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    first_rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    near = traitlets.Dict().tag(sync=True)
    note = traitlets.Dict().tag(sync=True)


class SellersGrid(Shown):
    """The seller list as a grid.

    Args:
        source: the list and its edits.
    """

    def __init__(self, source: SellersSource) -> None:
        super().__init__()
        self._source = source
        # The first time on the caller's thread: an error belongs into the cell that asks.
        self._rows = GridRows(source.sellers())
        self._version = 0
        self._aside = Aside("collector grid", on_error=self._complain)
        self.widget = GridWidget(
            layout_of={
                "columns": [[key, label, right] for key, label, _, right in COLUMNS],
                "filters": [list(entry) for entry in FILTERS],
            }
        )
        self.widget.on_msg(self._receive)
        self._renew()

    def __repr__(self) -> str:
        return f"SellersGrid(sellers={self._rows.listed}, selected={len(self._rows.chosen)})"

    @property
    def selected(self) -> list[str]:
        """The names of the sellers that are chosen, in the order shown."""
        return self._rows.chosen_names()

    def refresh(self) -> None:
        """Read the list again; look, choice and place stay."""
        self._rows.take(self._source.sellers())
        self._renew()

    def picture(self, *, beside: bool = False) -> str:
        """Return the grid's first rows as static HTML that needs no kernel and no network."""
        return grid_picture(self.widget.state, self.widget.first_rows, beside=beside)

    def close(self) -> None:
        """End the grid's thread; the live grid goes, and its picture stays."""
        self._aside.close()
        self._renew_pictures()
        self.widget.close()

    # ---- on the grid's thread

    def _renew(self, *, anchor: int | None = None) -> None:
        """Tell the browser that the rows are others than before."""
        self._version += 1
        at = None if anchor is None else self._rows.place_of(anchor)
        first = max(0, (at or 0) - ROWS_ABOVE)
        # What stood in sight is sent along, so that it does not vanish for a moment. All of it in
        # one update of traits: a message of its own could overtake them.
        with self.widget.hold_sync():
            self.widget.first_rows = self._rows.rows(0, FIRST_ROWS)
            self.widget.near = {
                "at": at,
                "first": first,
                "rows": [] if at is None else self._rows.rows(first, first + FIRST_ROWS),
            }
            self.widget.state = self._state()
        self._renew_pictures()

    def _state(self) -> dict[str, Any]:
        look = self._rows.look
        return {
            "version": self._version,
            "listed": self._rows.listed,
            "shown": self._rows.shown,
            "chosen": len(self._rows.chosen),
            "search": look.search,
            "filter": look.filter,
            "sort": look.sort,
            "descending": look.descending,
        }

    def _see(self, change: dict[str, Any]) -> None:
        self._rows.see(replace(self._rows.look, **change))
        self._renew()

    def _sort(self, key: str) -> None:
        self._see(next_sort(self._rows.look, key))

    def _send_rows(self, first: int, last: int) -> None:
        rows = self._rows.rows(first, min(last, first + MOST_ROWS))
        self.widget.send({"type": "rows", "version": self._version, "first": first, "rows": rows})

    def _choose(self, first: int, last: int, on: bool) -> None:
        self._rows.choose(first, last, on=on)
        self.widget.state = self._state()

    def _choose_all(self, on: bool) -> None:
        self._rows.choose_all(on=on)
        self._renew()

    def _copy(self) -> None:
        names = self._rows.chosen_names()
        self.widget.send({"type": "copy", "text": "\n".join(names), "count": len(names)})

    def _read_again(self, anchor: int | None) -> None:
        self._rows.take(self._source.sellers())
        self._renew(anchor=anchor)
        self._tell("The list was read again.", "calm")

    def _edit(self, verb: str, given: dict[str, Any], anchor: int | None) -> None:
        result = self._do(verb, given)
        self._rows.take(self._source.sellers())
        self._renew(anchor=anchor)
        told = [f"{printable(n, longest=64)} {printable(why)}" for n, why in result.told.items()]
        rest = len(told) - TOLD_SHOWN
        text = "; ".join(told[:TOLD_SHOWN]) + (f"; and {rest:,} more" if rest > 0 else "")
        done = _done(verb, result.affected)
        self._tell(f"{done} {text}." if text else done, "warn" if told else "ok", verb=verb)

    def _do(self, verb: str, given: dict[str, Any]) -> Edited:
        names = self._rows.chosen_names()
        match verb, given:
            case "add", {"names": str(text)}:
                return self._source.add(text.replace(",", "\n").split())
            case "put_back", _:
                return self._source.add(_some(names))
            case "remove", _:
                return self._source.remove(_some(names))
            case "rename", {"seller": int(seller_id), "name": str(new_name)}:
                name = self._rows.name_of(seller_id)
                if name is None:
                    raise UsageError("This seller is on the list no more: refresh the grid.")
                return self._source.rename(name, new_name)
            case "flag", {"note": str(note)}:
                return self._source.flag(_some(names), note=note.strip() or None)
            case "unflag", _:
                return self._source.unflag(_some(names))
            case "undo", _:
                return self._source.undo()
            case "redo", _:
                return self._source.redo()
        raise UsageError("The grid does not know what to do with that: refresh the page.")

    def _tell(self, text: str, tone: str, *, verb: str = "") -> None:
        self.widget.note = {"text": text, "tone": tone, "verb": verb}
        self.widget.send({"type": "done", "ok": tone != "bad"})

    def _complain(self, problem: str) -> None:
        self._tell(problem, "bad")

    # ---- messages from the browser, on whatever thread they arrive

    def _receive(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        anchor = message.get("anchor")
        anchor = anchor if isinstance(anchor, int) else None
        match message:
            case {"type": "rows", "first": int(first), "last": int(last)}:
                self._aside.do(self._send_rows, first, last)
            case {"type": "look", "search": str(search)}:
                self._aside.do(self._see, {"search": search[:LONGEST_SEARCH]})
            case {"type": "look", "filter": str(name)}:
                self._aside.do(self._see, {"filter": name})
            case {"type": "look", "sort": str(key)}:
                self._aside.do(self._sort, key)
            case {"type": "choose", "first": int(first), "last": int(last), "on": bool(on)}:
                self._aside.do(self._choose, first, last, on)
            case {"type": "choose_all", "on": bool(on)}:
                self._aside.do(self._choose_all, on)
            case {"type": "copy"}:
                self._aside.do(self._copy)
            case {"type": "refresh"}:
                self._aside.do(self._read_again, anchor)
            case {"type": "do", "verb": str(verb)}:
                self._aside.do(self._edit, verb, message, anchor)


def _some(names: Sequence[str]) -> list[str]:
    if not names:
        raise UsageError("Choose sellers first.")
    return list(names)


def _done(verb: str, affected: int) -> str:
    """What an edit did, in words."""
    sellers = count(affected, "seller")
    words = {
        "add": f"{sellers} added.",
        "put_back": f"{sellers} put back on the list.",
        "remove": f"{sellers} taken off the list. Undo brings them back.",
        "rename": "Renamed." if affected else "Not renamed:",
        "flag": f"{sellers} flagged.",
        "unflag": f"The flag was taken from {sellers}.",
        "undo": f"Undone: {sellers} changed.",
        "redo": f"Done again: {sellers} changed.",
    }
    return words[verb] if affected or verb == "rename" else "Nothing was changed:"
