"""A million sellers into pandas and into files, and the list as it was 30,000 edits ago.

Every figure is of a process of its own, since peak memory (`ru_maxrss`) only rises: beside it
stands what a process takes that has imported everything and read nothing. `--quick` takes 20,000
sellers and 2,000 audit entries instead of 100,000. Figures are kept in `results/frames.json`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
from measured import desk_of_its_own, is_quick, keep, print_table

from collector import exports, frames
from collector.connections import parse_url
from collector.database import Database

SELLERS = 20_000 if is_quick() else 1_000_000
ENTRIES = 2_000 if is_quick() else 100_000

_FILL = (
    """
    INSERT INTO sellers (normalized_name, display_name, feedback_percent, feedback_count,
                         first_seen_at, last_seen_at, times_seen)
    SELECT 'seller_' || n, 'Seller_' || n, 90 + n % 100 / 10.0, n % 50000,
           timestamptz '2026-01-01' + n * interval '1 second',
           timestamptz '2026-11-01' + n * interval '1 second', n % 12
    FROM generate_series(1, {sellers}) n
    """,
    # Ten sellers an entry: added, and of every twentieth entry some are removed or renamed.
    """
    INSERT INTO seller_audit_log (id, created_at, action, source, actor, affected_count,
                                  seller_count_snapshot)
    SELECT n, timestamptz '2026-01-01' + n * interval '1 minute',
           CASE n % 20 WHEN 0 THEN 'remove' ELSE 'add' END, 'manual', 'ana', 10,
           10 * (n - n / 20) - 10 * (n / 20)
    FROM generate_series(1, {entries}) n
    """,
    """
    INSERT INTO seller_audit_changes (audit_id, seller_id, change, old_name, new_name)
    SELECT n, s.id, CASE n % 20 WHEN 0 THEN 'removed' ELSE 'added' END,
           CASE n % 20 WHEN 0 THEN s.display_name END,
           CASE n % 20 WHEN 0 THEN NULL ELSE s.display_name END
    FROM generate_series(1, {entries}) n
    CROSS JOIN generate_series(0, 9) k
    JOIN sellers s ON s.id = 1 + (10 * (n - CASE n % 20 WHEN 0 THEN 10 ELSE 0 END) + k) % {sellers}
    """,
    "UPDATE seller_counter SET seller_count = {sellers}, last_audit_id = {entries}",
    "ANALYZE",
)


def nothing(database: Database, folder: Path) -> int:
    return 0


def through_adbc(database: Database, folder: Path) -> int:
    return len(frames.sellers(database))


def through_sqlalchemy(database: Database, folder: Path) -> int:
    # The same columns by the way that pandas documents.
    columns = [c.name for c in frames.FRAMES["sellers"].columns if c.name != "seller_id"]
    query = f"SELECT id AS seller_id, {', '.join(columns)} FROM sellers WHERE removed_at IS NULL"
    with database.engine().connect() as connection:
        return len(pd.read_sql(query, connection))


def to_file(ending: str) -> Callable[[Database, Path], int]:
    def export(database: Database, folder: Path) -> int:
        exports.export(database, "sellers", folder / f"sellers{ending}", actor="benchmark")
        return SELLERS

    return export


def as_of(database: Database, folder: Path) -> int:
    return len(frames.sellers_as_of(database, ENTRIES * 7 // 10))


def diff(database: Database, folder: Path) -> int:
    return len(frames.list_diff(database, ENTRIES * 6 // 10, ENTRIES * 7 // 10).frame)


DEEDS: dict[str, Callable[[Database, Path], int]] = {
    "nothing": nothing,
    "sellers into pandas (ADBC)": through_adbc,
    "sellers into pandas (pd.read_sql, SQLAlchemy)": through_sqlalchemy,
    "export csv": to_file(".csv"),
    "export jsonl": to_file(".jsonl"),
    "export parquet": to_file(".parquet"),
    "export xlsx": to_file(".xlsx"),
    "list as of 70 % of the audit entries": as_of,
    "difference over 10 % of the audit entries": diff,
}


def measured(deed: str, url: str, folder: Path) -> dict[str, Any]:
    """One deed, here: rows, seconds and the peak memory of this process."""
    database = Database(url=parse_url(url), is_embedded=False)
    began = time.perf_counter()
    rows = DEEDS[deed](database, folder)
    return {
        "rows": rows,
        "seconds": time.perf_counter() - began,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_a_process(deed: str, url: str, folder: Path) -> dict[str, Any]:
    words = [sys.executable, __file__, "--deed", deed, url, str(folder)]
    words += ["--quick"] if is_quick() else []
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    if "--deed" in sys.argv:
        deed, url, folder = sys.argv[sys.argv.index("--deed") + 1 :][:3]
        print(json.dumps(measured(deed, url, Path(folder))))
        return 0
    figures: dict[str, Any] = {}
    with desk_of_its_own() as (_, database), tempfile.TemporaryDirectory() as folder:
        with psycopg.connect(database.conninfo(), autocommit=True) as connection:
            for statement in _FILL:
                connection.execute(statement.format(sellers=SELLERS, entries=ENTRIES).encode())
        url = database.url.render_as_string(hide_password=False)
        for deed in DEEDS:
            figures[deed] = in_a_process(deed, url, Path(folder))
    base = figures["nothing"]["peak_mb"]
    rows = [
        [
            deed,
            f["rows"],
            round(f["seconds"], 2),
            int(f["rows"] / f["seconds"]) if f["rows"] else 0,
            round(f["peak_mb"] - base),
        ]
        for deed, f in figures.items()
    ]
    print_table(["what", "rows", "seconds", "rows/s", "peak MB above nothing"], rows)
    ratio = (
        figures["sellers into pandas (pd.read_sql, SQLAlchemy)"]["seconds"]
        / figures["sellers into pandas (ADBC)"]["seconds"]
    )
    print(f"ADBC is {ratio:.1f} times as fast as pd.read_sql. {ENTRIES:,} audit entries.")
    keep("frames", {"sellers": SELLERS, "entries": ENTRIES, "ratio": ratio, "deeds": figures})
    return 0


if __name__ == "__main__":
    sys.exit(main())
