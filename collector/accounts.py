"""Which account runs the PostgreSQL that comes along, and what that account can reach.

PostgreSQL refuses to run as root. So root runs its tools as an account without rights; everyone
else runs them as themselves.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.errors import EmbeddedServerError

if sys.platform != "win32":
    import pwd

# The first of these that stands in passwd. A machine's administrator may make the first one,
# to keep the data apart from whatever else runs as the second.
UNPRIVILEGED = ("collector-pg", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The account that owns the data and runs the server.

    Attributes:
        name: as passwd has it, or the number where it has none.
        is_other: whether it is another account than the caller's, who is root then.
    """

    uid: int
    gid: int
    name: str
    is_other: bool

    @property
    def run_as(self) -> dict[str, Any]:
        """The arguments that make `subprocess` run a tool as this account."""
        if not self.is_other:
            return {"umask": 0o077}
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0o077}


def server_account(data_dir: Path) -> Account:
    """The account for a data directory: its owner's, else one without rights for root.

    Raises:
        EmbeddedServerError: there is no account that could run the server.
    """
    uid = os.geteuid()
    if uid != 0:
        return Account(uid=uid, gid=os.getegid(), name=_name(uid), is_other=False)
    try:
        owner = data_dir.lstat()
    except FileNotFoundError:
        pass
    else:
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid, _name(owner.st_uid), is_other=True)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=name, is_other=True)
    raise EmbeddedServerError(
        "PostgreSQL does not run as root, and this system has no account 'nobody' to run it: "
        "create one with `useradd --system collector-pg`, or set DATABASE_URL."
    )


def require_way(path: Path, *, account: Account) -> None:
    """Make sure that `account` can enter `path`.

    The question is put to the system, as that account: mode bits do not tell of access lists.

    Raises:
        EmbeddedServerError: it cannot; the message names the first directory closed to it.
    """
    if not account.is_other or _can_enter(path, account=account):
        return
    way = [*reversed(path.parents), path]
    closed = next((step for step in way if not _can_enter(step, account=account)), path)
    raise EmbeddedServerError(
        f"You are root, so PostgreSQL runs as the account '{account.name}', which may not enter "
        f"{closed}: set COLLECTOR_HOME to a directory open to it (such as /var/lib/collector), or "
        f"open this one with `chmod o+x {shlex.quote(str(closed))}`."
    )


def tool_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for PostgreSQL's tools, without what would steer them from outside."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("PG", "LC_")) and name not in {"LANG", "LANGUAGE"}
    }


def _can_enter(path: Path, *, account: Account) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command; the path is an argument, not text
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(path)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **account.run_as,
        )
    except PermissionError as exc:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and this process may not become the account "
            f"'{account.name}': start it as a normal user, or set DATABASE_URL."
        ) from exc
    return done.returncode == 0


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
