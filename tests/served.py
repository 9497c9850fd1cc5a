"""Real Jupyter Servers as processes of their own, and runs whose activity a test writes."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
from httpx_sse import ServerSentEvent, connect_sse

from collector.connections import Database
from collector.models import ActivityEntry, Category, RunOptions
from collector.store import activity_log, moves, runs
from collector.words import Action, Phase, RunStatus, Source

REPOSITORY = Path(__file__).resolve().parents[1]
STARTS_WITHIN_S = 60
CATEGORY = Category("172541", "Electronics", "Headphones", "headphones", confirmed=True)


class JupyterProcess:
    """A Jupyter Server with folders of its own that has the extension enabled, as installed.

    Args:
        home: a folder for its configuration, data and log.
        database: what its `DATABASE_URL` names; None: an address where nothing answers.
        base_url: of the server.
        options: further ones of its command line.
        environment: further variables.
    """

    def __init__(
        self,
        home: Path,
        database: Database | None,
        *,
        base_url: str = "/",
        options: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.home = home
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self.base_url = base_url
        self.log = home / "server.log"
        self._options = tuple(options)
        address = (
            f"postgresql://nobody@127.0.0.1:{free_port()}/nothing_sandbox"
            if database is None
            else database.url.render_as_string(hide_password=False)
        )
        self._environment = own_environment(home, DATABASE_URL=address) | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the extension answers, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}{self.base_url}collector"

    @property
    def headers(self) -> dict[str, str]:
        """What opens the door."""
        return {"Authorization": f"token {self.token}"}

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> JupyterProcess:
        """Start it, on the same port every time, and wait until it answers."""
        command = [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
            *(f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.base_url={self.base_url}"),
            *(f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.home}"),
            *self._options,
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self._environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        answers = f"http://127.0.0.1:{self.port}{self.base_url}api"
        wait_until(lambda: self._answers(answers), "Jupyter Server did not answer", self.log)
        return self

    def _answers(self, url: str) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return True
        except (OSError, urllib.error.URLError):
            return False

    def stop(self, *, within_s: float = 20) -> float:
        """End it as a service manager does; the seconds that it took."""
        if self._process is None or self._process.poll() is not None:
            return 0.0
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(self.log.read_text()[-3000:]) from None
        return time.monotonic() - began

    def __enter__(self) -> JupyterProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def stream(
    server: JupyterProcess, run_id: UUID | str, *, last_event_id: str = "", **parameters: object
) -> Iterator[Iterator[ServerSentEvent]]:
    """The events of a run's activity, read by httpx-sse."""
    headers = server.headers | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    with (
        httpx.Client(timeout=10) as client,
        connect_sse(
            client,
            "GET",
            f"{server.url}/runs/{run_id}/activity",
            headers=headers,
            params={name: str(value) for name, value in parameters.items()},
        ) as source,
    ):
        source.response.raise_for_status()
        # By the standard a block without data is no event; this reader hands it on all the same.
        yield (e for e in source.iter_sse() if e.data or e.event != "message")


def whole_stream(
    server: JupyterProcess, run_id: UUID | str, *, last_event_id: str = "", **parameters: object
) -> list[ServerSentEvent]:
    """The events of an ended run's activity."""
    with stream(server, run_id, last_event_id=last_event_id, **parameters) as events:
        return list(events)


def own_environment(home: Path, **variables: str) -> dict[str, str]:
    """An environment in which nothing of the user's is read or touched."""
    config = home / "config" / "jupyter_server_config.d"
    config.mkdir(parents=True, exist_ok=True)
    # As the package's installation puts it beside Jupyter's own.
    shutil.copy(REPOSITORY / "jupyter-config" / "collector.json", config)
    # Others of this environment only take time to start.
    others = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook_shim")
    off = {"ServerApp": {"jpserver_extensions": dict.fromkeys(others, False)}}
    (config / "others.json").write_text(json.dumps(off))
    folders = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
        "COLLECTOR_HOME": home / "collector",
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OXYLABS_", "COLLECTOR_", "JUPYTER")) and name != "DATABASE_URL"
    }
    return {
        **kept,
        **{name: str(folder) for name, folder in folders.items()},
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)]),
        "PYTHONUNBUFFERED": "1",
        **variables,
    }


def run_sql(database: Database, statement: str, *values: object) -> list[tuple]:
    """Run one statement in a database; the rows it brings."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def own_database(server: Database, template: Database) -> Iterator[Database]:
    """A migrated, empty database that the tests of a module share."""
    name = f"served_{secrets.token_hex(6)}_sandbox"
    run_sql(server, f"CREATE DATABASE {name} TEMPLATE {template.name}")
    database = server.named(name)
    yield database
    database.dispose()
    run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_until(
    holds: Callable[[], bool], otherwise: str, log: Path | None = None, *, within_s: float = 60
) -> None:
    """Wait for something to hold."""
    deadline = time.monotonic() + within_s
    while not holds():
        told = log.read_text()[-3000:] if log else ""
        assert time.monotonic() < deadline, f"{otherwise}\n{told}"
        time.sleep(0.05)


class WrittenRun:
    """A run in progress whose entries a test writes."""

    def __init__(self, database: Database, *, name: str = "Written by a test") -> None:
        self.database = database
        with database.engine().begin() as conn:
            self.id: UUID = runs.create(
                conn,
                name=name,
                categories=[CATEGORY],
                options=RunOptions(),
                source=Source.SANDBOX,
                budget=100,
                sandbox_day=0,
            )
            moves.move(conn, self.id, RunStatus.RUNNING)

    def write(self, *entries: ActivityEntry) -> None:
        """Keep entries that have their numbers, in one transaction."""
        with self.database.engine().begin() as conn:
            activity_log.append(conn, self.id, entries)

    def write_numbered(self, first: int, last: int, *, days_old: float = 0) -> None:
        """Keep entries with those ids, the last included."""
        self.write(*(numbered(i, days_old=days_old) for i in range(first, last + 1)))

    def write_steadily(self, first: int, last: int, *, seconds: float) -> threading.Thread:
        """Write entries over some time, 50 a transaction, then end the run; the thread."""

        def work() -> None:
            began, batch = time.monotonic(), 50
            for start in range(first, last + 1, batch):
                self.write_numbered(start, min(start + batch - 1, last))
                due = began + seconds * (start + batch - first) / (last + 1 - first)
                time.sleep(max(0.0, due - time.monotonic()))
            self.end()

        thread = threading.Thread(target=work, name="writer")
        thread.start()
        return thread

    def end(self, status: RunStatus = RunStatus.COMPLETED) -> None:
        """End the run."""
        with self.database.engine().begin() as conn:
            moves.move(conn, self.id, status)


def numbered(entry_id: int, *, days_old: float = 0) -> ActivityEntry:
    """An entry that tells its number."""
    return ActivityEntry(
        id=entry_id,
        timestamp=datetime.now(UTC) - timedelta(days=days_old),
        worker_id=1 + entry_id % 5,
        phase=Phase.SELLER_SEARCH,
        action=Action.INSERTED,
        product_name=f"Product {entry_id}",
        items_count=entry_id,
        new_sellers_count=1,
    )
