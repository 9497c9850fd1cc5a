"""The migrations: what they make, that the tables agree, and that bad rows are refused."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine, text

from collector.binaries import programs
from collector.database import Database, current_revision, migration_sql, upgrade
from collector.errors import DatabaseError
from collector.migrating import alembic_config
from collector.schema import metadata

REVISIONS = [
    "044_seller_collection",
    "045_seller_snapshots",
    "046_activity_log",
    "047_categories",
    "048_participants",
    "049_frugal",
    "050_room_for_updates",
]
RUN = "00000000-0000-0000-0000-000000000001"

# Everything that the catalogue knows of a schema, apart from the order of columns.
CATALOGUE = {
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype::text, convalidated,
               pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull,
               attidentity::text, pg_get_expr(adbin, adrelid),
               col_description(attrelid, attnum)
          FROM pg_attribute
          JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
          LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped""",
    "options": """
        SELECT relname, reloptions::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
           AND reloptions IS NOT NULL""",
    "sequences": """
        SELECT sequencename, data_type::text, start_value, increment_by, max_value, cycle
          FROM pg_sequences WHERE schemaname = 'public'""",
}


def catalogue(database: Database) -> dict[str, list[tuple]]:
    with psycopg.connect(database.conninfo()) as connection:
        return {
            what: sorted(
                (row for row in connection.execute(query) if "alembic_version" not in str(row)),
                key=str,
            )
            for what, query in CATALOGUE.items()
        }


def migrate(database: Database, to: str, *, down: bool = False) -> None:
    config = alembic_config()
    with database.engine().begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, to)


def execute(database: Database, *statements: str) -> None:
    with psycopg.connect(database.conninfo()) as connection:
        for statement in statements:
            connection.execute(statement)


def rows(database: Database, query: str) -> list[tuple]:
    with psycopg.connect(database.conninfo()) as connection:
        return connection.execute(query).fetchall()


def test_an_empty_database_gets_every_revision_once(empty_database: Database) -> None:
    assert current_revision(empty_database) is None
    assert upgrade(empty_database) == REVISIONS
    assert current_revision(empty_database) == REVISIONS[-1]
    assert upgrade(empty_database) == []
    assert rows(empty_database, "SELECT * FROM seller_counter") == [(True, 0, 0)]


def test_migrations_and_tables_agree_for_alembic(database: Database) -> None:
    with database.engine().connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_migrations_and_tables_agree_to_the_letter(
    database: Database, empty_database: Database
) -> None:
    """Alembic compares neither checks nor conditions of indexes nor sequences; this does."""
    with empty_database.engine().begin() as connection:
        metadata.create_all(connection)
    migrated, created = catalogue(database), catalogue(empty_database)
    for what in CATALOGUE:
        assert migrated[what] == created[what], what
    assert len(migrated["constraints"]) > 80


def test_the_way_down_leads_back_and_up_again(empty_database: Database) -> None:
    upgrade(empty_database)
    whole = catalogue(empty_database)
    for revision, gone in (
        ("048_participants", "product_searches"),
        ("047_categories", "run_participants"),
        ("046_activity_log", "lists_answered"),
        ("045_seller_snapshots", "activity_log"),
        ("044_seller_collection", "seller_count_snapshot"),
        ("base", "collection_runs"),
    ):
        migrate(empty_database, revision, down=True)
        assert gone not in str(catalogue(empty_database))
    assert not any(catalogue(empty_database).values())
    assert upgrade(empty_database) == REVISIONS
    assert catalogue(empty_database) == whole


def test_snapshots_say_what_they_are_in_the_database(database: Database) -> None:
    comments = rows(
        database,
        "SELECT attrelid::regclass::text, col_description(attrelid, attnum) FROM pg_attribute "
        "WHERE attname = 'seller_count_snapshot' ORDER BY 1",
    )
    assert comments == [
        (
            "collection_runs",
            "Sellers on the list right after this row's commit; null while the run has not ended",
        ),
        ("seller_audit_log", "Sellers on the list right after this row's commit"),
    ]


