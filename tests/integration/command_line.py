"""Calling `collector` as a person does: in a process of its own, with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from collector.database import Database

COLLECTOR = (sys.executable, "-m", "collector.cli")
# One list page and one page a search of one category: about thirty requests.
SMALL = ("289754", "--pages-per-list", "1", "--pages-per-search", "1")
_OURS = ("COLLECTOR_", "OXYLABS_", "DATABASE_URL", "COLUMNS", "NO_COLOR", "FORCE_COLOR")


def clean_environment(home: Path) -> dict[str, str]:
    """The environment without anything that the collector or its terminal output reads."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    return {**kept, "COLLECTOR_HOME": str(home), "COLLECTOR_SANDBOX_LATENCY": "0.02"}


@dataclass(frozen=True)
class CommandLine:
    """`collector`, with an environment."""

    environment: dict[str, str]

    @classmethod
    def over(cls, database: Database, home: Path) -> CommandLine:
        """One that works in a test's database."""
        address = database.url.render_as_string(hide_password=False)
        return cls({**clean_environment(home), "DATABASE_URL": address})

    def __call__(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return subprocess.run(
            [*COLLECTOR, *arguments],
            env={**self.environment, **changes},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )

    def start(self, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        """Begin a verb that goes on."""
        return subprocess.Popen(
            [*COLLECTOR, *arguments],
            env={**self.environment, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )


def assert_one_error_line(done: subprocess.CompletedProcess[str], *, code: int) -> str:
    """A verb ended with `code` and one line that says why; returns the line."""
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return errors[0]


def stored(database: Database, query: str) -> list[tuple[Any, ...]]:
    """What a query finds in a database, outside any transaction."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []
