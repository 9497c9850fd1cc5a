"""Where a home keeps its PostgreSQL: paths only, and the directories behind them.

What the server's account owns is two directories, its data and its sockets. The rest is the
caller's, so that root never writes where another account could have laid a link.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from collector.accounts import Account, server_account
from collector.errors import EmbeddedServerError

PORT = 5432
USER = "collector"
ROOT_BASE = Path("/var/lib/collector")
# Major version and all: data of another one would have to be carried over first.
DATA_NAME = "data18"
# Of the socket's whole path. The system's limit is 107 on Linux and 103 on macOS.
SOCKET_PATH_BYTES = 102


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """The paths of one home's server, and the account that runs it."""

    base: Path
    socket_dir: Path
    account: Account

    @property
    def data_dir(self) -> Path:
        """The server's data directory."""
        return self.base / DATA_NAME

    @property
    def log(self) -> Path:
        """What the server and its tools had to say."""
        return self.base / "server.log"

    @property
    def starting_lock(self) -> Path:
        """Held by whoever starts or stops the server."""
        return self.base / "starting.lock"

    @property
    def alive_lock(self) -> Path:
        """Held by the server as long as any of its processes lives."""
        return self.base / "alive.lock"

    @property
    def pid_files(self) -> tuple[Path, Path]:
        """Where PostgreSQL notes which process uses the data, and which the socket."""
        return self.data_dir / "postmaster.pid", self.socket_dir / f".s.PGSQL.{PORT}.lock"

    def is_ours(self) -> bool:
        """Whether the socket directory stands, and nobody else could have put a socket there.

        Raises:
            EmbeddedServerError: it stands, but belongs to another account.
        """
        # A home may be its user's where root comes by; a directory under /tmp must be ours.
        is_in_home = self.socket_dir.parent == self.base
        owners = {os.geteuid(), self.account.uid} if is_in_home else {os.geteuid()}
        outer = _status_of(self.socket_dir.parent, owners=owners)
        # Ours until it is handed to the server's account: another first user is about to.
        inner = _status_of(self.socket_dir, owners={self.account.uid, os.geteuid()})
        if outer is None or inner is None:
            return False
        return inner.st_uid == self.account.uid and not inner.st_mode & 0o077


def place_of(home: Path) -> ServerPlace:
    """Where the server of `home` is, whether or not it exists yet."""
    home = Path(os.path.realpath(home.expanduser()))
    base = home / "postgres"
    if os.geteuid() == 0 and home == _default_home():
        # Root's own directory is closed to the server's account on most systems.
        base = ROOT_BASE / _digest(home)
    account = server_account(base / DATA_NAME)
    sockets = base / "run"
    if not _is_fit_for_sockets(sockets):
        sockets = Path("/tmp", f".collector-{os.geteuid()}-{_digest(base)}") / "run"  # noqa: S108 - its owner is checked
    return ServerPlace(base=base, socket_dir=sockets, account=account)


def open_place(place: ServerPlace) -> None:
    """Make the directories of `place`, with the owners and modes that they need.

    Raises:
        OSError: the file system does not let us.
    """
    # Another account has to pass through, but not to list or to write.
    outer_mode = 0o711 if place.account.is_other else 0o700
    for directory in (place.base, place.socket_dir.parent):
        _make(directory, mode=outer_mode)
    place.is_ours()  # before anything is put into them
    try:
        place.socket_dir.mkdir(mode=0o700)
    except FileExistsError:
        if place.is_ours():
            return
        place.socket_dir.chmod(0o700)
    if place.account.is_other:
        os.chown(place.socket_dir, place.account.uid, place.account.gid, follow_symlinks=False)


def _status_of(directory: Path, *, owners: set[int]) -> os.stat_result | None:
    """How a directory of ours stands; None where there is none."""
    try:
        found = directory.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise EmbeddedServerError(
            f"{directory} belongs to another account, so no server there can be trusted: set "
            "COLLECTOR_HOME to a directory of your own, or have it removed."
        )
    return found


def _make(directory: Path, *, mode: int) -> None:
    """Make a directory and its parents, whatever the umask: parents are open, it has `mode`."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        try:
            path.mkdir()
        except FileExistsError:
            continue  # another first user was faster
        if path == directory:
            path.chmod(mode)
        elif os.geteuid() == 0:
            path.chmod(0o755)


def _is_fit_for_sockets(directory: Path) -> bool:
    text = str(directory)
    # libpq takes a comma for a list of hosts; the server's list of directories has quotes.
    plain = re.fullmatch(r"[\x20-\x7e]+", text) and not re.search(r"[,\"'\\]", text)
    return bool(plain) and len(os.fsencode(directory / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES


def _default_home() -> Path:
    return Path(os.path.realpath(platformdirs.user_data_dir("collector", appauthor=False)))


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