def test_snapshots_of_older_entries_are_replayed(empty_database: Database) -> None:
    migrate(empty_database, "044_seller_collection")
    runs = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(1, 5)]
    execute(
        empty_database,
        *(
            "INSERT INTO collection_runs (id, name, status, source, options, finished_at, "
            f"pause_reason) VALUES ('{run}', 'r', '{status}', 'sandbox', '{{}}', {ended}, {reason})"
            for run, status, ended, reason in (
                (runs[0], "completed", "'2026-01-01 12:00Z'", "NULL"),
                (runs[1], "cancelled", "'2026-01-03 12:00Z'", "NULL"),
                (runs[2], "paused", "NULL", "'operator'"),
                (runs[3], "failed", "'2025-01-01 12:00Z'", "NULL"),
            )
        ),
        "INSERT INTO sellers (normalized_name, display_name, first_seen_at, last_seen_at) "
        "SELECT name, name, now(), now() FROM unnest(ARRAY['a', 'b', 'c']) AS name",
        "INSERT INTO seller_audit_log "
        "(id, created_at, action, source, actor, affected_count, undoes_id) VALUES "
        "(1, '2026-01-01 11:00Z', 'add', 'run', 'x', 3, NULL), "
        "(2, '2026-01-01 13:00Z', 'remove', 'manual', 'x', 2, NULL), "
        "(3, '2026-01-02 11:00Z', 'flag', 'manual', 'x', 1, NULL), "
        "(4, '2026-01-03 11:00Z', 'undo', 'manual', 'x', 2, 2), "
        "(5, '2026-01-04 11:00Z', 'add', 'manual', 'x', 1, NULL)",
        # The entries 2 to 4 recorded what they changed; 1 and 5 tell their number only.
        "INSERT INTO seller_audit_changes (audit_id, seller_id, change) "
        "SELECT audit_id, id, change FROM sellers JOIN (VALUES (2, 'a', 'removed'), "
        "(2, 'b', 'removed'), (3, 'c', 'flagged'), (4, 'a', 'added'), (4, 'b', 'added')) "
        "AS made (audit_id, name, change) ON name = normalized_name",
    )
    assert upgrade(empty_database) == REVISIONS[1:]
    snapshots = "SELECT seller_count_snapshot FROM seller_audit_log ORDER BY id"
    assert rows(empty_database, snapshots) == [(3,), (1,), (1,), (3,), (4,)]
    ended = "SELECT snapshot_audit_id, seller_count_snapshot FROM collection_runs ORDER BY id"
    assert rows(empty_database, ended) == [(1, 3), (4, 3), (None, None), (0, 0)]


def test_the_latest_complete_searches_of_older_runs_are_known(empty_database: Database) -> None:
    """So that the first run after an upgrade need not search everything again."""
    before = REVISIONS[REVISIONS.index("049_frugal") - 1]
    migrate(empty_database, before)
    runs = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(1, 4)]
    asked = '{"results_per_page": 240, "geo_location": "90210", "pages_per_search": 2}'
    execute(
        empty_database,
        *(
            "INSERT INTO collection_runs (id, name, source, options) "
            f"VALUES ('{run}', 'r', 'sandbox', '{options}')"
            for run, options in zip(runs, (asked, asked, "{}"), strict=True)
        ),
        *(f"INSERT INTO run_categories VALUES ('{run}', '1', 1, 'Toys', '')" for run in runs),
        "INSERT INTO products SELECT 'B' || n, 't', NULL, now(), now() "
        "FROM generate_series(1, 5) AS n",
        "INSERT INTO collection_items (run_id, kind, key, priority, page, node_id, category, asin, "
        "title, price_from_cents, price_to_cents, status, error_type, has_more, settled_at) "
        "SELECT run::uuid, 'seller_search', asin || ':' || page, 0, page, '1', 'c', asin, title, "
        "100, 200, status, CASE status WHEN 'failed' THEN 'blocked' END, has_more, "
        "'2026-01-01Z'::timestamptz + day * interval '1 day' FROM (VALUES "
        # Searched twice: the later one counts.
        f"('{runs[0]}', 'B1', 1, 'old', 'done', false, 1), "
        f"('{runs[1]}', 'B1', 1, 'new', 'done', false, 2), "
        # The later search failed: the earlier one counts. It read all the pages it was allowed.
        f"('{runs[0]}', 'B2', 1, 'two', 'done', true, 1), "
        f"('{runs[0]}', 'B2', 2, 'two', 'done', false, 1), "
        f"('{runs[1]}', 'B2', 1, 'two', 'done', true, 2), "
        f"('{runs[1]}', 'B2', 2, 'two', 'failed', NULL, 2), "
        # Never to the end, and by a run that kept too little of what it asked.
        f"('{runs[0]}', 'B3', 1, 'three', 'done', true, 1), "
        f"('{runs[0]}', 'B3', 2, 'three', 'pending', NULL, 1), "
        f"('{runs[2]}', 'B4', 1, 'four', 'done', false, 1)"
        ") AS made (run, asin, page, title, status, has_more, day)",
    )
    assert "049_frugal" in upgrade(empty_database)
    kept = rows(
        empty_database,
        "SELECT asin, run_id::text, title, pages, has_more, searched_at::date::text, "
        "price_from_cents, price_to_cents, results_per_page, geo_location "
        "FROM product_searches ORDER BY asin",
    )
    assert kept == [
        ("B1", runs[1], "new", 1, False, "2026-01-03", 100, 200, 240, "90210"),
        # Whether a third page followed was not kept: nobody is promised that none did.
        ("B2", runs[0], "two", 2, True, "2026-01-02", 100, 200, 240, "90210"),
    ]


