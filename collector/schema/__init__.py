"""The tables, as SQLAlchemy Core knows them. Migrations create them; a test holds the two together.

Everything that can be said as a constraint is said as one: the database is shared by kernels,
terminals and servers of different ages, and it alone sees all of them.
"""

from __future__ import annotations

from collector.schema.activity import activity_log
from collector.schema.audit import (
    AUDIT_ACTIONS,
    AUDIT_SOURCES,
    CHANGES,
    seller_audit_changes,
    seller_audit_log,
    seller_counter,
)
from collector.schema.catalogue import CATEGORY_STATUSES, categories
from collector.schema.conventions import SNAPSHOT_COMMENT, metadata
from collector.schema.desk import category_presets, collector_settings
from collector.schema.items import (
    ITEM_STATUSES,
    collection_items,
    collection_requests,
    failed_pages,
    product_searches,
    products,
    run_products,
)
from collector.schema.runs import collection_runs, owner_ids, run_categories
from collector.schema.seller_list import run_sellers, seller_aliases, seller_sightings, sellers
from collector.schema.sharing import participant_reports, request_pace, run_participants

__all__ = [
    "AUDIT_ACTIONS",
    "AUDIT_SOURCES",
    "CATEGORY_STATUSES",
    "CHANGES",
    "ITEM_STATUSES",
    "SNAPSHOT_COMMENT",
    "activity_log",
    "categories",
    "category_presets",
    "collection_items",
    "collection_requests",
    "collection_runs",
    "collector_settings",
    "failed_pages",
    "metadata",
    "owner_ids",
    "participant_reports",
    "product_searches",
    "products",
    "request_pace",
    "run_categories",
    "run_participants",
    "run_products",
    "run_sellers",
    "seller_aliases",
    "seller_audit_changes",
    "seller_audit_log",
    "seller_counter",
    "seller_sightings",
    "sellers",
]
