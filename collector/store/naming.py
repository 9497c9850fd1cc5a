"""Sellers by their names: which texts can be one, and which seller a name means by now."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from collector.errors import UsageError
from collector.names import normalize_name

LONGEST_NAME = 64
LONGEST_NOTE = 2000
TWICE = "is given more than once"


def named(names: Iterable[str], told: dict[str, str] | None = None) -> dict[str, str]:
    """Names as shown, by normalized name, in the order in which rows are locked.

    Who is named more than once is told, where there is somebody to tell.
    """
    if isinstance(names, str):
        names = [names]
    found: dict[str, str] = {}
    for name in names:
        display = str(name).strip()
        if not display:
            continue
        odd = any(unicodedata.category(c)[0] in "CZ" for c in display)
        if odd or len(normalize_name(display)) > LONGEST_NAME:
            raise UsageError(
                f"{display[:80]!r} is no seller's name: it has 1 to {LONGEST_NAME} characters "
                "and no blanks."
            )
        normalized = normalize_name(display)
        if normalized in found and told is not None:
            told[display] = TWICE
        found.setdefault(normalized, display)
    if not found:
        raise UsageError("Give the name of a seller at least.")
    return dict(sorted(found.items()))


def check_note(note: str) -> None:
    """Refuse what cannot be a note.

    Raises:
        UsageError: it is too long, or holds what PostgreSQL cannot.
    """
    if len(note) > LONGEST_NOTE or "\x00" in note:
        raise UsageError(f"A note has at most {LONGEST_NOTE} characters.")


def locked(conn: Connection, names: dict[str, str]) -> dict[str, Row[Any]]:
    """The sellers that bear these normalized names, removed ones too, locked in their order."""
    rows = conn.execute(
        text(
            "SELECT id, normalized_name, display_name, flagged, note, removed_at FROM sellers "
            "WHERE platform = 'ebay' AND normalized_name = ANY(:names) "
            "ORDER BY normalized_name FOR UPDATE"
        ).bindparams(bindparam("names", type_=ARRAY(Text))),
        {"names": list(names)},
    )
    return {row.normalized_name: row for row in rows}


def aliases_of(conn: Connection, names: dict[str, str]) -> dict[str, Row[Any]]:
    """By former name, whoever bears another name now."""
    rows = conn.execute(
        text(
            "SELECT a.normalized_name, s.id, s.display_name, s.removed_at, "
            "       s.normalized_name AS bearer "
            "FROM seller_aliases a JOIN sellers s ON s.id = a.seller_id "
            "WHERE a.platform = 'ebay' AND a.normalized_name = ANY(:names)"
        ).bindparams(bindparam("names", type_=ARRAY(Text))),
        {"names": list(names)},
    )
    return {row.normalized_name: row for row in rows}


def on_the_list(conn: Connection, names: Iterable[str]) -> tuple[list[Row[Any]], dict[str, str]]:
    """The sellers on the list that are meant, locked, and why others are not.

    Raises:
        UsageError: a name cannot be one.
    """
    wanted = named(names)
    aliases = aliases_of(conn, wanted)
    # A former name means its bearer.
    meant = {aliases[n].bearer if n in aliases else n: d for n, d in wanted.items()}
    known = locked(conn, meant)
    told = {d: "is not on the list" for n, d in meant.items() if n not in known}
    told |= {meant[n]: "is not on the list" for n, r in known.items() if r.removed_at is not None}
    return [row for row in known.values() if row.removed_at is None], told


def apply_name(
    conn: Connection,
    seller_id: int,
    *,
    old: str,
    new: str,
    display: str,
    keep_old: bool = True,
) -> None:
    """Write a seller's new name and keep the old one as its alias, unless told not to."""
    conn.execute(
        text("DELETE FROM seller_aliases WHERE platform = 'ebay' AND normalized_name = :new"),
        {"new": new},
    )
    conn.execute(
        text("UPDATE sellers SET normalized_name = :new, display_name = :display WHERE id = :id"),
        {"new": new, "display": display, "id": seller_id},
    )
    if old != new and keep_old:
        conn.execute(
            text(
                "INSERT INTO seller_aliases (platform, normalized_name, seller_id) "
                "VALUES ('ebay', :old, :id)"
            ),
            {"old": old, "id": seller_id},
        )
