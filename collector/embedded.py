"""The PostgreSQL that comes along: attach to the one of a home, or start it.

A home has one server, shared by every process of the user, which goes on when they end and is
stopped by `stop_server`. Only local sockets in a closed directory lead to it. Two locks keep
order: one is held while a server is being started; the other is inherited by the server and
held for as long as any of its processes lives, which no pid file can promise.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from collector.accounts import require_way, tool_environment
from collector.binaries import programs, programs_for
from collector.errors import EmbeddedServerError
from collector.locks import is_held, locked, opened, pause, try_lock
from collector.places import PORT, USER, ServerPlace, open_place, place_of

# Long, for a server that was killed recovers before it answers.
START_DEADLINE_S = 180.0
STOP_DEADLINE_S = 60.0
ORPHANS_S = 10.0
LOG_LIMIT_BYTES = 2_000_000

SERVER_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",  # eight processes with a pool each, and some viewers
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "jit": "off",  # compiling costs more than these queries take
}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server listens: a socket directory, with trust for the one user inside it."""

    socket_dir: Path
    port: int
    user: str


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How the server of a home stands. `pid` and `version` are None while it does not run."""

    is_running: bool
    pid: int | None
    version: str | None
    data_dir: Path
    log: Path


def ensure_server(home: Path, *, settings: Mapping[str, str] | None = None) -> ServerAddress:
    """Attach to the server of `home`; start it, and create its data, where nobody answers.

    Args:
        home: the collector's home. Each has a server of its own.
        settings: further server settings, used only if this call is the one that starts it.

    Raises:
        EmbeddedServerError: it cannot run here; the message says why and what to do.
    """
    with _explained(home):
        place = place_of(home)
        if not _answers(place):
            _start(place, {**SERVER_SETTINGS, **(settings or {})})
    return ServerAddress(socket_dir=place.socket_dir, port=PORT, user=USER)


def server_status(home: Path) -> ServerStatus:
    """How the server of `home` stands. Starts and creates nothing.

    Raises:
        EmbeddedServerError: the home cannot be looked at.
    """
    with _explained(home):
        place = place_of(home)
        is_running = is_held(place.alive_lock)
        return ServerStatus(
            is_running=is_running,
            pid=_pid(place.pid_files[0]) if is_running else None,
            version=_version(place) if is_running and _answers(place) else None,
            data_dir=place.data_dir,
            log=place.log,
        )


def stop_server(home: Path) -> bool:
    """Stop the server of `home`, ending every connection; False where none was running.

    Raises:
        EmbeddedServerError: it did not stop in time.
    """
    with _explained(home):
        place = place_of(home)
        if not is_held(place.alive_lock):
            return False
        deadline = time.monotonic() + STOP_DEADLINE_S
        with _starting(place, deadline=deadline):
            if not is_held(place.alive_lock):
                return False
            late = f"The PostgreSQL in {place.data_dir} did not stop; see {place.log}."
            stop = ["stop", "-D", place.data_dir.name, "-m", "fast", "-t", f"{STOP_DEADLINE_S:.0f}"]
            try:
                _run_tool(place, programs_for(place.account, base=place.base) / "pg_ctl", stop)
            except EmbeddedServerError as exc:
                # Its first process may have been killed; the others are about to follow.
                deadline, late = time.monotonic() + ORPHANS_S, str(exc)
            while is_held(place.alive_lock):
                pause(deadline, late=late)
        return True


def _start(place: ServerPlace, settings: Mapping[str, str]) -> None:
    programs()  # whether there is anything to start is the first thing to know
    open_place(place)
    deadline = time.monotonic() + START_DEADLINE_S
    late = (
        f"The PostgreSQL in {place.data_dir} did not answer within {START_DEADLINE_S:.0f} s; it "
        f"may be recovering. Try again, or see {place.log}."
    )
    with _starting(place, deadline=deadline):
        while not _answers(place):
            if not is_held(place.alive_lock):
                require_way(place.base, account=place.account)
                tools = programs_for(place.account, base=place.base)
                if not place.data_dir.is_dir():
                    _create_data(place, tools, settings)
                _start_server(place, tools, settings, deadline=deadline)
            pause(deadline, late=late)


def _starting(place: ServerPlace, *, deadline: float) -> AbstractContextManager[None]:
    """Hold the right to start or stop the server."""
    return locked(
        place.starting_lock,
        deadline=deadline,
        late=f"Another process has been starting the PostgreSQL in {place.data_dir} for too long: "
        "end that process and try again.",
    )


def _create_data(place: ServerPlace, tools: Path, settings: Mapping[str, str]) -> None:
    """Create the data under another name first: what a killed initdb leaves is never used."""
    for leftover in place.base.glob("init-*"):
        shutil.rmtree(leftover, ignore_errors=True)  # it may be in use by an orphan still
    fresh = place.base / f"init-{os.getpid()}-{time.monotonic_ns()}"
    fresh.mkdir(mode=0o700)
    if place.account.is_other:
        os.chown(fresh, place.account.uid, place.account.gid, follow_symlinks=False)
    create = ["-D", fresh.name, "-U", USER, "--auth=trust", "-E", "UTF8", "--no-instructions"]
    create += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if settings.get("fsync") == "off":
        create.append("--no-sync")
    _run_tool(place, tools / "initdb", create)
    fresh.rename(place.data_dir)


def _start_server(
    place: ServerPlace, tools: Path, settings: Mapping[str, str], *, deadline: float
) -> None:
    if place.log.is_file() and place.log.stat().st_size > LOG_LIMIT_BYTES:
        place.log.replace(place.log.with_suffix(".log.old"))
    options = {**settings, "unix_socket_directories": str(place.socket_dir)}
    given = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
    patience_s = max(1, int(deadline - time.monotonic()))
    start = ["start", "-D", place.data_dir.name, "-w", "-t", str(patience_s), "-o", given]
    with opened(place.alive_lock) as inherited:
        if not try_lock(inherited):
            return  # another server lives after all, or somebody is just looking: look again
        _forget_dead(place)
        _run_tool(place, tools / "pg_ctl", start, inherited=inherited)


def _run_tool(
    place: ServerPlace, program: Path, arguments: list[str], *, inherited: int | None = None
) -> None:
    # A server inherits its starter's output: a file, for on a pipe pg_ctl would wait for ever.
    with opened(place.log, append=True) as log:
        before = os.fstat(log).st_size
        done = subprocess.run(  # noqa: S603 - a program of the wheel, arguments of ours
            [str(program), *arguments],
            cwd=place.base,  # and relative names: what stands in the path above does not matter
            env=tool_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=() if inherited is None else (inherited,),
            check=False,
            **place.account.run_as,
        )
    if done.returncode:
        with place.log.open(errors="replace") as written:
            written.seek(before)
            reason = _reason(written)
        raise EmbeddedServerError(
            f"{program.name} failed for the PostgreSQL in {place.data_dir}: {reason} "
            f"The whole story is in {place.log}."
        )


def _reason(log: IO[str]) -> str:
    """The line of a log that tells why, which is seldom the last one."""
    lines = [line.strip() for line in log if line.strip()]
    for mark in ("FATAL:", "PANIC:", "error:", "ERROR:", "could not"):
        for line in lines:
            if mark in line:
                return line[line.index(mark) :].rstrip(".") + "."
    return (lines[-1].rstrip(".") + ".") if lines else "it gave no reason."


def _answers(place: ServerPlace) -> bool:
    if not place.is_ours():
        return False
    # Unlike a connection, a ping counts a server with no free connection as one that answers.
    return PGconn.ping(_target(place).encode()) == Ping.OK


def _target(place: ServerPlace) -> str:
    return make_conninfo(
        host=str(place.socket_dir), port=PORT, user=USER, dbname="postgres", connect_timeout=5
    )


def _version(place: ServerPlace) -> str | None:
    try:
        with psycopg.connect(_target(place)) as connection:
            return connection.info.parameter_status("server_version")
    except psycopg.OperationalError:
        return None  # it runs, but has no free connection to ask it on


def _pid(file: Path) -> int | None:
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _forget_dead(place: ServerPlace) -> None:
    """Remove pid files whose number is a zombie's or another program's, as in a new container.

    PostgreSQL takes any process of that number for a server on this data. The lock says that
    there is none; where the system shows what the process works on, that is believed.
    """
    if not Path("/proc/self/cwd").is_symlink():
        return
    for file in place.pid_files:
        pid = _pid(file)
        try:
            works_in = Path(f"/proc/{pid}/cwd").readlink()
        except FileNotFoundError:
            works_in = None  # gone, or a zombie
        except PermissionError:
            continue
        if works_in != place.data_dir:
            file.unlink(missing_ok=True)


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    if sys.platform == "win32":
        raise EmbeddedServerError(
            "The PostgreSQL that comes along runs on Linux and macOS: on Windows, work in WSL or "
            "set DATABASE_URL to a PostgreSQL of your own."
        )
    try:
        yield
    except OSError as exc:
        where = exc.filename if exc.filename is not None else home
        raise EmbeddedServerError(
            f"PostgreSQL cannot keep its data in {home} ({where}: {exc.strerror}): set "
            "COLLECTOR_HOME to a directory you may write to, or DATABASE_URL to a PostgreSQL of "
            "your own."
        ) from exc
