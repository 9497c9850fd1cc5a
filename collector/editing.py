"""The workbench's edits of the seller list."""

from __future__ import annotations

import csv
import getpass
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from collector.database import Database, explain
from collector.errors import UsageError
from collector.store import edits, undoing
from collector.store.edits import Edit

NAME_COLUMNS = ("normalized_name", "display_name", "username", "seller", "name")
TIMES_RETRIED = 4
# A run locked the same sellers in another order (deadlock), or inserted the very name that a
# rename gives (unique violation) and committed first: the second time, what it did is seen.
_RUN_AGAIN = {"40P01", "23505"}

T = TypeVar("T")


class SellerEditing:
    """How `Workbench` changes the list: each edit one transaction and one audit entry.

    Names are compared without regard to case. What cannot be done for one of several sellers is
    told in the result (`Edit.told`), and the rest is done.
    """

    database: Database

    def add(self, names: str | Iterable[str], *, note: str = "") -> Edit:
        """Put sellers on the list, also those that were taken off it.

        Raises:
            UsageError: a name cannot be one.
        """
        return self._edit(lambda c: edits.add(c, _listed(names), actor=self.actor, note=note))

    def remove(self, names: str | Iterable[str]) -> Edit:
        """Take sellers off the list. Runs that see them again do not put them back."""
        return self._edit(lambda c: edits.remove(c, _listed(names), actor=self.actor))

    def rename(self, name: str, new_name: str) -> Edit:
        """Give a seller another name; the old one is kept as an alias.

        Raises:
            UsageError: the new name cannot be one.
        """
        return self._edit(lambda c: edits.rename(c, name, new_name, actor=self.actor))

    def flag(self, names: str | Iterable[str], *, note: str | None = None) -> Edit:
        """Flag sellers; a note replaces theirs."""
        return self._edit(lambda c: edits.flag(c, _listed(names), actor=self.actor, note=note))

    def unflag(self, names: str | Iterable[str]) -> Edit:
        """Take the flag from sellers."""
        return self._edit(
            lambda c: edits.flag(c, _listed(names), actor=self.actor, flagged=False, note=None)
        )

    def import_csv(self, path: Path | str) -> Edit:
        """Put the sellers of a csv file on the list.

        Args:
            path: a file in UTF-8 whose first line names its columns, one of them
                `normalized_name`, `display_name`, `username`, `seller` or `name`; or one name
                a line.

        Raises:
            UsageError: the file cannot be read, or a name in it cannot be one. Nothing is added.
        """
        names = _names_in(Path(path).expanduser())
        return self._edit(lambda c: edits.add(c, names, actor=self.actor, source="import"))

    def undo(self) -> Edit:
        """Undo the latest edit that stands, whoever made it.

        Raises:
            UsageError: there is nothing to undo.
        """
        return self._edit(lambda c: undoing.undo(c, actor=self.actor))

    def redo(self) -> Edit:
        """Do again what was undone last, unless something else was edited since.

        Raises:
            UsageError: there is nothing to do again.
        """
        return self._edit(lambda c: undoing.redo(c, actor=self.actor))

    @property
    def actor(self) -> str:
        """Who edits and exports here: the JupyterHub user, else the system's."""
        if user := os.environ.get("JUPYTERHUB_USER"):
            return user
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            # A container may run under a number that has no name.
            return f"user {os.getuid()}"

    def _edit(self, edit: Callable[[Connection], T]) -> T:
        for retries_left in reversed(range(TIMES_RETRIED + 1)):
            try:
                with self.database.engine().begin() as conn:
                    return edit(conn)
            except DBAPIError as exc:
                if not retries_left or getattr(exc.orig, "sqlstate", None) not in _RUN_AGAIN:
                    raise explain(exc, self.database) from exc
        raise AssertionError("the last try returns or raises")


def _listed(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _names_in(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        # Spreadsheets of many countries write semicolons. A quoted note may have many lines.
        tables = [
            [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=d) if any(row)]
            for d in ",;\t"
        ]
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path} cannot be read as a text file in UTF-8: {exc}.") from exc
    except csv.Error as exc:
        raise UsageError(f"{path} cannot be read as a csv file: {exc}.") from exc
    if not tables[0]:
        raise UsageError(f"{path} holds no names.")
    for rows in tables:
        header = [cell.strip().casefold() for cell in rows[0]]
        for name in NAME_COLUMNS:
            if name in header:
                return _column(rows[1:], header.index(name))
    if any(len(rows[0]) > 1 for rows in tables):
        raise UsageError(
            f"{path} has no column of names: call one {', '.join(NAME_COLUMNS[:-1])} or name."
        )
    return _column(tables[0], 0)


def _column(rows: list[list[str]], place: int) -> list[str]:
    # Exports of ours put an apostrophe before what a spreadsheet would take for a formula.
    return [row[place].strip().removeprefix("'") for row in rows if len(row) > place]
