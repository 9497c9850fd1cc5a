"""What the benchmarks share: a database of their own, one table each, their figures as JSON."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from collector.database import Database, open_database
from collector.embedded import stop_server
from collector.settings import Settings
from collector.words import Source

RESULTS = Path(__file__).resolve().parents[1] / "results"


def is_quick() -> bool:
    """Whether `--quick` was given: small numbers, to see that it works."""
    return "--quick" in sys.argv[1:]


@contextmanager
def desk_of_its_own(**changes: object) -> Iterator[tuple[Settings, Database]]:
    """Settings and a migrated sandbox database on a PostgreSQL that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="collector-"))
    home.chmod(0o711)
    given = {
        "database_url": None,
        "oxylabs_username": None,
        "oxylabs_password": None,
        "collector_budget": None,
        "collector_workers": 5,
    }
    settings = Settings.model_validate({**given, "collector_home": home / "home", **changes})
    try:
        database = open_database(settings, source=Source.SANDBOX)
        yield settings, database
        database.dispose()
    finally:
        stop_server(home / "home")
        shutil.rmtree(home, ignore_errors=True)


def password(text: str) -> SecretStr:
    """A password as the settings want it."""
    return SecretStr(text)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """One table, numbers to the right."""
    written = [[f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *written, strict=True)]
    for line, cells in ((list(heads), list(heads)), *zip(written, rows, strict=True)):
        print(
            "  ".join(
                text.rjust(width) if isinstance(cell, int | float) else text.ljust(width)
                for text, width, cell in zip(line, widths, cells, strict=True)
            ).rstrip()
        )


def keep(name: str, figures: object) -> Path:
    """Keep the figures beside the script, with when and where they were measured."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    told = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": is_quick(),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "processors": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "figures": figures,
    }
    path.write_text(json.dumps(told, indent=1, default=str) + "\n", encoding="utf-8")
    return path
