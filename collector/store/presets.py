"""Presets: saved choices of categories, one of which may be the default."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from collector.errors import UsageError
from collector.schema import category_presets


def default(conn: Connection) -> tuple[str, ...] | None:
    """The node ids of the default preset; None where none is."""
    found = conn.execute(
        select(category_presets.c.node_ids).where(category_presets.c.is_default)
    ).scalar_one_or_none()
    return None if found is None else tuple(found)


def default_name(conn: Connection) -> str | None:
    """The name of the default preset; None where none is."""
    found = conn.execute(
        select(category_presets.c.name).where(category_presets.c.is_default)
    ).scalar_one_or_none()
    return None if found is None else str(found)


def named(conn: Connection, name: str) -> tuple[str, ...]:
    """The node ids of a preset.

    Raises:
        UsageError: there is no such preset.
    """
    found = conn.execute(
        select(category_presets.c.node_ids).where(category_presets.c.name == name)
    ).scalar_one_or_none()
    if found is None:
        known = ", ".join(all_named(conn)) or "none yet"
        raise UsageError(f"There is no preset {name[:100]!r}. There are: {known}.")
    return tuple(found)


def all_named(conn: Connection) -> dict[str, tuple[str, ...]]:
    """Every preset's node ids, by name; the default first."""
    rows = conn.execute(
        select(category_presets.c.name, category_presets.c.node_ids).order_by(
            category_presets.c.is_default.desc(), category_presets.c.name
        )
    )
    return {row.name: tuple(row.node_ids) for row in rows}


def save(conn: Connection, name: str, node_ids: Sequence[str]) -> None:
    """Add a preset, or replace the one of that name.

    Raises:
        UsageError: the name or the choice is empty.
    """
    name = name.strip()
    if not 1 <= len(name) <= 100 or "\x00" in name:
        raise UsageError("A preset's name has 1 to 100 characters.")
    if not node_ids:
        raise UsageError("A preset holds at least one category: choose some first.")
    statement = insert(category_presets).values(name=name, node_ids=list(node_ids))
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "node_ids": statement.excluded.node_ids,
                "updated_at": text("clock_timestamp()"),
            },
        )
    )


def rename(conn: Connection, name: str, new_name: str) -> None:
    """Rename a preset.

    Raises:
        UsageError: there is no such preset, or one with the new name is there already.
    """
    new_name = new_name.strip()
    if not 1 <= len(new_name) <= 100 or "\x00" in new_name:
        raise UsageError("A preset's name has 1 to 100 characters.")
    named(conn, name)
    if new_name != name and new_name in all_named(conn):
        raise UsageError(f"There is a preset {new_name!r} already.")
    conn.execute(
        update(category_presets).where(category_presets.c.name == name).values(name=new_name)
    )


def remove(conn: Connection, name: str) -> None:
    """Delete a preset.

    Raises:
        UsageError: there is no such preset.
    """
    named(conn, name)
    conn.execute(delete(category_presets).where(category_presets.c.name == name))


def make_default(conn: Connection, name: str) -> None:
    """Make a preset the one that a run without a choice takes.

    Raises:
        UsageError: there is no such preset.
    """
    named(conn, name)
    conn.execute(update(category_presets).values(is_default=False))
    conn.execute(
        update(category_presets).where(category_presets.c.name == name).values(is_default=True)
    )
