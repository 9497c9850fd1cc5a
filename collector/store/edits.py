"""Edits of the seller list by people: each one transaction, one audit entry, one exact snapshot.

What cannot be done for one of several sellers (it is on the list already, nobody is called that)
is told in the result and not raised: the rest is done.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Text

from collector.errors import UsageError
from collector.sources.ebay import normalize_name
from collector.store.sellers import Change, count, log_change

LONGEST_NAME = 64
LONGEST_NOTE = 2000


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit did.

    Attributes:
        affected: how many sellers it changed.
        seller_count: how many are on the list now.
        audit_id: its audit entry; None where nothing was changed.
        told: why a name was left as it was, by name.
    """

    affected: int
    seller_count: int
    audit_id: int | None = None
    told: dict[str, str] = field(default_factory=dict)


def add(
    conn: Connection, names: Iterable[str], *, actor: str, note: str = "", source: str = "manual"
) -> Edit:
    """Put sellers on the list, also those that were taken off it.

    Raises:
        UsageError: a name cannot be one.
    """
    wanted = _named(names)
    _check_note(note)
    told: dict[str, str] = {}
    known = _locked(conn, wanted)
    aliases = _aliases(conn, wanted)
    back: list[Row[Any]] = []
    fresh: list[str] = []
    for name, display in wanted.items():
        if name in aliases:
            told[display] = f"is called {aliases[name].display_name} now"
        elif name not in known:
            fresh.append(name)
        elif known[name].removed_at is None:
            told[display] = "is on the list already"
        else:
            back.append(known[name])
    changes = [
        Change(row.id, "added", new_name=row.display_name)
        for row in _insert(conn, [(n, wanted[n]) for n in fresh], note)
    ]
    # Somebody else was faster since the look.
    inserted = {change.new_name for change in changes}
    told |= {wanted[n]: "is on the list already" for n in fresh if wanted[n] not in inserted}
    _update(conn, "removed_at = NULL", [row.id for row in back])
    changes += [Change(row.id, "added", new_name=row.display_name) for row in back]
    return _log(conn, "add", changes, told, actor=actor, source=source)


def remove(conn: Connection, names: Iterable[str], *, actor: str) -> Edit:
    """Take sellers off the list. Runs that see them again do not put them back."""
    rows, told = _on_the_list(conn, names)
    _update(conn, "removed_at = clock_timestamp()", [row.id for row in rows])
    changes = [Change(row.id, "removed", old_name=row.display_name) for row in rows]
    return _log(conn, "remove", changes, told, actor=actor)


def flag(
    conn: Connection, names: Iterable[str], *, actor: str, flagged: bool = True, note: str | None
) -> Edit:
    """Flag sellers, or take the flag away; a note replaces theirs.

    Raises:
        UsageError: the note is too long.
    """
    _check_note(note or "")
    rows, told = _on_the_list(conn, names)
    changed = [r for r in rows if r.flagged != flagged or (note is not None and r.note != note)]
    for row in rows:
        if row not in changed:
            told[row.display_name] = "is flagged already" if flagged else "is not flagged"
    conn.execute(
        text(
            "UPDATE sellers SET flagged = :flagged, note = coalesce(:note, note) "
            "WHERE id = ANY(:ids)"
        ).bindparams(bindparam("ids", type_=ARRAY(BigInteger)), bindparam("note", type_=Text)),
        {"flagged": flagged, "note": note, "ids": [row.id for row in changed]},
    )
    kind = "flagged" if flagged else "unflagged"
    changes = [
        Change(
            row.id,
            # The flag itself may stand as it was, and only the note be new.
            kind if row.flagged != flagged else "edited",
            old_name=row.display_name,
            new_name=row.display_name,
            old_note=row.note,
            new_note=row.note if note is None else note,
        )
        for row in changed
    ]
    return _log(conn, "flag" if flagged else "unflag", changes, told, actor=actor)


def rename(conn: Connection, name: str, new_name: str, *, actor: str) -> Edit:
    """Give a seller another name. The old one stays as an alias: whoever sees it means this one.

    Raises:
        UsageError: the new name cannot be one.
    """
    (new, display), *_ = _named([new_name]).items()
    rows, told = _on_the_list(conn, [name])
    if not rows:
        return _log(conn, "edit", [], told, actor=actor)
    row = rows[0]
    bearer = _locked(conn, {new: display}).get(new)
    alias = _aliases(conn, {new: display}).get(new)
    if row.display_name == display:
        told[name] = "is called that already"
    elif bearer is not None and bearer.id != row.id:
        told[name] = f"cannot be called {bearer.display_name}: another seller is"
    elif alias is not None and alias.id != row.id:
        told[name] = f"cannot be called {display}: {alias.display_name} was once"
    if told:
        return _log(conn, "edit", [], told, actor=actor)
    apply_name(conn, row.id, old=row.normalized_name, new=new, display=display)
    change = Change(row.id, "renamed", old_name=row.display_name, new_name=display)
    return _log(conn, "edit", [change], told, actor=actor)


