"""Edits of the seller list by people: each one transaction, one audit entry, one exact snapshot.

What cannot be done for one of several sellers (it is on the list already, nobody is called that)
is told in the result and not raised: the rest is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Text

from collector.store.audit import Change, count, log_change
from collector.store.naming import aliases_of, apply_name, check_note, locked, named, on_the_list

# "edit" in ASCII. Not the counter's row: that is locked last, after the sellers.
EDIT_LOCK = 0x65646974


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


def take_turn(conn: Connection) -> None:
    """Wait until no other edit, undo or redo is going on. First in the transaction of each.

    Edits are made by people and are few; one after the other, the latest one is always well
    defined, and none finds a name taken from under it. Runs take no turn.
    """
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": EDIT_LOCK})


def add(
    conn: Connection, names: Iterable[str], *, actor: str, note: str = "", source: str = "manual"
) -> Edit:
    """Put sellers on the list, also those that were taken off it.

    Raises:
        UsageError: a name cannot be one.
    """
    told: dict[str, str] = {}
    wanted = named(names, told)
    check_note(note)
    take_turn(conn)
    known = locked(conn, wanted)
    aliases = aliases_of(conn, wanted)
    back: list[Row[Any]] = []
    fresh: list[str] = []
    for name, display in wanted.items():
        if name in aliases:
            gone = "" if aliases[name].removed_at is None else ", who was taken off the list"
            told[display] = f"is called {aliases[name].display_name} now{gone}"
        elif name not in known:
            fresh.append(name)
        elif known[name].removed_at is None:
            told[display] = "is on the list already"
        else:
            back.append(known[name])
    changes = [
        Change(row.id, "added", new_name=row.display_name, new_note=note or None)
        for row in _insert(conn, [(n, wanted[n]) for n in fresh], note)
    ]
    # Somebody else was faster since the look.
    inserted = {change.new_name for change in changes}
    told |= {wanted[n]: "is on the list already" for n in fresh if wanted[n] not in inserted}
    put_back(conn, [row.id for row in back], note=note or None)
    changes += [
        Change(
            row.id,
            "added",
            new_name=row.display_name,
            old_note=row.note if note else None,
            new_note=note or None,
        )
        for row in back
    ]
    return _log(conn, "add", changes, told, actor=actor, source=source)


def remove(conn: Connection, names: Iterable[str], *, actor: str) -> Edit:
    """Take sellers off the list. Runs that see them again do not put them back."""
    take_turn(conn)
    rows, told = on_the_list(conn, names)
    take_off(conn, [row.id for row in rows])
    changes = [Change(row.id, "removed", old_name=row.display_name) for row in rows]
    return _log(conn, "remove", changes, told, actor=actor)


def flag(
    conn: Connection, names: Iterable[str], *, actor: str, flagged: bool = True, note: str | None
) -> Edit:
    """Flag sellers, or take the flag away; a note replaces theirs.

    Raises:
        UsageError: the note is too long.
    """
    check_note(note or "")
    take_turn(conn)
    rows, told = on_the_list(conn, names)
    changed = []
    for row in rows:
        if row.flagged != flagged or (note is not None and row.note != note):
            changed.append(row)
        else:
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
    (new, display), *_ = named([new_name]).items()
    take_turn(conn)
    rows, told = on_the_list(conn, [name])
    if not rows:
        return _log(conn, "edit", [], told, actor=actor)
    row = rows[0]
    bearer = locked(conn, {new: display}).get(new)
    alias = aliases_of(conn, {new: display}).get(new)
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


def put_back(conn: Connection, ids: Sequence[int], *, note: str | None = None) -> None:
    """Put sellers on the list who were taken off it; a note replaces theirs."""
    conn.execute(
        text(
            "UPDATE sellers SET removed_at = NULL, note = coalesce(:note, note) "
            "WHERE id = ANY(:ids)"
        ).bindparams(bindparam("ids", type_=ARRAY(BigInteger)), bindparam("note", type_=Text)),
        {"ids": list(ids), "note": note},
    )


def take_off(conn: Connection, ids: Sequence[int]) -> None:
    """Take sellers off the list."""
    conn.execute(
        text("UPDATE sellers SET removed_at = clock_timestamp() WHERE id = ANY(:ids)").bindparams(
            bindparam("ids", type_=ARRAY(BigInteger))
        ),
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
