"""What the tables promise by their definitions alone."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import CheckConstraint, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from collector import schema
from collector.words import ItemKind, PauseReason, RunStatus, Source

TABLES = schema.metadata.sorted_tables


def check_of(table: Table, name: str) -> str:
    (found,) = (
        constraint
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint) and constraint.name == f"ck_{table.name}_{name}"
    )
    return str(found.sqltext)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_is_had_from_the_package(table: Table) -> None:
    assert getattr(schema, table.name) is table
    assert table.name in schema.__all__


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_constraint_has_a_name_that_postgresql_keeps_whole(table: Table) -> None:
    dialect = postgresql.dialect()
    statement = str(CreateTable(table).compile(dialect=dialect))
    made = [
        line.strip() for line in statement.splitlines() if line.strip().startswith("CONSTRAINT")
    ]
    assert len(made) == len(table.constraints)
    for index in table.indexes:
        made.append(str(CreateIndex(index).compile(dialect=dialect)).replace("UNIQUE ", ""))
    names = [re.split(r"CONSTRAINT |CREATE INDEX ", line)[1].split()[0] for line in made]
    for name in names:
        assert re.match(rf"(ck|fk|pk|uq|ix)_{table.name}", name)
        assert len(name) <= 63


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_time_is_aware(table: Table) -> None:
    for column in table.columns:
        if column.name.endswith("_at"):
            assert getattr(column.type, "timezone", False), column


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_money_is_a_float(table: Table) -> None:
    for column in table.columns:
        assert str(column.type) not in {"FLOAT", "REAL", "DOUBLE PRECISION"}, column


@pytest.mark.parametrize(
    ("table", "name", "column", "words"),
    [
        (schema.collection_runs, "status", "status", RunStatus),
        (schema.collection_runs, "pause_reason", "pause_reason", PauseReason),
        (schema.collection_runs, "source", "source", Source),
        (schema.collection_items, "kind", "kind", ItemKind),
        (schema.collection_items, "status", "status", schema.ITEM_STATUSES),
        (schema.seller_audit_log, "action", "action", schema.AUDIT_ACTIONS),
        (schema.seller_audit_log, "source", "source", schema.AUDIT_SOURCES),
        (schema.seller_audit_changes, "change", "change", schema.CHANGES),
        (schema.categories, "status", "status", schema.CATEGORY_STATUSES),
    ],
)
def test_a_column_of_words_takes_those_words_only(
    table: Table, name: str, column: str, words: list[str]
) -> None:
    text = check_of(table, name)
    assert text.startswith(f"{column} IN (")
    assert re.findall(r"'([^']*)'", text) == [str(word) for word in words]


@pytest.mark.parametrize("table", [schema.collection_runs, schema.seller_audit_log])
def test_a_snapshot_says_in_the_database_what_it_counts(table: Table) -> None:
    comment = table.c.seller_count_snapshot.comment
    assert comment is not None
    assert comment.startswith("Sellers on the list right after this row's commit")