def apply_name(conn: Connection, seller_id: int, *, old: str, new: str, display: str) -> None:
    """Write a seller's new name and keep the old one as its alias."""
    conn.execute(
        text("DELETE FROM seller_aliases WHERE platform = 'ebay' AND normalized_name = :new"),
        {"new": new},
    )
    conn.execute(
        text("UPDATE sellers SET normalized_name = :new, display_name = :display WHERE id = :id"),
        {"new": new, "display": display, "id": seller_id},
    )
    if old != new:
        conn.execute(
            text(
                "INSERT INTO seller_aliases (platform, normalized_name, seller_id) "
                "VALUES ('ebay', :old, :id)"
            ),
            {"old": old, "id": seller_id},
        )


def _named(names: Iterable[str]) -> dict[str, str]:
    """Names as shown, by normalized name, in the order in which rows are locked."""
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
        found.setdefault(normalize_name(display), display)
    if not found:
        raise UsageError("Give the name of a seller at least.")
    return dict(sorted(found.items()))


def _check_note(note: str) -> None:
    if len(note) > LONGEST_NOTE or "\x00" in note:
        raise UsageError(f"A note has at most {LONGEST_NOTE} characters.")


def _locked(conn: Connection, names: dict[str, str]) -> dict[str, Row[Any]]:
    rows = conn.execute(
        text(
            "SELECT id, normalized_name, display_name, flagged, note, removed_at FROM sellers "
            "WHERE platform = 'ebay' AND normalized_name = ANY(:names) "
            "ORDER BY normalized_name FOR UPDATE"
        ).bindparams(bindparam("names", type_=ARRAY(Text))),
        {"names": list(names)},
    )
    return {row.normalized_name: row for row in rows}


def _aliases(conn: Connection, names: dict[str, str]) -> dict[str, Row[Any]]:
    rows = conn.execute(
        text(
            "SELECT a.normalized_name, s.id, s.display_name, s.normalized_name AS bearer "
            "FROM seller_aliases a JOIN sellers s ON s.id = a.seller_id "
            "WHERE a.platform = 'ebay' AND a.normalized_name = ANY(:names)"
        ).bindparams(bindparam("names", type_=ARRAY(Text))),
        {"names": list(names)},
    )
    return {row.normalized_name: row for row in rows}


def _on_the_list(conn: Connection, names: Iterable[str]) -> tuple[list[Row[Any]], dict[str, str]]:
    wanted = _named(names)
    aliases = _aliases(conn, wanted)
    # A former name means its bearer.
    meant = {aliases[n].bearer if n in aliases else n: d for n, d in wanted.items()}
    known = _locked(conn, meant)
    told = {d: "is not on the list" for n, d in meant.items() if n not in known}
    told |= {meant[n]: "is not on the list" for n, r in known.items() if r.removed_at is not None}
    return [row for row in known.values() if row.removed_at is None], told


def _insert(conn: Connection, fresh: Sequence[tuple[str, str]], note: str) -> Sequence[Row[Any]]:
    if not fresh:
        return []
    return conn.execute(
        text(
            "INSERT INTO sellers (platform, normalized_name, display_name, note, "
            "                     first_seen_at, last_seen_at) "
            "SELECT 'ebay', name, display, :note, now(), now() "
            "FROM unnest(:names, :displays) AS t(name, display) ORDER BY name "
            "ON CONFLICT (platform, normalized_name) DO NOTHING RETURNING id, display_name"
        ).bindparams(
            bindparam("names", type_=ARRAY(Text)), bindparam("displays", type_=ARRAY(Text))
        ),
        {"names": [n for n, _ in fresh], "displays": [d for _, d in fresh], "note": note},
    ).all()


def _update(conn: Connection, assignment: str, ids: Sequence[int]) -> None:
    conn.execute(
        text(
            f"UPDATE sellers SET {assignment} WHERE id = ANY(:ids)"  # noqa: S608 - ours
        ).bindparams(bindparam("ids", type_=ARRAY(BigInteger))),
        {"ids": list(ids)},
    )


def _log(
    conn: Connection,
    action: str,
    changes: Sequence[Change],
    told: dict[str, str],
    *,
    actor: str,
    source: str = "manual",
) -> Edit:
    if not changes:
        return Edit(0, count(conn), None, told)
    audit_id, seller_count = log_change(
        conn, action=action, source=source, actor=actor, changes=changes
    )
    return Edit(len(changes), seller_count, audit_id, told)
