"""The seller collection: runs and their items, sellers, the audit log, presets and settings.

Revision ID: 044_seller_collection
"""

from __future__ import annotations

from datetime import datetime

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import CreateSequence, DropSequence

revision = "044_seller_collection"
down_revision = None
branch_labels = None
depends_on = None

TIME = DateTime(timezone=True)
NOW = text("clock_timestamp()")


# Names go through op.f(), which keeps them as they stand.
def check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(condition, name=op.f(name))


def unique(name: str, *columns: str) -> UniqueConstraint:
    return UniqueConstraint(*columns, name=op.f(name))


def primary_key(name: str, *columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint(*columns, name=op.f(name))


def refers(name: str, column: str, to: str, ondelete: str | None = None) -> ForeignKeyConstraint:
    return ForeignKeyConstraint([column], [to], name=op.f(name), ondelete=ondelete)


def tally(name: str) -> Column[int]:
    return Column(name, BigInteger, server_default="0", nullable=False)


def stamped(name: str) -> Column[datetime]:
    return Column(name, TIME, server_default=NOW, nullable=False)


# In an order in which each table refers only to those before it.
TABLES = (
    "collection_runs",
    "run_categories",
    "products",
    "run_products",
    "collection_items",
    "failed_pages",
    "collection_requests",
    "sellers",
    "seller_aliases",
    "seller_sightings",
    "run_sellers",
    "seller_audit_log",
    "seller_audit_changes",
    "seller_counter",
    "category_presets",
    "collector_settings",
)


def upgrade() -> None:
    """Create every table, and the counter's one row."""
    _create_runs()
    _create_items()
    _create_sellers()
    _create_audit_log()
    _create_desk()


def downgrade() -> None:
    """Drop them all, with what they hold."""
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute(DropSequence(Sequence("collection_owner_ids")))


def _create_runs() -> None:
    op.execute(CreateSequence(Sequence("collection_owner_ids", start=1)))
    op.create_table(
        "collection_runs",
        Column("id", Uuid, nullable=False),
        Column("name", Text, nullable=False),
        Column("status", Text, server_default="pending", nullable=False),
        Column("pause_reason", Text),
        Column("message", Text, server_default="", nullable=False),
        Column("command", Text),
        Column("source", Text, nullable=False),
        Column("sandbox_day", Integer),
        Column("options", JSONB, nullable=False),
        Column("owner_id", BigInteger),
        Column("budget", BigInteger),
        tally("requests"),
        tally("requests_billed"),
        tally("lists_total"),
        tally("lists_done"),
        tally("products_total"),
        tally("products_searched"),
        tally("products_skipped"),
        tally("sellers_found"),
        tally("sellers_new"),
        Column("seller_count_before", BigInteger),
        stamped("created_at"),
        Column("started_at", TIME),
        Column("finished_at", TIME),
        check(
            "ck_collection_runs_paused_has_reason",
            "(status = 'paused') = (pause_reason IS NOT NULL)",
        ),
        check(
            "ck_collection_runs_ended_has_time",
            "(status IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
        ),
        check("ck_collection_runs_command", "command IN ('pause', 'resume', 'cancel')"),
        check(
            "ck_collection_runs_pause_reason",
            "pause_reason IN ('operator', 'failures', 'credentials', 'budget', 'retry')",
        ),
        check("ck_collection_runs_source", "source IN ('oxylabs', 'sandbox')"),
        check(
            "ck_collection_runs_status",
            "status IN ('pending', 'running', 'paused', 'completed', 'failed', 'cancelled')",
        ),
        check("ck_collection_runs_budget_positive", "budget > 0"),
        check("ck_collection_runs_budget_is_a_ceiling", "budget IS NULL OR requests <= budget"),
        check("ck_collection_runs_name_length", "char_length(name) BETWEEN 1 AND 200"),
        check("ck_collection_runs_lists_done_of_total", "lists_done BETWEEN 0 AND lists_total"),
        check(
            "ck_collection_runs_searched_of_total", "products_searched BETWEEN 0 AND products_total"
        ),
        check("ck_collection_runs_skipped_not_negative", "products_skipped >= 0"),
        check("ck_collection_runs_billed_were_sent", "requests_billed BETWEEN 0 AND requests"),
        check("ck_collection_runs_new_were_found", "sellers_new BETWEEN 0 AND sellers_found"),
        primary_key("pk_collection_runs", "id"),
    )
    op.create_index("ix_collection_runs_created_at", "collection_runs", ["created_at"])
    op.create_table(
        "run_categories",
        Column("run_id", Uuid, nullable=False),
        Column("node_id", Text, nullable=False),
        Column("ordinal", Integer, nullable=False),
        Column("department", Text, nullable=False),
        Column("name", Text, nullable=False),
        check("ck_run_categories_node_id_digits", "node_id ~ '^[0-9]+$'"),
        refers("fk_run_categories_run_id", "run_id", "collection_runs.id", "CASCADE"),
        primary_key("pk_run_categories", "run_id", "node_id"),
        unique("uq_run_categories_run_id_ordinal", "run_id", "ordinal"),
    )


def _create_items() -> None:
    op.create_table(
        "products",
        Column("asin", Text, nullable=False),
        Column("title", Text, nullable=False),
        Column("url", Text),
        Column("first_seen_at", TIME, nullable=False),
        Column("last_seen_at", TIME, nullable=False),
        check("ck_products_asin_length", "char_length(asin) BETWEEN 1 AND 20"),
        primary_key("pk_products", "asin"),
    )
    op.create_table(
        "run_products",
        Column("run_id", Uuid, nullable=False),
        Column("node_id", Text, nullable=False),
        Column("asin", Text, nullable=False),
        Column("position", Integer, nullable=False),
        Column("title", Text, nullable=False),
        Column("price_cents", BigInteger),
        Column("currency", Text),
        Column("skip_reason", Text),
        check("ck_run_products_position_positive", "position > 0"),
        check("ck_run_products_price_positive", "price_cents > 0"),
        check(
            "ck_run_products_searched_has_price",
            "skip_reason IS NOT NULL OR price_cents IS NOT NULL",
        ),
        refers("fk_run_products_asin", "asin", "products.asin"),
        ForeignKeyConstraint(
            ["run_id", "node_id"],
            ["run_categories.run_id", "run_categories.node_id"],
            name=op.f("fk_run_products_run_id_node_id"),
            ondelete="CASCADE",
        ),
        primary_key("pk_run_products", "run_id", "node_id", "asin"),
    )
    op.create_index("ix_run_products_run_id_asin", "run_products", ["run_id", "asin"])
    op.create_table(
        "collection_items",
        Column("id", BigInteger, Identity(always=True), nullable=False),
        Column("run_id", Uuid, nullable=False),
        Column("kind", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("priority", Integer, nullable=False),
        Column("page", SmallInteger, nullable=False),
        Column("node_id", Text, nullable=False),
        Column("category", Text, nullable=False),
        Column("asin", Text),
        Column("title", Text),
        Column("price_from_cents", BigInteger),
        Column("price_to_cents", BigInteger),
        Column("status", Text, server_default="pending", nullable=False),
        Column("owner_id", BigInteger),
        Column("attempts", Integer, server_default="0", nullable=False),
        Column("error_type", Text),
        Column("error_stage", Text),
        Column("error_message", Text),
        Column("results", Integer),
        Column("sellers", Integer),
        Column("sellers_new", Integer),
        Column("has_more", Boolean),
        Column("duration_ms", Integer),
        stamped("created_at"),
        Column("settled_at", TIME),
        check(
            "ck_collection_items_running_has_owner", "(status = 'running') = (owner_id IS NOT NULL)"
        ),
        check(
            "ck_collection_items_search_has_product",
            "kind <> 'seller_search' OR (asin IS NOT NULL AND title IS NOT NULL "
            "AND 0 < price_from_cents AND price_from_cents < price_to_cents)",
        ),
        check("ck_collection_items_kind", "kind IN ('best_sellers', 'seller_search')"),
        check(
            "ck_collection_items_failed_has_error", "status <> 'failed' OR error_type IS NOT NULL"
        ),
        check("ck_collection_items_status", "status IN ('pending', 'running', 'done', 'failed')"),
        check("ck_collection_items_page_positive", "page > 0"),
        refers("fk_collection_items_asin", "asin", "products.asin"),
        ForeignKeyConstraint(
            ["run_id", "node_id"],
            ["run_categories.run_id", "run_categories.node_id"],
            name=op.f("fk_collection_items_run_id_node_id"),
            ondelete="CASCADE",
        ),
        primary_key("pk_collection_items", "id"),
        unique("uq_collection_items_run_id_kind_key", "run_id", "kind", "key"),
    )
    op.create_index(
        "ix_collection_items_failed",
        "collection_items",
        ["run_id"],
        postgresql_where=text("status = 'failed'"),
    )
    op.create_index(
        "ix_collection_items_pending",
        "collection_items",
        ["run_id", "priority", "id"],
        postgresql_where=text("status = 'pending'"),
    )
    op.create_index("ix_collection_items_run_id_asin", "collection_items", ["run_id", "asin"])
    op.create_index(
        "ix_collection_items_running",
        "collection_items",
        ["run_id", "owner_id"],
        postgresql_where=text("status = 'running'"),
    )
    op.create_table(
        "failed_pages",
        Column("run_id", Uuid, nullable=False),
        Column("error_type", Text, nullable=False),
        Column("item_id", BigInteger, nullable=False),
        Column("page", Text, nullable=False, comment="At most 3 MB: the first page of its kind"),
        stamped("created_at"),
        refers("fk_failed_pages_run_id", "run_id", "collection_runs.id", "CASCADE"),
        primary_key("pk_failed_pages", "run_id", "error_type"),
    )
    op.create_table(
        "collection_requests",
        Column("id", BigInteger, Identity(always=True), nullable=False),
        Column("run_id", Uuid, nullable=False),
        Column("item_id", BigInteger, nullable=False),
        Column("attempt", Integer, nullable=False),
        stamped("reserved_at"),
        Column("finished_at", TIME),
        Column(
            "outcome", Text, comment="ok, or the kind of error; null while in flight or unknown"
        ),
        Column("billed", Boolean),
        Column("duration_ms", Integer),
        check(
            "ck_collection_requests_finished_has_outcome",
            "(finished_at IS NULL) = (outcome IS NULL)",
        ),
        refers("fk_collection_requests_item_id", "item_id", "collection_items.id", "CASCADE"),
        refers("fk_collection_requests_run_id", "run_id", "collection_runs.id", "CASCADE"),
        primary_key("pk_collection_requests", "id"),
    )
    op.create_index("ix_collection_requests_item_id", "collection_requests", ["item_id"])
    op.create_index("ix_collection_requests_run_id_id", "collection_requests", ["run_id", "id"])


def _create_sellers() -> None:
    op.create_table(
        "sellers",
        Column("id", BigInteger, Identity(always=True), nullable=False),
        Column("platform", Text, server_default="ebay", nullable=False),
        Column("normalized_name", Text, nullable=False),
        Column("display_name", Text, nullable=False),
        Column("feedback_percent", Numeric(precision=4, scale=1)),
        Column("feedback_count", BigInteger),
        Column("first_seen_at", TIME, nullable=False),
        Column("last_seen_at", TIME, nullable=False),
        Column("first_run_id", Uuid),
        Column("last_run_id", Uuid),
        tally("times_seen"),
        Column("flagged", Boolean, server_default=text("false"), nullable=False),
        Column("note", Text, server_default="", nullable=False),
        Column("removed_at", TIME),
        check("ck_sellers_platform", "platform IN ('ebay')"),
        check("ck_sellers_name_length", "char_length(normalized_name) BETWEEN 1 AND 64"),
        check("ck_sellers_feedback_count", "feedback_count >= 0"),
        check("ck_sellers_feedback_percent", "feedback_percent BETWEEN 0 AND 100"),
        check("ck_sellers_seen_in_order", "first_seen_at <= last_seen_at"),
        refers("fk_sellers_first_run_id", "first_run_id", "collection_runs.id", "SET NULL"),
        refers("fk_sellers_last_run_id", "last_run_id", "collection_runs.id", "SET NULL"),
        primary_key("pk_sellers", "id"),
        unique("uq_sellers_platform_normalized_name", "platform", "normalized_name"),
    )
    op.create_table(
        "seller_aliases",
        Column("platform", Text, nullable=False),
        Column("normalized_name", Text, nullable=False),
        Column("seller_id", BigInteger, nullable=False),
        stamped("created_at"),
        refers("fk_seller_aliases_seller_id", "seller_id", "sellers.id", "CASCADE"),
        primary_key("pk_seller_aliases", "platform", "normalized_name"),
    )
    op.create_index("ix_seller_aliases_seller_id", "seller_aliases", ["seller_id"])
    op.create_table(
        "seller_sightings",
        Column("run_id", Uuid, nullable=False),
        Column("asin", Text, nullable=False),
        Column("seller_id", BigInteger, nullable=False),
        Column("listings", Integer, nullable=False),
        Column("seen_at", TIME, nullable=False),
        check("ck_seller_sightings_listings_positive", "listings > 0"),
        refers("fk_seller_sightings_asin", "asin", "products.asin"),
        refers("fk_seller_sightings_run_id", "run_id", "collection_runs.id", "CASCADE"),
        refers("fk_seller_sightings_seller_id", "seller_id", "sellers.id", "CASCADE"),
        primary_key("pk_seller_sightings", "run_id", "asin", "seller_id"),
    )
    op.create_index("ix_seller_sightings_seller_id", "seller_sightings", ["seller_id"])
    op.create_table(
        "run_sellers",
        Column("run_id", Uuid, nullable=False),
        Column("seller_id", BigInteger, nullable=False),
        Column("is_new", Boolean, nullable=False),
        refers("fk_run_sellers_run_id", "run_id", "collection_runs.id", "CASCADE"),
        refers("fk_run_sellers_seller_id", "seller_id", "sellers.id", "CASCADE"),
        primary_key("pk_run_sellers", "run_id", "seller_id"),
    )
    op.create_index("ix_run_sellers_seller_id", "run_sellers", ["seller_id"])


def _create_audit_log() -> None:
    op.create_table(
        "seller_audit_log",
        Column("id", BigInteger, autoincrement=False, nullable=False),
        stamped("created_at"),
        Column("action", Text, nullable=False),
        Column("source", Text, nullable=False),
        Column("actor", Text, nullable=False),
        Column("seller_name", Text, comment="The seller, or the first of several"),
        Column("run_id", Uuid),
        Column("affected_count", BigInteger, nullable=False),
        Column("details", JSONB, server_default=text("'{}'::jsonb"), nullable=False),
        Column("undoes_id", BigInteger),
        check(
            "ck_seller_audit_log_action",
            "action IN ('add', 'edit', 'remove', 'flag', 'unflag', 'export', 'undo', 'redo')",
        ),
        check("ck_seller_audit_log_runs_only_add", "source <> 'run' OR action = 'add'"),
        check("ck_seller_audit_log_source", "source IN ('run', 'manual', 'import', 'export')"),
        check("ck_seller_audit_log_affected_not_negative", "affected_count >= 0"),
        refers("fk_seller_audit_log_run_id", "run_id", "collection_runs.id", "SET NULL"),
        refers("fk_seller_audit_log_undoes_id", "undoes_id", "seller_audit_log.id"),
        primary_key("pk_seller_audit_log", "id"),
    )
    op.create_index("ix_seller_audit_log_created_at", "seller_audit_log", ["created_at"])
    op.create_index("ix_seller_audit_log_run_id", "seller_audit_log", ["run_id"])
    op.create_table(
        "seller_audit_changes",
        Column("audit_id", BigInteger, nullable=False),
        Column("seller_id", BigInteger, nullable=False),
        Column("change", Text, nullable=False),
        Column("old_name", Text),
        Column("new_name", Text),
        Column("old_note", Text),
        Column("new_note", Text),
        check(
            "ck_seller_audit_changes_change",
            "change IN ('added', 'removed', 'renamed', 'flagged', 'unflagged', 'edited')",
        ),
        refers("fk_seller_audit_changes_audit_id", "audit_id", "seller_audit_log.id", "CASCADE"),
        refers("fk_seller_audit_changes_seller_id", "seller_id", "sellers.id", "CASCADE"),
        primary_key("pk_seller_audit_changes", "audit_id", "seller_id"),
    )
    op.create_index(
        "ix_seller_audit_changes_seller_id_audit_id",
        "seller_audit_changes",
        ["seller_id", "audit_id"],
    )
    op.create_table(
        "seller_counter",
        Column("only", Boolean, server_default=text("true"), nullable=False),
        tally("seller_count"),
        tally("last_audit_id"),
        check("ck_seller_counter_one_row", '"only"'),
        check("ck_seller_counter_not_negative", "seller_count >= 0"),
        primary_key("pk_seller_counter", "only"),
    )
    # The one row that all counting locks.
    op.execute("INSERT INTO seller_counter DEFAULT VALUES")


def _create_desk() -> None:
    op.create_table(
        "category_presets",
        Column("id", BigInteger, Identity(always=True), nullable=False),
        Column("name", Text, nullable=False),
        Column("node_ids", ARRAY(Text), nullable=False),
        Column("is_default", Boolean, server_default=text("false"), nullable=False),
        stamped("created_at"),
        stamped("updated_at"),
        check("ck_category_presets_not_empty", "cardinality(node_ids) > 0"),
        check("ck_category_presets_name_length", "char_length(name) BETWEEN 1 AND 100"),
        primary_key("pk_category_presets", "id"),
        unique("uq_category_presets_name", "name"),
    )
    op.create_index(
        "uq_category_presets_default",
        "category_presets",
        ["is_default"],
        unique=True,
        postgresql_where=text("is_default"),
    )
    op.create_table(
        "collector_settings",
        Column("key", Text, nullable=False),
        Column("value", JSONB, nullable=False),
        stamped("updated_at"),
        primary_key("pk_collector_settings", "key"),
    )
