"""Settings of the desk that are kept with the data: whoever opens the database has them too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from collector.schema import collector_settings

SCORE_WEIGHTS = "score_weights"


def get(conn: Connection, key: str) -> dict[str, Any]:
    """What is kept under a key; empty where nothing is."""
    found = conn.execute(
        select(collector_settings.c.value).where(collector_settings.c.key == key)
    ).scalar_one_or_none()
    return dict(found or {})


def put(conn: Connection, key: str, value: Mapping[str, Any]) -> None:
    """Keep something under a key, instead of what was there."""
    statement = insert(collector_settings).values(key=key, value=dict(value))
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["key"],
            set_={"value": statement.excluded.value, "updated_at": text("clock_timestamp()")},
        )
    )
