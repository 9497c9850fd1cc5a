"""Any sequence of runs, edits, undos, imports and crashes: the real list does what the model does.

Forty examples by default; `COLLECTOR_MODEL_EXAMPLES=1000` for the long way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from list_model import ListModel, ModelRun, expected_delta
from settled_runs import SettledRun
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from collector import analysis
from collector.database import Database
from collector.editing import SellerEditing
from collector.errors import DatabaseError, OwnershipLost, UsageError
from collector.reading import FrameReading
from collector.store import audit, edits, undoing
from collector.store.as_of import SELLERS_AS_OF
from collector.words import RunStatus
from tests.conftest import run_sql

EXAMPLES = int(os.environ.get("COLLECTOR_MODEL_EXAMPLES", "40"))
PRODUCTS = ("A1", "A2", "A3")
NAMES = st.sampled_from(["anna", "Anna", "bob", "BOB", "zoe", "eva", "straße"])
SOME = st.lists(NAMES, min_size=1, max_size=3)
NOTES = st.sampled_from(["", "n", "m"])

edit = st.one_of(
    st.tuples(st.just("add"), SOME, NOTES),
    st.tuples(st.just("import"), SOME),
    st.tuples(st.just("remove"), SOME),
    st.tuples(st.just("flag"), SOME, st.booleans(), st.one_of(st.none(), NOTES)),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)
operation = st.one_of(
    edit,
    edit,
    st.tuples(st.just("crashed edit"), edit, st.booleans()),
    st.tuples(st.just("launch"), st.sets(st.sampled_from(PRODUCTS), min_size=1)),
    st.tuples(st.just("search"), st.integers(0, 2), SOME),
    st.tuples(st.just("search"), st.integers(0, 2), SOME),
    st.tuples(st.just("crashed search"), st.integers(0, 2), SOME, st.booleans()),
    st.tuples(st.just("killed owner"), st.integers(0, 2)),
    st.tuples(st.just("end"), st.integers(0, 2), st.booleans()),
)


class Crash(Exception):
    """Ends a transaction from within."""


class Desk(FrameReading, SellerEditing):
    """The workbench's edits and frames, without runs."""

    def __init__(self, database: Database) -> None:
        self.database = database


