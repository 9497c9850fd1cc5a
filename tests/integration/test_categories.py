"""The catalogue of a database: departments' pages read through the sandbox, and empty lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from command_line import CommandLine
from stored import COFFEE, Store, opened_store, products

from collector.catalogue import shipped
from collector.database import Database
from collector.errors import UnknownCategory
from collector.models import RunOptions
from collector.settings import Settings
from collector.store import categories
from collector.workbench import Workbench

ONE_PAGE = RunOptions(pages_per_list=1)


@pytest.fixture
def bench(settings: Settings, database: Database) -> Iterator[Workbench]:
    with Workbench.open(settings) as bench:
        yield bench


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with opened_store(database) as store:
        yield store


def answered(store: Store, *asins: str) -> None:
    """A run reads the list of coffee, and finds these products on it."""
    run_id, owner_id = store.running(COFFEE, options=ONE_PAGE)
    (page,) = store.claim(run_id, owner_id)
    store.settle(page, owner_id, products(*asins), options=ONE_PAGE)


def test_the_catalogue_begins_as_the_shipped_one(bench: Workbench) -> None:
    assert bench.catalogue.categories() == shipped().categories()


def test_a_department_is_checked_once_and_stays_checked(
    bench: Workbench, settings: Settings
) -> None:
    found = bench.refresh_categories("electronics")
    counts = found["status"].value_counts().to_dict()
    assert counts == {"known": 14, "new": 1, "renamed": 1, "gone": 1}
    new, renamed, gone = (
        found[found["status"] == status].iloc[0] for status in ("new", "renamed", "gone")
    )
    with Workbench.open(settings) as other:
        catalogue = other.catalogue
    assert catalogue.find("Electronics / Newly Invented Things")[0].node_id == new["node_id"]
    assert catalogue.get(renamed["node_id"]).name == f"{renamed['old_name']} & More"
    assert not catalogue.get(gone["node_id"]).confirmed
    assert bench.choose([new["node_id"]])[0].title == "Electronics › Newly Invented Things"
    again = bench.refresh_categories("Electronics")["status"].value_counts().to_dict()
    assert again == {"known": 16, "gone": 1}


def test_a_department_that_is_not_there_costs_no_request(bench: Workbench) -> None:
    with pytest.raises(UnknownCategory, match="Electronics"):
        bench.refresh_categories("Electronix")


def test_a_list_that_held_nothing_is_unconfirmed_until_products_or_its_page_are_seen(
    bench: Workbench, store: Store
) -> None:
    assert bench.catalogue.get(COFFEE.node_id).confirmed
    answered(store)
    assert bench.empty_categories() == {COFFEE.node_id}
    assert not bench.catalogue.get(COFFEE.node_id).confirmed
    answered(store, "B000000001")
    assert bench.catalogue.get(COFFEE.node_id).confirmed
    answered(store)
    assert not bench.catalogue.get(COFFEE.node_id).confirmed
    department = bench.catalogue.get(COFFEE.node_id).department
    bench.refresh_categories(department)
    assert bench.catalogue.get(COFFEE.node_id).confirmed


def test_a_category_gone_from_its_page_stays_unconfirmed_when_empty(
    bench: Workbench, store: Store
) -> None:
    gone = bench.refresh_categories("Electronics").query("status == 'gone'").iloc[0]["node_id"]
    assert gone not in bench.empty_categories()
    with store.engine.connect() as conn:
        kept = {found.category.node_id: found for found in categories.stored(conn)}
    assert kept[gone].status == "gone"
    assert not kept[gone].category.confirmed


def test_the_terminal_checks_a_department_and_lists_the_marks(
    database: Database, store: Store, tmp_path: Path
) -> None:
    cli = CommandLine.over(database, tmp_path / "home")
    answered(store)
    checked = cli("categories", "refresh", "Electronics")
    assert "Electronics: 14 known, 1 new, 1 renamed, 1 gone" in checked.stdout
    assert "one sandbox request" in checked.stderr
    assert "Newly Invented Things" in cli("categories", "newly", "invented").stdout
    assert "held nothing when last read" in cli("categories", COFFEE.node_id).stdout
    told = json.loads(cli("categories", COFFEE.node_id, "--json").stdout)
    assert told[0]["empty"] is True
    assert told[0]["confirmed"] is False


def test_refreshing_everything_for_money_is_asked_about_first(
    server: Database, template: Database, tmp_path: Path
) -> None:
    name = f"paid_{uuid4().hex[:12]}"
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template.name}")
        cli = CommandLine.over(server.named(name), tmp_path / "home")
        account = {"OXYLABS_USERNAME": "somebody", "OXYLABS_PASSWORD": "something"}
        refused = cli("categories", "refresh", "--source", "oxylabs", **account)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert refused.returncode == 2
    assert "35 paid requests" in refused.stderr
