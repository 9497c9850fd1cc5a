"""The launcher without a browser: what its fields mean, what a click does, and does once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_comm import click, recording_comms, sent, write
from told_run import ToldRun

from collector.errors import UsageError
from collector.models import Category, RunOptions
from collector.panel import Launcher, Presets
from collector.panel.launching import (
    LaunchChoice,
    estimate,
    estimate_words,
    fields_of,
    read_choice,
    warnings,
)
from collector.words import Source

CATEGORIES = [
    Category("1", "Kitchen", "", "kitchen", True),
    Category("2", "Kitchen", "Coffee", "kitchen", True),
    Category("3", "Baby", "Safety", "baby", False),
]
OPTIONS = RunOptions()
FIELDS = fields_of(OPTIONS, budget=1500)


class Desk:
    """Keeps what a launcher is given callbacks for."""

    def __init__(self) -> None:
        self.choices: list[LaunchChoice] = []
        self.saved: dict[str, list[str]] = {"Everyday": ["1", "2"]}
        self.default: str | None = "Everyday"
        self.error: Exception | None = None
        self.held = threading.Event()
        self.held.set()

    def launcher(self, **given: Any) -> Launcher:
        """A launcher of it."""
        presets = Presets(
            all=lambda: self.saved,
            default=lambda: self.default,
            save=self._save,
            rename=lambda name, to: self.saved.update({to: self.saved.pop(name)}),
            remove=lambda name: self.saved.pop(name) and None,
            make_default=lambda name: setattr(self, "default", name),
        )
        return Launcher(CATEGORIES, self._launch, presets=presets, **given)

    def _save(self, name: str, node_ids: Sequence[str]) -> None:
        if not node_ids:
            raise UsageError("A preset holds at least one category: choose some first.")
        self.saved[name] = list(node_ids)

    def _launch(self, choice: LaunchChoice) -> ToldRun:
        self.held.wait(5)
        if self.error is not None:
            raise self.error
        self.choices.append(choice)
        return ToldRun(choice.name or "Unnamed")


@pytest.fixture(autouse=True)
def recording() -> Iterator[None]:
    """Widgets made here have a recording comm."""
    with recording_comms():
        yield


def read(
    chosen: Sequence[Any] = ("2",), **fields: Any
) -> tuple[LaunchChoice | None, dict[str, str]]:
    return read_choice(FIELDS | fields, chosen, known={"1", "2", "3"}, defaults=OPTIONS)


def test_untouched_fields_mean_the_defaults() -> None:
    choice, problems = read(["2", "1", "2", "99"])
    assert problems == {}
    assert choice == LaunchChoice(("2", "1"), None, 1500, OPTIONS)


def test_fields_become_a_choice() -> None:
    choice, _ = read(
        name=" November ",
        budget="2,000",
        pages_per_list="1",
        pages_per_search="2",
        page_on="while_new",
        search_again_days="7",
        above_from="50",
        above_to="75.5 %",
    )
    assert choice is not None
    assert (choice.name, choice.budget) == ("November", 2000)
    assert choice.options == OPTIONS.model_copy(
        update={
            "pages_per_list": 1,
            "pages_per_search": 2,
            "page_on": "while_new",
            "search_again_days": 7,
            "price_from_factor": 1.5,
            "price_to_factor": 1.755,
        }
    )


def test_no_budget_is_no_ceiling() -> None:
    choice, problems = read(budget="")
    assert problems == {}
    assert choice is not None
    assert choice.budget is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("budget", "0"),
        ("budget", "-3"),
        ("budget", "many"),
        ("budget", "1.5"),
        ("budget", "9" * 30),
        ("pages_per_list", "3"),
        ("pages_per_list", ""),
        ("pages_per_search", "4"),
        ("pages_per_search", None),
        ("page_on", ""),
        ("page_on", "never"),
        ("search_again_days", "366"),
        ("search_again_days", ""),
        ("above_from", "a lot"),
        ("above_from", "nan"),
        ("above_to", "inf"),
        ("above_to", "80"),
        ("above_to", "12"),
        ("name", "x" * 201),
        ("name", "a\x00b"),
    ],
)
def test_bad_input_is_told_beside_its_field(field: str, value: Any) -> None:
    choice, problems = read(**{field: value})
    assert choice is None
    assert list(problems) == [field]


def test_a_form_saved_before_there_was_a_field_keeps_what_stands_for_it() -> None:
    newer = {"page_on", "search_again_days"}
    older = {key: value for key, value in FIELDS.items() if key not in newer}
    defaults = RunOptions(search_again_days=4, page_on="while_new")
    choice, problems = read_choice(older, ["1"], known={"1"}, defaults=defaults)
    assert problems == {}
    assert choice is not None
    assert choice.options == defaults


def test_unfruitful_categories_are_marked_in_the_tree() -> None:
    launcher = Desk().launcher(unfruitful={"2"})
    marked = {row[0]: row[3] for _, listed in launcher.form.catalogue for row in listed}
    assert marked == {"1": False, "2": True, "3": False}


def test_nothing_chosen_is_told() -> None:
    assert read([])[1] == {"categories": "Choose at least one category."}


@given(
    st.dictionaries(st.sampled_from([*FIELDS, "other"]), st.text() | st.integers() | st.none()),
    st.lists(st.sampled_from(["1", "2", "3", "4"]) | st.text()),
)
def test_whatever_stands_there_is_a_choice_or_a_problem(fields: Any, chosen: Any) -> None:
    choice, problems = read(chosen, **fields)
    assert (choice is None) == bool(problems)


def test_an_estimate_grows_with_the_choice_and_ends_at_the_budget() -> None:
    small, large = read(["1"], budget="")[0], read(["1", "2", "3"], budget="")[0]
    assert small is not None
    assert large is not None
    assert estimate(small).requests == (72, 302)
    assert estimate(large).requests == (216, 906)
    words = estimate_words(estimate(large))
    assert words == "About 216 to 906 requests, 4 min to 15 min with 5 workers."
    capped = read(["1", "2", "3"], budget="300")[0]
    assert capped is not None
    assert estimate(capped).requests == (216, 300)
    assert "The budget of 300 ends it." in estimate_words(estimate(capped))


def test_unconfirmed_categories_and_missing_credentials_are_warned_of() -> None:
    by_id = {c.node_id: c for c in CATEGORIES}
    assert warnings(["1"], by_id, has_credentials=True) == []
    [unsure] = warnings(["1", "3"], by_id, has_credentials=True)
    assert "Baby › Safety is not confirmed" in unsure
    [sandbox] = warnings(["1"], by_id, has_credentials=False)
    assert "sandbox" in sandbox
    assert "OXYLABS_USERNAME" in sandbox


def test_a_changed_choice_is_answered_with_what_it_comes_to() -> None:
    launcher = Desk().launcher(chosen=["1"], source=Source.SANDBOX, has_credentials=False)
    assert launcher.form.answer["sandbox"]
    assert "requests" in launcher.form.answer["estimate"]
    write(launcher.form, choice={"chosen": [], "fields": FIELDS})
    assert launcher.form.answer["problems"] == {"categories": "Choose at least one category."}
    assert launcher.choice() is None


def test_a_double_click_launches_once() -> None:
    """The second comes while the first is at work, as on Jupyter's threads, or right after it."""
    desk = Desk()
    launcher = desk.launcher()
    choice = {"chosen": ["2"], "fields": FIELDS}
    desk.held.clear()
    first = threading.Thread(
        target=click, args=(launcher.form,), kwargs={"type": "launch", "choice": choice}
    )
    first.start()
    click(launcher.form, type="launch", choice=choice)
    desk.held.set()
    first.join(5)
    click(launcher.form, type="launch", choice=choice)
    assert [c.categories for c in desk.choices] == [("2",)]
    [panel] = launcher._below.children
    assert panel.view["head"]["name"] == "Unnamed"
    assert launcher.run is not None


