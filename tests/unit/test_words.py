"""The state machine walked pair by pair, and the words held against the schema's checks."""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import product

import pytest
from sqlalchemy import CheckConstraint, Table

from collector import schema
from collector.words import MOVES, Action, ItemKind, PauseReason, Phase, RunStatus, Source

PENDING, RUNNING, PAUSED = RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED
COMPLETED, FAILED, CANCELLED = RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED

LEGAL = {
    (PENDING, RUNNING),
    (PENDING, PAUSED),
    (PENDING, CANCELLED),
    (RUNNING, PAUSED),
    (RUNNING, COMPLETED),
    (RUNNING, FAILED),
    (RUNNING, CANCELLED),
    (PAUSED, RUNNING),
    (PAUSED, CANCELLED),
    # Sending the failed items of an ended run again.
    (COMPLETED, PAUSED),
    (FAILED, PAUSED),
}


@pytest.mark.parametrize(("had", "to"), list(product(RunStatus, repeat=2)))
def test_every_pair_of_statuses_is_a_move_or_is_not(had: RunStatus, to: RunStatus) -> None:
    assert (to in MOVES[had]) is ((had, to) in LEGAL)


def test_every_status_but_the_first_can_be_reached() -> None:
    assert {to for moves in MOVES.values() for to in moves} == set(RunStatus) - {PENDING}


def test_three_statuses_are_final_and_only_a_cancelled_run_is_over_for_good() -> None:
    assert {s for s in RunStatus if s.is_final} == {COMPLETED, FAILED, CANCELLED}
    assert [s for s in RunStatus if not MOVES[s]] == [CANCELLED]


def allowed(table: Table, column: str) -> set[str]:
    """The words that a table's check lets into a column."""
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            text = str(constraint.sqltext)
            if text.startswith(f"{column} IN ("):
                return set(re.findall(r"'([^']*)'", text))
    raise AssertionError(f"{table.name}.{column} has no check of its words")


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        (schema.collection_runs, "status", RunStatus),
        (schema.collection_runs, "pause_reason", PauseReason),
        (schema.collection_runs, "source", Source),
        (schema.collection_items, "kind", ItemKind),
    ],
    ids=str,
)
def test_the_schema_lets_exactly_these_words_in(
    table: Table, column: str, words: type[StrEnum]
) -> None:
    assert allowed(table, column) == {word.value for word in words}


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        (schema.collection_items, "status", schema.ITEM_STATUSES),
        (schema.seller_audit_log, "action", schema.AUDIT_ACTIONS),
        (schema.seller_audit_log, "source", schema.AUDIT_SOURCES),
        (schema.seller_audit_changes, "change", schema.CHANGES),
        (schema.collection_runs, "command", ("pause", "resume", "cancel")),
    ],
    ids=str,
)
def test_the_schema_lets_exactly_its_own_lists_in(
    table: Table, column: str, words: tuple[str, ...]
) -> None:
    assert allowed(table, column) == set(words)


def test_the_actions_of_activity_entries_are_the_ones_that_were_agreed() -> None:
    agreed = (
        "fetching found error rate_limited uploading deduped inserted updated paused resumed "
        "cancelled complete gap"
    )
    assert {action.value for action in Action} == set(agreed.split())


def test_each_kind_of_item_is_a_phase() -> None:
    assert {kind.value for kind in ItemKind} == {p.value for p in Phase} - {"system"}
