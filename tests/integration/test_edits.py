"""Edits of the seller list: each one transaction, one audit entry, one exact snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from settled_runs import run_that_saw

from collector import Workbench
from collector.database import Database
from collector.errors import DatabaseError, UsageError
from collector.settings import Settings
from collector.store.edits import Edit
from tests.conftest import run_sql


@pytest.fixture
def bench(settings: Settings) -> Iterator[Workbench]:
    with Workbench.open(settings) as opened:
        yield opened


def names(bench: Workbench) -> list[str]:
    return sorted(bench.sellers()["display_name"])


def last_entry(bench: Workbench) -> dict[str, object]:
    return bench.audit_log().iloc[-1].to_dict()


def aliases(bench: Workbench) -> list[str]:
    return [row[0] for row in run_sql(bench.database, "SELECT normalized_name FROM seller_aliases")]


def assert_entry(bench: Workbench, edit: Edit, action: str, *, source: str = "manual") -> None:
    entry = last_entry(bench)
    assert entry["audit_id"] == edit.audit_id
    assert (entry["action"], entry["source"]) == (action, source)
    assert entry["actor"] == bench.actor
    assert entry["affected_count"] == edit.affected
    assert entry["seller_count_snapshot"] == edit.seller_count == len(bench.sellers())


def test_adding_many_is_one_entry_with_an_exact_snapshot(bench: Workbench) -> None:
    edit = bench.add(["Anna", "bob", "zoe"], note="from a fair")

    assert (edit.affected, edit.seller_count, edit.told) == (3, 3, {})
    assert_entry(bench, edit, "add")
    assert names(bench) == ["Anna", "bob", "zoe"]
    assert set(bench.sellers()["note"]) == {"from a fair"}


def test_duplicates_are_told_by_normalized_name_and_the_rest_is_done(bench: Workbench) -> None:
    bench.add("Anna")

    edit = bench.add(["ANNA", "bob", "Bob", " "])

    assert edit.affected == 1
    assert edit.told == {"ANNA": "is on the list already", "Bob": "is given more than once"}
    assert names(bench) == ["Anna", "bob"]


def test_an_edit_that_changes_nothing_leaves_no_entry(bench: Workbench) -> None:
    bench.add("anna")

    for edit in (bench.add("anna"), bench.remove("bob"), bench.rename("bob", "zoe")):
        assert (edit.affected, edit.audit_id, edit.seller_count) == (0, None, 1)
        assert edit.told
    assert len(bench.audit_log()) == 1


@pytest.mark.parametrize("name", ["two words", "new\nline", "x" * 65, "\x00", "", "  "])
def test_what_cannot_be_a_name_is_refused_and_nothing_is_added(bench: Workbench, name: str) -> None:
    with pytest.raises(UsageError):
        bench.add(["anna", name] if name.strip() else [name])

    assert bench.sellers().empty
    assert bench.audit_log().empty


def test_bulk_removal_and_flags_touch_whom_they_name(bench: Workbench) -> None:
    bench.add(["anna", "bob", "zoe"])

    flagged = bench.flag(["anna", "bob", "nobody"], note="a wholesaler")
    assert (flagged.affected, flagged.told) == (2, {"nobody": "is not on the list"})
    assert_entry(bench, flagged, "flag")
    assert bench.sellers().set_index("display_name")["flagged"].to_dict() == {
        "anna": True,
        "bob": True,
        "zoe": False,
    }

    assert bench.flag("anna").told == {"anna": "is flagged already"}
    only_noted = bench.flag("anna", note="another note")
    assert only_noted.affected == 1
    changes = run_sql(
        bench.database,
        "SELECT change FROM seller_audit_changes WHERE audit_id = %s",
        only_noted.audit_id,
    )
    assert changes == [("edited",)]
    assert_entry(bench, bench.unflag("anna"), "unflag")

    removed = bench.remove(["anna", "bob"])
    assert removed.affected == 2
    assert_entry(bench, removed, "remove")
    assert names(bench) == ["zoe"]


def test_whoever_was_removed_can_be_put_back_with_a_note(bench: Workbench) -> None:
    bench.add("anna", note="first")
    bench.remove("anna")

    bench.add("anna", note="second")
    assert bench.sellers()["note"].tolist() == ["second"]

    bench.undo()
    assert bench.sellers().empty
    bench.undo()  # the removal
    assert bench.sellers()["note"].tolist() == ["first"]


def test_a_removed_seller_stays_removed_when_a_run_sees_it_again(bench: Workbench) -> None:
    run_that_saw(bench.database, {"A1": ["anna", "bob"]})
    bench.remove("anna")

    again = run_that_saw(bench.database, {"A1": ["Anna", "bob"]})

    assert names(bench) == ["bob"]
    run = bench.runs().set_index("run_id").loc[str(again)]
    assert (run["sellers_new"], run["seller_count_snapshot"]) == (0, 1)
    removed = bench.sellers(include_removed=True).set_index("display_name").loc["anna"]
    assert removed["times_seen"] == 2, "what was seen of it stays true"


def test_a_seller_whose_adding_was_undone_can_be_found_by_a_run(bench: Workbench) -> None:
    """Otherwise a wrong file, imported and undone, would hide its sellers for good."""
    bench.add(["anna", "bob"])
    bench.undo()
    assert bench.sellers().empty

    run_id = run_that_saw(bench.database, {"A1": ["anna"]})

    assert names(bench) == ["anna"]
    run = bench.runs().set_index("run_id").loc[str(run_id)]
    assert (run["sellers_new"], run["seller_count_snapshot"]) == (1, 1)
    assert bench.deltas(run_id)["status"].tolist() == ["new"]


def test_the_old_name_of_a_renamed_seller_leads_to_it(bench: Workbench) -> None:
    run_that_saw(bench.database, {"A1": ["anna"]})
    assert_entry(bench, bench.rename("ANNA", "Berta"), "edit")

    run_id = run_that_saw(bench.database, {"A1": ["anna", "anna"], "A2": ["anna", "berta"]})

    assert names(bench) == ["Berta"]
    sightings = bench.sightings(run_id).set_index("asin")
    assert set(sightings["display_name"]) == {"Berta"}
    assert sightings["listings"].to_dict() == {"A1": 2, "A2": 2}
    assert bench.add("anna").told == {"anna": "is called Berta now"}
    assert bench.flag("anna").affected == 1, "a former name means its bearer"


def test_a_former_name_of_a_removed_seller_is_told_as_such(bench: Workbench) -> None:
    bench.add("anna")
    bench.rename("anna", "berta")
    bench.remove("berta")

    told = bench.add("anna").told
    assert told == {"anna": "is called berta now, who was taken off the list"}


def test_a_name_that_is_taken_cannot_be_given(bench: Workbench) -> None:
    bench.add(["anna", "bob", "zoe"])
    bench.rename("zoe", "zora")
    bench.remove("bob")

    assert "another seller is" in bench.rename("anna", "bob").told["anna"]
    assert "zora was once" in bench.rename("anna", "ZOE").told["anna"]
    assert bench.rename("anna", "anna").told == {"anna": "is called that already"}
    assert bench.rename("zora", "zoe").affected == 1, "back to its own former name"
    assert bench.rename("anna", "ANNA").affected == 1, "other capitals are another name to show"
    assert names(bench) == ["ANNA", "zoe"]


def test_undoing_a_rename_gives_the_name_free(bench: Workbench) -> None:
    bench.add("anna")
    bench.rename("anna", "berta")
    bench.undo()
    assert (names(bench), aliases(bench)) == (["anna"], [])

    run_that_saw(bench.database, {"A1": ["berta"]})

    assert names(bench) == ["anna", "berta"]
    refused = bench.redo()
    assert refused.told == {"anna": "cannot be called berta: another seller is"}
    assert bench.undo().affected == 0, "what could not be done again need not be undone"
    assert names(bench) == ["anna", "berta"]


def test_undoing_a_rename_keeps_the_names_given_up_before(bench: Workbench) -> None:
    bench.add("anna")
    bench.rename("anna", "berta")
    bench.rename("berta", "anna")
    assert aliases(bench) == ["berta"]

    bench.undo()
    assert (names(bench), aliases(bench)) == (["berta"], ["anna"])
    bench.redo()
    assert (names(bench), aliases(bench)) == (["anna"], ["berta"])


def test_undo_and_redo_walk_through_every_kind_of_edit(bench: Workbench) -> None:
    def state() -> list[tuple[object, ...]]:
        frame = bench.sellers()[["seller_id", "display_name", "flagged", "note"]]
        return [tuple(row) for row in frame.itertuples(index=False)]

    states = [state()]
    for edit in (
        lambda: bench.add(["anna", "bob"], note="n"),
        lambda: bench.flag(["anna", "bob"]),
        lambda: bench.flag("anna", note="m"),
        lambda: bench.rename("anna", "berta"),
        lambda: bench.remove(["berta", "bob"]),
        lambda: bench.add("berta"),
        lambda: bench.unflag("berta"),
    ):
        assert edit().affected
        states.append(state())

    for expected in reversed(states[:-1]):
        edit = bench.undo()
        assert_entry(bench, edit, "undo")
        assert state() == expected
    with pytest.raises(UsageError, match="nothing to undo"):
        bench.undo()
    for expected in states[1:]:
        assert_entry(bench, bench.redo(), "redo")
        assert state() == expected
    with pytest.raises(UsageError, match="nothing to do again"):
        bench.redo()


def test_an_edit_after_an_undo_ends_what_could_be_done_again(bench: Workbench) -> None:
    bench.add("anna")
    bench.undo()
    bench.add("bob")

    with pytest.raises(UsageError, match="nothing to do again"):
        bench.redo()
    bench.undo()
    with pytest.raises(UsageError, match="nothing to undo"):
        bench.undo()


def test_what_a_run_did_is_no_edit(bench: Workbench) -> None:
    bench.add("zoe")
    run_that_saw(bench.database, {"A1": ["anna"]})

    bench.undo()

    assert names(bench) == ["anna"]
    entry = last_entry(bench)
    assert (entry["action"], entry["undoes_id"]) == ("undo", 1)


def test_a_long_log_is_undone_and_done_again_at_once(bench: Workbench) -> None:
    """100,000 edits: asking entry by entry whether it stands would take minutes."""
    bench.add("anna")
    run_sql(
        bench.database,
        "INSERT INTO seller_audit_log (id, action, source, actor, affected_count, "
        "seller_count_snapshot) SELECT n, 'flag', 'manual', 'ana', 0, 1 "
        "FROM generate_series(2, 100000) n",
    )
    run_sql(bench.database, "UPDATE seller_counter SET last_audit_id = 100000")
    bench.flag("anna")

    began = pd.Timestamp.now()
    for _ in range(5):
        bench.undo()
    for _ in range(5):
        bench.redo()
    assert (pd.Timestamp.now() - began).total_seconds() < 5
    assert bench.sellers()["flagged"].tolist() == [True]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("name\nanna\nbob\n", ["anna", "bob"]),
        ("anna\nbob\n", ["anna", "bob"]),
        ("\ufeffUsername,feedback\nanna,12\n\nbob,3\n", ["anna", "bob"]),
        ("feedback;seller\n12;anna\n", ["anna"]),
        ("seller_id\tdisplay_name\n1\tanna\n", ["anna"]),
        ('name,note\nanna,"two\nlines"\n"bob",x\n', ["anna", "bob"]),
        ("name,feedback\n'-anna,1\n", ["-anna"]),
    ],
)
def test_names_are_imported_from_csv_files_of_many_makes(
    bench: Workbench, tmp_path: Path, content: str, expected: list[str]
) -> None:
    path = tmp_path / "names.csv"
    path.write_text(content, encoding="utf-8")

    edit = bench.import_csv(path)

    assert names(bench) == expected
    assert_entry(bench, edit, "add", source="import")
    bench.undo()
    assert bench.sellers().empty


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"a,b\n1,2\n", b"id;feedback\n1;2\n", b"\xff\xfe\x00", b"name\n"]
)
def test_a_file_without_names_is_refused(bench: Workbench, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "names.csv"
    path.write_bytes(content)

    with pytest.raises(UsageError):
        bench.import_csv(path)
    with pytest.raises(UsageError, match="cannot be read"):
        bench.import_csv(tmp_path / "missing.csv")
    assert bench.audit_log().empty


def test_an_export_can_be_imported_again(bench: Workbench, tmp_path: Path) -> None:
    bench.add(["anna", "-bob", "=zoe"], note='a "note",\nof two lines')
    path = bench.export("sellers", tmp_path / "sellers.csv")
    bench.remove(["anna", "-bob", "=zoe"])

    assert bench.import_csv(path).affected == 3
    assert names(bench) == ["-bob", "=zoe", "anna"]


def test_ten_thousand_names_are_imported_flagged_and_undone_in_seconds(
    bench: Workbench, tmp_path: Path
) -> None:
    many = [f"seller{n}" for n in range(10_000)]
    path = tmp_path / "many.csv"
    path.write_text("name\n" + "\n".join(many))

    began = pd.Timestamp.now()
    assert bench.import_csv(path).affected == 10_000
    assert bench.flag(many).affected == 10_000
    assert bench.undo().affected == 10_000
    assert bench.undo().affected == 10_000
    assert bench.redo().affected == 10_000
    assert (pd.Timestamp.now() - began).total_seconds() < 15


def test_the_hub_user_stands_in_the_log(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ana@example.com")
    bench.add("anna")
    assert last_entry(bench)["actor"] == "ana@example.com"


def test_a_database_that_refuses_an_edit_is_told_in_one_line(
    bench: Workbench, database: Database
) -> None:
    run_sql(database, "DROP TABLE seller_audit_changes")

    with pytest.raises(DatabaseError, match="seller_audit_changes"):
        bench.add("anna")
    assert bench.sellers().empty
