"""Several days of one market: the deltas of real runs are what the sandbox did."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from collector.analysis import STATUSES
from collector.settings import Settings

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("days")


def test_the_deltas_of_four_days_are_what_the_sandbox_did(
    days: ModuleType, settings: Settings
) -> None:
    """Among them a capped run, which loses nobody, and one that walks other lists."""
    rows = days.walk(settings, days.plans_for(4))

    for row in rows:
        assert {status: row[status] for status in STATUSES} == row["expected"], row
        assert row["as the sandbox"], row
    kinds = [row["run"] for row in rows]
    assert kinds == ["whole", "whole", "whole", "capped", "other lists"]
    first, second, _, capped, other = rows
    assert first["new"] == first["found"] > 0
    assert min(second[status] for status in ("new", "retained", "not_seen")) > 0, "days differ"
    assert capped["status"] == "cancelled"
    assert capped["out_of_scope"] > 0
    assert other["out_of_scope"] > 0