def test_a_failed_migration_leaves_nothing_half_done(empty_database: Database) -> None:
    execute(empty_database, "CREATE TABLE activity_log (mine text)")
    with pytest.raises(DatabaseError, match='"activity_log" already exists') as told:
        upgrade(empty_database)
    assert "\n" not in str(told.value)
    assert current_revision(empty_database) is None
    assert rows(empty_database, "SELECT to_regclass('collection_runs')") == [(None,)]


def test_a_database_newer_than_the_code_is_refused(database: Database) -> None:
    execute(database, "UPDATE alembic_version SET version_num = '099_from_the_future'")
    with pytest.raises(DatabaseError, match="upgrade the collector") as told:
        upgrade(database)
    assert "099_from_the_future" in str(told.value)
    assert REVISIONS[-1] in str(told.value)
    assert "\n" not in str(told.value)


def test_eight_processes_migrate_once(empty_database: Database) -> None:
    code = (
        "import sys; from collector.database import *; from sqlalchemy import make_url; "
        "print(len(upgrade(Database(make_url(sys.argv[1]), is_embedded=False))))"
    )
    url = empty_database.url.render_as_string(hide_password=False)
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    told = []
    for process in started:
        with process:
            told.append(process.communicate(timeout=120)[0].strip())
    assert sorted(told) == ["0"] * 7 + [str(len(REVISIONS))]


def test_threads_migrate_different_databases_at_once(server: Database) -> None:
    """Alembic keeps what it works on in module variables."""
    names = [f"thread_{uuid4().hex[:12]}" for _ in range(4)]
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with ThreadPoolExecutor(8) as pool:
            applied = list(pool.map(lambda name: upgrade(server.named(name)), names * 2))
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
    assert sorted(applied, key=len) == [[]] * 4 + [REVISIONS] * 4


def test_a_migration_in_progress_elsewhere_is_waited_for(empty_database: Database) -> None:
    with psycopg.connect(empty_database.conninfo()) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT pg_advisory_xact_lock(4711044)")
        waiting = pool.submit(upgrade, empty_database)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.5)
        other.rollback()
        assert waiting.result(timeout=30) == REVISIONS


