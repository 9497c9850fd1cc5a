"""The seller list as plain Python: sets, dicts and a log, without any SQL.

It says what every edit, undo and run has to do to the list; the real one is held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Seen = tuple[str, bool, str]  # name as shown, whether flagged, note


def norm(name: str) -> str:
    return name.casefold()


@dataclass(eq=False)
class S:
    """A seller."""

    name: str
    on_list: bool = True
    flagged: bool = False
    note: str = ""
    # Nobody but an undo took it off: then a run may find it again.
    taken_off: bool = False


@dataclass(eq=False)
class ModelRun:
    """What a run saw: by product, its sellers; and whom it added."""

    products: list[str]
    saw: dict[str, set[S]] = field(default_factory=dict)
    new: set[S] = field(default_factory=set)
    ended_at: int | None = None
    completed: bool = False

    @property
    def sellers(self) -> set[S]:
        return {seller for found in self.saw.values() for seller in found}


# What an edit did to one seller, as a pair of functions that say whether they changed anything.
Step = tuple[Callable[[], bool], Callable[[], bool]]


class ListModel:
    """The list. `history[n]` is what stood on it right after audit entry n."""

    def __init__(self) -> None:
        self.sellers: list[S] = []
        self.former: dict[str, S] = {}
        self.history: list[dict[S, Seen]] = [{}]
        self._done: list[list[Step]] = []
        self._undone: list[list[Step]] = []

    def on_the_list(self) -> dict[S, Seen]:
        return {s: (s.name, s.flagged, s.note) for s in self.sellers if s.on_list}

    def _logged(self) -> None:
        self.history.append(self.on_the_list())

    def _bearer(self, name: str) -> S | None:
        return next((s for s in self.sellers if norm(s.name) == norm(name)), None)

    def _meant(self, name: str) -> S | None:
        return self.former.get(norm(name)) or self._bearer(name)

    def _edit(self, steps: list[Step]) -> int:
        if steps:
            for forwards, _ in steps:
                assert forwards()
            self._done.append(steps)
            self._undone.clear()
            self._logged()
        return len(steps)

    def add(self, names: Iterable[str], note: str = "") -> int:
        steps: list[Step] = []
        first = {}
        for name in names:
            first.setdefault(norm(name), name)
        for name in first.values():
            if norm(name) in self.former:
                continue
            seller = self._bearer(name)
            if seller is None:
                seller = S(name, on_list=False, note=note)
                self.sellers.append(seller)
                had = note
            elif seller.on_list:
                continue
            else:
                had = seller.note
            steps.append(self._adding(seller, had, note or had))
        return self._edit(steps)

    def _adding(self, seller: S, had: str, note: str) -> Step:
        def forwards() -> bool:
            if seller.on_list:
                return False
            seller.on_list, seller.note = True, note
            return True

        def backwards() -> bool:
            if not seller.on_list:
                return False
            seller.on_list, seller.note = False, had
            return True

        return forwards, backwards

    def remove(self, names: Iterable[str]) -> int:
        meant = {s for name in names if (s := self._meant(name)) and s.on_list}
        return self._edit([self._removing(s) for s in meant])

    def _removing(self, seller: S) -> Step:
        def forwards() -> bool:
            if not seller.on_list:
                return False
            seller.on_list, seller.taken_off = False, True
            return True

        def backwards() -> bool:
            if seller.on_list:
                return False
            seller.on_list = True
            return True

        return forwards, backwards

    def flag(self, names: Iterable[str], *, flagged: bool, note: str | None) -> int:
        meant = {s for name in names if (s := self._meant(name)) and s.on_list}
        changed = [s for s in meant if s.flagged != flagged or note not in (None, s.note)]
        return self._edit([self._flagging(s, flagged, note) for s in changed])

    def _flagging(self, seller: S, flagged: bool, note: str | None) -> Step:
        had = (seller.flagged, seller.note)
        gets = (flagged, seller.note if note is None else note)

        def put(values: tuple[bool, str]) -> bool:
            seller.flagged, seller.note = values
            return True

        return (lambda: put(gets)), (lambda: put(had))

    def rename(self, name: str, new: str) -> int:
        seller = self._meant(name)
        if seller is None or not seller.on_list or seller.name == new:
            return 0
        if self._bearer(new) not in (None, seller):
            return 0
        if self.former.get(norm(new), seller) is not seller:
            return 0
        return self._edit([self._renaming(seller, new)])

    def _renaming(self, seller: S, new: str) -> Step:
        old, was_former = seller.name, norm(new) in self.former

        def forwards() -> bool:
            if seller.name != old or self._bearer(new) not in (None, seller):
                return False
            seller.name = new
            self.former.pop(norm(new), None)
            if norm(old) != norm(new):
                self.former[norm(old)] = seller
            return True

        def backwards() -> bool:
            if seller.name != new:
                return False
            seller.name = old
            self.former.pop(norm(old), None)
            if was_former:
                self.former[norm(new)] = seller
            return True

        return forwards, backwards

    def undo(self) -> int | None:
        """How many sellers it changed; None where there is nothing to undo."""
        if not self._done:
            return None
        steps = self._done.pop()
        self._undone.append(steps)
        changed = sum([backwards() for _, backwards in steps])
        self._logged()
        return changed

    def redo(self) -> int | None:
        if not self._undone:
            return None
        steps = self._undone.pop()
        self._done.append(steps)
        changed = sum([forwards() for forwards, _ in steps])
        self._logged()
        return changed

    def search(self, run: ModelRun, product: str, names: Iterable[str]) -> int:
        """A run sees sellers; returns how many that adds to the list."""
        found: set[S] = set()
        added = 0
        for name in names:
            seller = self._meant(name)
            if seller is None:
                seller = S(name, on_list=False)
                self.sellers.append(seller)
            found.add(seller)
            if not seller.on_list and not seller.taken_off:
                seller.on_list = True
                run.new.add(seller)
                added += 1
        run.saw[product] = found
        if added:
            self._logged()
        return added

    def end(self, run: ModelRun, *, completed: bool) -> None:
        run.ended_at, run.completed = len(self.history) - 1, completed


def expected_delta(now: ModelRun, before: ModelRun) -> dict[S, str]:
    """The status of each seller that one of two runs saw."""
    statuses = {}
    for seller in now.sellers | before.sellers:
        under = {product for product, found in before.saw.items() if seller in found}
        if seller in now.sellers and seller in before.sellers:
            statuses[seller] = "retained"
        elif seller in now.sellers:
            statuses[seller] = "new" if seller in now.new else "returning"
        else:
            statuses[seller] = "not_seen" if under <= set(now.saw) else "out_of_scope"
    return statuses