class World:
    """The real list and the model, side by side."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.desk = Desk(database)
        self.model = ListModel()
        self.runs: list[tuple[SettledRun, ModelRun]] = []
        self._file = folder / "names.csv"

    def do(self, operation: tuple[Any, ...]) -> None:
        name, *arguments = operation
        getattr(self, f"_{name.replace(' ', '_')}")(*arguments)
        with self.database.engine().connect() as conn:
            assert audit.count(conn) == len(self.model.on_the_list())

    def _add(self, names: list[str], note: str) -> None:
        done = self.desk.add(names, note=note)
        assert done.affected == self.model.add(names, note)

    def _import(self, names: list[str]) -> None:
        self._file.write_text("name\n" + "\n".join(names), encoding="utf-8")
        assert self.desk.import_csv(self._file).affected == self.model.add(names)

    def _remove(self, names: list[str]) -> None:
        assert self.desk.remove(names).affected == self.model.remove(names)

    def _flag(self, names: list[str], flagged: bool, note: str | None) -> None:
        if flagged:
            done = self.desk.flag(names, note=note)
        else:
            note = None
            done = self.desk.unflag(names)
        assert done.affected == self.model.flag(names, flagged=flagged, note=note)

    def _rename(self, name: str, new: str) -> None:
        assert self.desk.rename(name, new).affected == self.model.rename(name, new)

    def _undo(self) -> None:
        self._turn(self.desk.undo, self.model.undo())

    def _redo(self) -> None:
        self._turn(self.desk.redo, self.model.redo())

    def _turn(self, turn: Callable[[], edits.Edit], expected: int | None) -> None:
        if expected is None:
            with pytest.raises(UsageError):
                turn()
        else:
            assert turn().affected == expected

    def _crashed_edit(self, operation: tuple[Any, ...], killed: bool) -> None:
        """The whole edit, and then its transaction does not commit."""
        name, *given = operation

        def doomed(conn: Connection) -> None:
            match name:
                case "add" | "import":
                    edits.add(conn, given[0], actor="ana")
                case "remove":
                    edits.remove(conn, given[0], actor="ana")
                case "flag":
                    edits.flag(conn, given[0], actor="ana", flagged=given[1], note=given[2])
                case "rename":
                    edits.rename(conn, given[0], given[1], actor="ana")
                case _:
                    getattr(undoing, name)(conn, actor="ana")
            self._crash(conn, killed)

        with pytest.raises((Crash, DatabaseError, UsageError)):
            self.desk._edit(doomed)

    def _crash(self, conn: Connection, killed: bool) -> None:
        if not killed:
            raise Crash
        me = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        run_sql(self.database, "SELECT pg_terminate_backend(%s, 5000)", me)
        conn.execute(text("SELECT 1"))

    def _launch(self, products: set[str]) -> None:
        chosen = sorted(products)
        self.runs.append((SettledRun(self.database, chosen), ModelRun(chosen)))

    def _open(self, number: int) -> tuple[SettledRun, ModelRun] | None:
        going_on = [pair for pair in self.runs if pair[1].ended_at is None]
        return going_on[number % len(going_on)] if going_on else None

    def _search(self, number: int, names: list[str]) -> None:
        if (pair := self._open(number)) and pair[0].waiting:
            real, model = pair
            product = real.waiting[0]
            settled = real.search(product, names)
            assert settled.sellers_new == self.model.search(model, product, names)

    def _crashed_search(self, number: int, names: list[str], killed: bool) -> None:
        if (pair := self._open(number)) and pair[0].waiting:
            real, _ = pair
            product = real.waiting[0]
            booked = real.reserve(product)

            def settle_and_crash() -> None:
                with self.database.engine().begin() as conn:
                    real.settle(conn, product, names, booked)
                    self._crash(conn, killed)

            with pytest.raises((Crash, DBAPIError)):
                settle_and_crash()

    def _killed_owner(self, number: int) -> None:
        """Another process takes the run over; what the dead one still holds is refused."""
        if pair := self._open(number):
            real, _ = pair
            dead = real.taken_over()
            for product in dead.waiting:
                with pytest.raises(OwnershipLost):
                    dead.reserve(product)

    def _end(self, number: int, completed: bool) -> None:
        if pair := self._open(number):
            real, model = pair
            real.end(RunStatus.COMPLETED if completed else RunStatus.CANCELLED)
            self.model.end(model, completed=completed)

    def check(self) -> None:
        history = self.model.history
        assert history[-1] == self.model.on_the_list()
        assert self._listed(self.desk.sellers()) == set(history[-1].values())
        log = self.desk.audit_log()
        assert log["audit_id"].tolist() == list(range(1, len(history)))
        assert log["seller_count_snapshot"].tolist() == [len(seen) for seen in history[1:]]
        with self.database.engine().connect() as conn:
            for number, expected in enumerate(history):
                conn.execute(
                    text("SELECT set_config('collector.audit_id', :number, false)"),
                    {"number": str(number)},
                )
                rows = conn.exec_driver_sql(SELLERS_AS_OF.replace("%", "%%")).all()
                assert {(r.display_name, r.flagged, r.note) for r in rows} == set(
                    expected.values()
                ), number
        self._check_differences()
        self._check_runs()

    def _check_differences(self) -> None:
        last = len(self.model.history) - 1
        for before, after in {(0, last), (last // 2, last), (last, last // 3)}:
            then, now = self.model.history[before], self.model.history[after]
            diff = self.desk.diff(before, after)
            assert (diff.before, diff.after) == (len(then), len(now))
            assert diff.after == diff.before + diff.counts["added"] - diff.counts["removed"]
            assert set(diff.added["new_name"]) == {now[s][0] for s in now.keys() - then.keys()}
            assert set(diff.removed["old_name"]) == {then[s][0] for s in then.keys() - now.keys()}
            pairs = {(then[s][0], now[s][0]) for s in then.keys() & now.keys()}
            renamed = diff.renamed[["old_name", "new_name"]]
            assert set(renamed.itertuples(index=False, name=None)) == {
                (old, new) for old, new in pairs if old != new
            }

    def _check_runs(self) -> None:
        frame = self.desk.runs().set_index("run_id")
        ended = [(real, model) for real, model in self.runs if model.ended_at is not None]
        for real, model in ended:
            row = frame.loc[str(real.id)]
            assert row["sellers_new"] == len(model.new)
            assert row["sellers_found"] == len(model.sellers)
            assert row["seller_count_snapshot"] == len(self.model.history[model.ended_at or 0])
        for real, model in ended[-1:]:
            assert self._listed(self.desk.sellers(as_of=real.id)) == set(
                self.model.history[model.ended_at or 0].values()
            )
        for (before, then), (now, model) in pairwise(ended):
            expected = expected_delta(model, then)
            delta = self.desk.deltas(now.id, before=before.id)
            found = dict(zip(delta["display_name"], delta["status"], strict=True))
            assert found == {seller.name: status for seller, status in expected.items()}
            counts = analysis.summary(delta)
            assert counts["now"] == len(model.sellers)
            assert counts["before"] == len(then.sellers)

    @staticmethod
    def _listed(frame: Any) -> set[tuple[str, bool, str]]:
        return set(frame[["display_name", "flagged", "note"]].itertuples(index=False, name=None))


def wiped(database: Database) -> None:
    """Every table empty again: faster than another database."""
    run_sql(
        database,
        "DO $$ BEGIN DELETE FROM seller_audit_changes; DELETE FROM seller_audit_log; "
        "DELETE FROM seller_sightings; DELETE FROM run_sellers; DELETE FROM seller_aliases; "
        "DELETE FROM sellers; DELETE FROM collection_runs; "
        "UPDATE seller_counter SET seller_count = 0, last_audit_id = 0; END $$",
    )


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=st.lists(operation, max_size=25))
@pytest.mark.timeout(3600)
def test_the_list_does_what_the_model_does(
    database: Database, tmp_path: Path, operations: list[tuple[Any, ...]]
) -> None:
    wiped(database)
    world = World(database, tmp_path)
    for each in operations:
        world.do(each)
    world.check()