def test_the_printed_sql_makes_the_same_database(
    database: Database, empty_database: Database
) -> None:
    """Run by psql, as a hosted SQL editor would: without Alembic, from beginning to end."""
    psql = programs() / "psql"
    done = subprocess.run(
        [psql, empty_database.conninfo(), "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1"],
        input=migration_sql(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert catalogue(empty_database) == catalogue(database)
    assert upgrade(empty_database) == []


def test_the_printed_sql_runs_as_one_statement_string(empty_database: Database) -> None:
    """Some editors send all of it at once."""
    with psycopg.connect(empty_database.conninfo(), autocommit=True) as connection:
        connection.execute(migration_sql().encode())
    assert current_revision(empty_database) == REVISIONS[-1]


def test_an_installed_package_brings_its_migrations(tmp_path: Path) -> None:
    """In a wheel they are inside the package; there is nothing beside it."""
    repository = Path(__file__).resolve().parents[2]
    # A per cent sign, for Alembic reads it as the start of a reference.
    installed = tmp_path / "site 100%"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(repository / "collector", installed / "collector", ignore=ignored)
    shutil.copytree(
        repository / "migrations", installed / "collector" / "_migrations", ignore=ignored
    )
    code = (
        "from collector.migrating import migration_sql, migrations_directory; "
        "print(migrations_directory()); print(migration_sql())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"{installed}/collector/_migrations\n")
    assert done.stdout.split("\n", 1)[1].strip() == migration_sql().strip()


def test_migrating_leaves_the_logging_of_the_caller_alone(empty_database: Database) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    upgrade(empty_database)
    assert (logging.getLogger().handlers[:], logging.getLogger().level) == before


@pytest.fixture
def populated(database: Database) -> Database:
    """A database with one good row in most tables, for bad ones to stand beside."""
    execute(
        database,
        "INSERT INTO collection_runs (id, name, source, options) "
        f"VALUES ('{RUN}', 'run', 'sandbox', '{{}}')",
        f"INSERT INTO run_categories VALUES ('{RUN}', '1', 1, 'Toys', 'Dolls')",
        "INSERT INTO products VALUES ('B1', 'A doll', NULL, now(), now())",
        "INSERT INTO run_products (run_id, node_id, asin, position, title, price_cents) "
        f"VALUES ('{RUN}', '1', 'B1', 1, 'A doll', 100)",
        "INSERT INTO collection_items (run_id, kind, key, priority, page, node_id, category) "
        f"VALUES ('{RUN}', 'best_sellers', '1/1', 0, 1, '1', 'Dolls')",
        "INSERT INTO sellers (normalized_name, display_name, first_seen_at, last_seen_at) "
        "VALUES ('a', 'A', now(), now())",
        "INSERT INTO seller_audit_log (id, action, source, actor, affected_count, "
        "seller_count_snapshot) VALUES (1, 'add', 'manual', 'x', 1, 1)",
        "INSERT INTO category_presets (name, node_ids, is_default) VALUES ('p', '{1}', true)",
        "INSERT INTO categories VALUES ('1', 'd', 'n', 's', true, 'known')",
        f"INSERT INTO product_searches VALUES ('B1', '{RUN}', 't', 1, 2, 240, '90210', 1, false, "
        "now())",
    )
    return database


ITEM = "INSERT INTO collection_items (run_id, kind, key, priority, page, node_id, category"
SELLER = "INSERT INTO sellers (first_seen_at, last_seen_at, normalized_name, display_name"
AUDIT = (
    "INSERT INTO seller_audit_log (id, actor, action, source, affected_count, "
    "seller_count_snapshot) VALUES (2, 'x', "
)
REFUSED = [
    ("ck_collection_runs_status", "UPDATE collection_runs SET status = 'gone'"),
    ("ck_collection_runs_pause_reason", "UPDATE collection_runs SET pause_reason = 'tea'"),
    ("ck_collection_runs_command", "UPDATE collection_runs SET command = 'stop'"),
    ("ck_collection_runs_source", "UPDATE collection_runs SET source = 'memory'"),
    ("ck_collection_runs_budget_positive", "UPDATE collection_runs SET budget = 0"),
    (
        "ck_collection_runs_budget_is_a_ceiling",
        "UPDATE collection_runs SET budget = 1, requests = 2",
    ),
    ("ck_collection_runs_billed_were_sent", "UPDATE collection_runs SET requests_billed = 1"),
    ("ck_collection_runs_lists_done_of_total", "UPDATE collection_runs SET lists_done = 1"),
    ("ck_collection_runs_searched_of_total", "UPDATE collection_runs SET products_searched = 1"),
    ("ck_collection_runs_skipped_not_negative", "UPDATE collection_runs SET products_skipped = -1"),
    ("ck_collection_runs_covered_not_negative", "UPDATE collection_runs SET products_covered = -1"),
    ("ck_collection_runs_new_were_found", "UPDATE collection_runs SET sellers_new = 1"),
    (
        "ck_collection_runs_snapshot_not_negative",
        "UPDATE collection_runs SET seller_count_snapshot = -1",
    ),
    ("ck_collection_runs_paused_has_reason", "UPDATE collection_runs SET status = 'paused'"),
    ("ck_collection_runs_ended_has_time", "UPDATE collection_runs SET status = 'completed'"),
    ("ck_collection_runs_name_length", "UPDATE collection_runs SET name = ''"),
    (
        "ck_run_categories_node_id_digits",
        f"INSERT INTO run_categories VALUES ('{RUN}', 'x', 2, 'd', 'n')",
    ),
    (
        "uq_run_categories_run_id_ordinal",
        f"INSERT INTO run_categories VALUES ('{RUN}', '2', 1, 'd', 'n')",
    ),
    (
        "fk_run_categories_run_id",
        f"INSERT INTO run_categories VALUES ('{uuid4()}', '2', 1, 'd', 'n')",
    ),
    ("ck_products_asin_length", "INSERT INTO products VALUES ('', 't', NULL, now(), now())"),
    ("ck_run_products_position_positive", "UPDATE run_products SET position = 0"),
    ("ck_run_products_price_positive", "UPDATE run_products SET price_cents = 0"),
    ("ck_run_products_searched_has_price", "UPDATE run_products SET price_cents = NULL"),
    ("fk_run_products_asin", "UPDATE run_products SET asin = 'B2'"),
    ("fk_run_products_run_id_node_id", "UPDATE run_products SET node_id = '2'"),
    (
        "fk_run_products_covered_by_run_id",
        f"UPDATE run_products SET covered_by_run_id = '{uuid4()}'",
    ),
    ("fk_product_searches_asin", "UPDATE product_searches SET asin = 'B2'"),
    ("fk_product_searches_run_id", f"UPDATE product_searches SET run_id = '{uuid4()}'"),
    ("ck_product_searches_pages_positive", "UPDATE product_searches SET pages = 0"),
    (
        "ck_product_searches_window_is_a_window",
        "UPDATE product_searches SET price_to_cents = price_from_cents",
    ),
    ("ck_collection_items_kind", "UPDATE collection_items SET kind = 'lunch'"),
    ("ck_collection_items_status", "UPDATE collection_items SET status = 'lost'"),
    ("ck_collection_items_page_positive", "UPDATE collection_items SET page = 0"),
    ("ck_collection_items_running_has_owner", "UPDATE collection_items SET status = 'running'"),
    ("ck_collection_items_running_has_owner", "UPDATE collection_items SET owner_id = 1"),
    ("ck_collection_items_failed_has_error", "UPDATE collection_items SET status = 'failed'"),
    (
        "ck_collection_items_search_has_product",
        "UPDATE collection_items SET kind = 'seller_search'",
    ),
    (
        "uq_collection_items_run_id_kind_key",
        f"{ITEM}) VALUES ('{RUN}', 'best_sellers', '1/1', 0, 1, '1', 'c')",
    ),
    (
        "fk_collection_items_run_id_node_id",
        f"{ITEM}) VALUES ('{RUN}', 'best_sellers', '2', 0, 1, '2', 'c')",
    ),
    ("fk_collection_items_asin", "UPDATE collection_items SET asin = 'B2'"),
    ("fk_failed_pages_run_id", f"INSERT INTO failed_pages VALUES ('{uuid4()}', 'e', 1, 'p')"),
    (
        "ck_collection_requests_finished_has_outcome",
        "INSERT INTO collection_requests (run_id, item_id, attempt, finished_at) "
        f"SELECT '{RUN}', id, 1, now() FROM collection_items",
    ),
    (
        "fk_collection_requests_item_id",
        f"INSERT INTO collection_requests (run_id, item_id, attempt) VALUES ('{RUN}', 999999, 1)",
    ),
    ("uq_sellers_platform_normalized_name", f"{SELLER}) VALUES (now(), now(), 'a', 'A')"),
    ("ck_sellers_platform", f"{SELLER}, platform) VALUES (now(), now(), 'b', 'B', 'etsy')"),
    ("ck_sellers_name_length", f"{SELLER}) VALUES (now(), now(), '', 'B')"),
    ("ck_sellers_seen_in_order", f"{SELLER}) VALUES (now(), '2001-01-01Z', 'b', 'B')"),
    ("ck_sellers_feedback_percent", "UPDATE sellers SET feedback_percent = 100.1"),
    ("ck_sellers_feedback_count", "UPDATE sellers SET feedback_count = -1"),
    ("fk_sellers_first_run_id", f"UPDATE sellers SET first_run_id = '{uuid4()}'"),
    ("fk_seller_aliases_seller_id", "INSERT INTO seller_aliases VALUES ('ebay', 'b', 999999)"),
    (
        "ck_seller_sightings_listings_positive",
        f"INSERT INTO seller_sightings SELECT '{RUN}', 'B1', id, 0, now() FROM sellers",
    ),
    (
        "fk_seller_sightings_asin",
        f"INSERT INTO seller_sightings SELECT '{RUN}', 'B2', id, 1, now() FROM sellers",
    ),
    ("fk_run_sellers_seller_id", f"INSERT INTO run_sellers VALUES ('{RUN}', 999999, true)"),
    ("ck_seller_audit_log_action", f"{AUDIT} 'eat', 'manual', 1, 1)"),
    ("ck_seller_audit_log_source", f"{AUDIT} 'add', 'magic', 1, 1)"),
    ("ck_seller_audit_log_affected_not_negative", f"{AUDIT} 'add', 'manual', -1, 1)"),
    ("ck_seller_audit_log_snapshot_not_negative", f"{AUDIT} 'add', 'manual', 1, -1)"),
    ("ck_seller_audit_log_runs_only_add", f"{AUDIT} 'remove', 'run', 1, 1)"),
    ("fk_seller_audit_log_undoes_id", "UPDATE seller_audit_log SET undoes_id = 9"),
    (
        "ck_seller_audit_changes_change",
        "INSERT INTO seller_audit_changes (audit_id, seller_id, change) "
        "SELECT 1, id, 'eaten' FROM sellers",
    ),
    ("ck_seller_counter_one_row", 'INSERT INTO seller_counter ("only") VALUES (false)'),
    ("pk_seller_counter", "INSERT INTO seller_counter DEFAULT VALUES"),
    ("ck_seller_counter_not_negative", "UPDATE seller_counter SET seller_count = -1"),
    (
        "uq_category_presets_name",
        "INSERT INTO category_presets (name, node_ids) VALUES ('p', '{1}')",
    ),
    (
        "uq_category_presets_default",
        "INSERT INTO category_presets (name, node_ids, is_default) VALUES ('q', '{1}', true)",
    ),
    (
        "ck_category_presets_not_empty",
        "INSERT INTO category_presets (name, node_ids) VALUES ('q', '{}')",
    ),
    ("ck_category_presets_name_length", "UPDATE category_presets SET name = ''"),
    ("pk_categories", "INSERT INTO categories VALUES ('1', 'd', 'n', 's', true, 'new')"),
    ("ck_categories_node_id_digits", "UPDATE categories SET node_id = '1a'"),
    ("ck_categories_name_length", "UPDATE categories SET name = ''"),
    ("ck_categories_status", "UPDATE categories SET status = 'lost'"),
    (
        "ck_activity_log_id_positive",
        f"INSERT INTO activity_log VALUES ('{RUN}', 0, now(), 0, 'p', 'a', '{{}}')",
    ),
    (
        "ck_activity_log_worker_id",
        f"INSERT INTO activity_log VALUES ('{RUN}', 1, now(), -1, 'p', 'a', '{{}}')",
    ),
    (
        "fk_activity_log_run_id",
        f"INSERT INTO activity_log VALUES ('{uuid4()}', 1, now(), 0, 'p', 'a', '{{}}')",
    ),
    ("ck_run_participants_place", f"INSERT INTO run_participants VALUES ('{RUN}', 1, -1, 5, 'n')"),
    ("ck_run_participants_workers", f"INSERT INTO run_participants VALUES ('{RUN}', 1, 0, 0, 'n')"),
    (
        "fk_run_participants_run_id",
        f"INSERT INTO run_participants VALUES ('{uuid4()}', 1, 0, 5, 'n')",
    ),
    (
        "fk_participant_reports_run_id",
        f"INSERT INTO participant_reports (run_id, entry) VALUES ('{uuid4()}', '{{}}')",
    ),
    ("ck_request_pace_one_row", "INSERT INTO request_pace VALUES (2, 1, now())"),
    ("ck_request_pace_per_second", "UPDATE request_pace SET per_second = -1"),
]


def test_the_database_itself_refuses_bad_rows(populated: Database) -> None:
    with psycopg.connect(populated.conninfo(), autocommit=True) as connection:
        for name, statement in REFUSED:
            with pytest.raises(psycopg.errors.IntegrityError) as told:
                connection.execute(statement)
            assert told.value.diag.constraint_name == name, statement


def test_every_check_is_shown_to_refuse_something(database: Database) -> None:
    checks = rows(
        database,
        "SELECT conname FROM pg_constraint WHERE contype = 'c' "
        "AND connamespace = 'public'::regnamespace",
    )
    assert {name for (name,) in checks} <= {name for name, _ in REFUSED}


def test_a_removed_run_takes_its_own_rows_along_and_leaves_the_sellers(
    populated: Database,
) -> None:
    engine = create_engine(populated.url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sellers SET first_run_id = :run"), {"run": RUN})
        connection.execute(text("DELETE FROM collection_runs"))
        for table in ("run_categories", "run_products", "collection_items", "product_searches"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0
        assert connection.execute(text("SELECT first_run_id FROM sellers")).all() == [(None,)]
    engine.dispose()