def test_what_launching_raises_is_told_in_the_form() -> None:
    desk = Desk()
    desk.error = UsageError("A run needs a category at least.")
    launcher = desk.launcher()
    click(launcher.form, type="launch", choice={"chosen": ["2"], "fields": FIELDS})
    assert sent(launcher.form, "done") == [
        {"type": "done", "about": "launch", "error": "A run needs a category at least."}
    ]
    desk.error = ZeroDivisionError("x")
    click(launcher.form, type="launch", choice={"chosen": ["2"], "fields": FIELDS})
    assert sent(launcher.form, "done")[-1]["error"] == "ZeroDivisionError: x"


def test_a_choice_with_a_problem_is_not_launched() -> None:
    desk = Desk()
    launcher = desk.launcher()
    click(
        launcher.form, type="launch", choice={"chosen": ["2"], "fields": FIELDS | {"budget": "0"}}
    )
    click(launcher.form, type="launch", choice={"chosen": ["x"], "fields": FIELDS})
    click(launcher.form, type="launch", choice={})
    assert desk.choices == []


def test_presets_are_saved_renamed_made_default_and_deleted() -> None:
    desk = Desk()
    launcher = desk.launcher()
    click(launcher.form, type="preset", do="save", name="Mine", chosen=["3", "nonsense"])
    click(launcher.form, type="preset", do="rename", name="Mine", to="Ours")
    click(launcher.form, type="preset", do="default", name="Ours")
    assert launcher.form.presets == [
        {"name": "Everyday", "chosen": ["1", "2"], "default": False},
        {"name": "Ours", "chosen": ["3"], "default": True},
    ]
    click(launcher.form, type="preset", do="delete", name="Everyday")
    assert [p["name"] for p in launcher.form.presets] == ["Ours"]
    click(launcher.form, type="preset", do="save", name="Empty", chosen=[])
    assert "at least one category" in sent(launcher.form, "done")[-1]["error"]


def test_messages_that_make_no_sense_do_nothing() -> None:
    desk = Desk()
    launcher = desk.launcher()
    for content in ({}, {"type": "launch"}, {"type": "preset", "do": "drop"}, {"type": "preset"}):
        click(launcher.form, **content)
    assert desk.choices == []
    assert desk.saved == {"Everyday": ["1", "2"]}
    assert sent(launcher.form) == []
