"""The catalogue's changes in this database, and the lists that answered with nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from collector.models import Category
from collector.schema import categories


@dataclass(frozen=True, slots=True)
class StoredCategory:
    """A category as its department's page had it.

    Attributes:
        category: the category.
        status: known, new, renamed or gone.
        note: more, for people.
    """

    category: Category
    status: str
    note: str = ""


def stored(conn: Connection) -> list[StoredCategory]:
    """Every category that a department's page was read about, by department and name."""
    rows = conn.execute(
        select(categories).order_by(categories.c.department, categories.c.name)
    ).all()
    return [
        StoredCategory(
            Category(row.node_id, row.department, row.name, row.slug, row.confirmed),
            row.status,
            row.note,
        )
        for row in rows
    ]


def save(conn: Connection, found: Iterable[StoredCategory]) -> None:
    """Keep what a department's page says, in the place of what an earlier one said."""
    rows = [
        {
            "node_id": f.category.node_id,
            "department": f.category.department,
            "name": f.category.name,
            "slug": f.category.slug,
            "confirmed": f.category.confirmed,
            "status": f.status,
            "note": f.note,
        }
        # In one order everywhere: two who check the same department do not wait in a circle.
        for f in sorted(found, key=lambda f: f.category.node_id)
    ]
    if not rows:
        return
    statement = insert(categories)
    kept = {c.name: statement.excluded[c.name] for c in categories.c if c.name != "node_id"}
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["node_id"],
            set_=kept | {"last_checked_at": text("clock_timestamp()")},
        ),
        rows,
    )


def empty(conn: Connection) -> set[str]:
    """The node ids of lists that held nothing when a run last read them.

    One that its department's page links since is not among them, nor one that a later run found
    products on.
    """
    rows = conn.execute(
        text(
            """
            SELECT latest.node_id FROM (
                SELECT DISTINCT ON (node_id) node_id, results, settled_at
                FROM collection_items
                WHERE kind = 'best_sellers' AND page = 1 AND status = 'done'
                ORDER BY node_id, settled_at DESC
            ) latest
            LEFT JOIN categories c ON c.node_id = latest.node_id AND c.status <> 'gone'
            WHERE latest.results = 0
              AND (c.node_id IS NULL OR c.last_checked_at < latest.settled_at)
            """
        )
    )
    return {row.node_id for row in rows}
