"""A run's activity as a stream: whole, in order, with its gaps told, to any number of readers."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice, pairwise
from pathlib import Path

import httpx
import pytest
from httpx_sse import ServerSentEvent
from psycopg import connect
from served import (
    JupyterProcess,
    WrittenRun,
    numbered,
    own_database,
    own_environment,
    run_sql,
    stream,
    wait_until,
    whole_stream,
)

from collector.connections import Database
from collector.models import ActivityEntry
from collector.store import activity_log, moves
from collector.store.ownership import LOCK_CLASS
from collector.words import Action, PauseReason, RunStatus

STREAMS = 12
KEEPALIVE_S = 0.5
WRITE_TIMEOUT_S = 2.0
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'collector listener'"


@pytest.fixture(scope="module")
def filled(server: Database, template: Database) -> Iterator[Database]:
    """A database that the tests of this module share."""
    with own_database(server, template) as database:
        yield database


@pytest.fixture(scope="module")
def jupyter(filled: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterProcess]:
    """A Jupyter Server whose times are short and whose streams are few."""
    options = [
        f"--CollectorServer.keepalive_s={KEEPALIVE_S}",
        f"--CollectorServer.write_timeout_s={WRITE_TIMEOUT_S}",
    ]
    home = tmp_path_factory.mktemp("jupyter")
    environment = {"COLLECTOR_STREAMS": str(STREAMS)}
    with JupyterProcess(home, filled, options=options, environment=environment) as process:
        yield process


@pytest.fixture
def run(filled: Database) -> WrittenRun:
    """A run in progress without entries."""
    return WrittenRun(filled)


def ids(events: list[ServerSentEvent]) -> list[int]:
    return [int(e.id) for e in events if e.event == "message"]


def told(events: list[ServerSentEvent]) -> list[tuple[str, object]]:
    return [
        (e.event, e.json()["id"] if e.event == "message" else tuple(e.json().values()))
        for e in events
    ]


def test_a_newcomer_gets_the_last_hundred_and_the_end(
    jupyter: JupyterProcess, run: WrittenRun
) -> None:
    run.write_numbered(1, 250)
    run.end()
    events = whole_stream(jupyter, run.id)
    assert ids(events) == list(range(151, 251))
    assert told(events)[-1] == ("end", ("completed",))
    assert events[0].json()["product_name"] == "Product 151"


def test_after_zero_brings_everything_that_is_kept(
    jupyter: JupyterProcess, run: WrittenRun
) -> None:
    run.write_numbered(1, 1234)
    run.end(RunStatus.CANCELLED)
    events = whole_stream(jupyter, run.id, after=0)
    assert ids(events) == list(range(1, 1235))
    assert told(events)[-1] == ("end", ("cancelled",))


def test_a_new_connection_goes_on_where_the_last_one_was(
    jupyter: JupyterProcess, run: WrittenRun
) -> None:
    """The address it repeats says otherwise."""
    run.write_numbered(1, 30)
    run.end()
    assert ids(whole_stream(jupyter, run.id, last_event_id="27", after=0)) == [28, 29, 30]
    assert ids(whole_stream(jupyter, run.id, after=29)) == [30]
    assert told(whole_stream(jupyter, run.id, last_event_id="30")) == [("end", ("completed",))]


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "0x1", "9" * 30])
def test_a_malformed_place_is_400(jupyter: JupyterProcess, run: WrittenRun, given: str) -> None:
    url = f"{jupyter.url}/runs/{run.id}/activity"
    for name, answer in {
        "after": httpx.get(url, headers=jupyter.headers, params={"after": given}),
        "Last-Event-ID": httpx.get(url, headers=jupyter.headers | {"Last-Event-ID": given}),
    }.items():
        assert answer.status_code == 400
        assert name in answer.json()["message"]


def test_a_place_the_run_has_not_reached_is_told_what_is_not_sent(
    jupyter: JupyterProcess, run: WrittenRun, filled: Database
) -> None:
    run.write_numbered(1, 120)
    run.end()
    events = told(whole_stream(jupyter, run.id, last_event_id="5000"))
    assert events[0] == ("gap", (20, 20))
    assert events[1:-1] == [("message", i) for i in range(21, 121)]
    empty = WrittenRun(filled)
    empty.end()
    assert told(whole_stream(jupyter, empty.id, after=7)) == [
        ("gap", (0, 0)),
        ("end", ("completed",)),
    ]


def test_what_was_lost_or_pruned_is_a_gap(jupyter: JupyterProcess, run: WrittenRun) -> None:
    run.write_numbered(1, 4, days_old=100)
    run.write(*(numbered(i) for i in (5, 6)))
    # As the writer keeps what it had to let go of.
    run.write(ActivityEntry(id=16, action=Action.GAP, items_count=10), numbered(17))
    run.end()
    with run.database.engine().begin() as conn:
        assert activity_log.prune(conn, days=90) == 4
    assert told(whole_stream(jupyter, run.id, after=0)) == [
        ("gap", (4, 4)),
        ("message", 5),
        ("message", 6),
        ("gap", (10, 16)),
        ("message", 17),
        ("end", ("completed",)),
    ]


def test_a_newcomer_whose_first_entry_is_a_gap_is_told_all_of_it(
    jupyter: JupyterProcess, run: WrittenRun
) -> None:
    run.write(ActivityEntry(id=500, action=Action.GAP, items_count=500))
    run.write_numbered(501, 599)
    run.end()
    assert told(whole_stream(jupyter, run.id))[0] == ("gap", (500, 500))


def test_hostile_entries_arrive_as_data(jupyter: JupyterProcess, run: WrittenRun) -> None:
    hostile = [
        "<img src=x onerror=alert(1)>",
        "a\nb\r\nc\rd\n\nevent: end\ndata: {}\n\n",
        "\x00NUL and \ud800 half a pair",
        "\u2028\u2029\x85\u202e",
        "y" * 1_000_000,
        float("nan"),
    ]
    run.write(
        *(
            ActivityEntry(id=i, action=Action.FOUND, product_name=str(text), params={"x": text})
            for i, text in enumerate(hostile, start=1)
        )
    )
    run.end()
    events = whole_stream(jupyter, run.id, after=0)
    assert [e.event for e in events] == [*["message"] * len(hostile), "end"]
    names = [e.json()["product_name"] for e in events[:-1]]
    expected = [str(text).replace("\x00", "\ufffd").replace("\ud800", "?") for text in hostile]
    assert names == expected
    assert [e.json()["params"]["x"] for e in events[:-1]] == expected


def test_silence_is_broken_by_keepalives_while_a_run_is_paused(
    jupyter: JupyterProcess, run: WrittenRun
) -> None:
    with run.database.engine().begin() as conn:
        moves.move(conn, run.id, RunStatus.PAUSED, reason=PauseReason.OPERATOR)
    url = f"{jupyter.url}/runs/{run.id}/activity"
    lines: list[str] = []
    with httpx.stream("GET", url, headers=jupyter.headers, timeout=5) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        for line in answer.iter_lines():
            lines.append(line)
            if lines.count(": keepalive") == 2:
                break
    assert lines[0] == "retry: 2000"
    assert {line for line in lines[1:] if line} == {": keepalive"}


def test_many_streams_share_one_listener_that_ends_with_them(
    jupyter: JupyterProcess, run: WrittenRun, filled: Database
) -> None:
    with ExitStack() as open_streams:
        sources = []
        for _ in range(3):
            for watched in (run, WrittenRun(filled)):
                watched.write_numbered(1, 1)
                source = open_streams.enter_context(stream(jupyter, watched.id))
                assert next(source).id == "1"
                sources.append(source)
        wait_until(lambda: len(run_sql(filled, LISTENERS)) == 1, "nobody listens")
        run.write_numbered(2, 3)
        for source in sources[::2]:
            assert [e.id for e in islice(source, 2)] == ["2", "3"]
    wait_until(lambda: not run_sql(filled, LISTENERS), "it listens for nobody")


def test_a_lost_notice_costs_no_entry(jupyter: JupyterProcess, run: WrittenRun) -> None:
    run.write_numbered(1, 1)
    with stream(jupyter, run.id) as events:
        assert next(events).id == "1"
        run_sql(
            run.database,
            "INSERT INTO activity_log (run_id, id, created_at, worker_id, phase, action, entry) "
            "SELECT run_id, 2, created_at, worker_id, phase, action, "
            "jsonb_set(entry, '{id}', '2') FROM activity_log WHERE run_id = %s",
            run.id,
        )
        began = time.monotonic()
        assert next(events).id == "2"
        assert time.monotonic() - began < 3


def test_streams_outlive_their_database_connections(
    jupyter: JupyterProcess, run: WrittenRun, filled: Database
) -> None:
    run.write_numbered(1, 1)
    with stream(jupyter, run.id) as events:
        assert next(events).id == "1"
        run_sql(
            filled,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        run.database.dispose()
        run.write_numbered(2, 2)
        assert next(events).id == "2"
        wait_until(lambda: len(run_sql(filled, LISTENERS)) == 1, "nobody listens again")
        run.write_numbered(3, 3)
        run.end()
        assert told(list(events)) == [("message", 3), ("end", ("completed",))]


def test_a_run_ends_for_its_viewers_once_its_owner_has_written_everything(
    jupyter: JupyterProcess, run: WrittenRun
) -> None:
    """The last entries are written after the status."""
    run.write_numbered(1, 1)
    with connect(run.database.conninfo(), autocommit=True) as owner:
        owner.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, 4711))
        run_sql(run.database, "UPDATE collection_runs SET owner_id = 4711 WHERE id = %s", run.id)
        run_sql(
            run.database,
            "UPDATE collection_runs SET status = 'completed', finished_at = clock_timestamp() "
            "WHERE id = %s",
            run.id,
        )
        with stream(jupyter, run.id) as events:
            assert next(events).id == "1"
            time.sleep(1.5)
            run.write_numbered(2, 2)
            assert next(events).id == "2"
            owner.close()
            assert told(list(events)) == [("end", ("completed",))]


def slow_reader(jupyter: JupyterProcess, run: WrittenRun) -> socket.socket:
    """A connection that asked for everything and reads nothing."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", jupyter.port))
    reader.sendall(
        f"GET /collector/runs/{run.id}/activity?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: token {jupyter.token}\r\n\r\n".encode()
    )
    return reader


def taken_until_reset(reader: socket.socket) -> int:
    """How many bytes are left to read on a connection that the other side has reset."""
    reader.settimeout(5)
    received = 0
    try:
        while got := reader.recv(65536):
            received += len(got)
    except ConnectionResetError:
        return received
    raise AssertionError("it was closed, not reset")


def test_a_reader_of_a_byte_a_second_slows_no_other_and_is_dropped(
    jupyter: JupyterProcess, run: WrittenRun
) -> None:
    wide = "z" * 20_000
    run.write(*(ActivityEntry(id=i, action=Action.FOUND, product_name=wide) for i in range(1, 201)))
    run.end()
    with slow_reader(jupyter, run) as slow:
        assert slow.recv(1) == b"H"
        began = time.monotonic()
        for _ in range(3):
            assert ids(whole_stream(jupyter, run.id, after=0)) == list(range(1, 201))
            slow.recv(1)
        assert time.monotonic() - began < 3
        wait_until(lambda: "took nothing: dropped" in jupyter.log.read_text(), "it was kept")
        # What its own system held for it; nothing waited in the server.
        assert taken_until_reset(slow) < 1_000_000


def test_more_streams_than_the_setting_allows_are_refused_until_one_ends(
    jupyter: JupyterProcess, run: WrittenRun
) -> None:
    run.write_numbered(1, 1)
    url = f"{jupyter.url}/runs/{run.id}/activity"

    def is_free() -> bool:
        with httpx.stream("GET", url, headers=jupyter.headers) as answer:
            return answer.status_code == 200

    sources = []
    with ExitStack() as open_streams:
        for _ in range(STREAMS):
            wait_until(is_free, "streams of earlier tests are still open")
            sources.append(open_streams.enter_context(stream(jupyter, run.id)))
            assert next(sources[-1]).id == "1"
        answer = httpx.get(url, headers=jupyter.headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "COLLECTOR_STREAMS" in answer.json()["message"]
    wait_until(is_free, "closed streams still count")


def read_with_curl(jupyter: JupyterProcess, run: WrittenRun, found: list[int]) -> None:
    """Read with `curl -N`, called again with the last id as a shell script would."""
    has_ended = False
    while not has_ended:
        last = found[-1] if found else 0
        curl = subprocess.Popen(
            [
                *("curl", "-sN", f"{jupyter.url}/runs/{run.id}/activity"),
                *("-H", f"Authorization: token {jupyter.token}", "-H", f"Last-Event-ID: {last}"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert curl.stdout is not None
        with curl.stdout as lines:
            block = ""
            # What is cut off within an event is no event.
            for line in lines:
                block += line
                if line == "\n":
                    assert "event: gap" not in block
                    has_ended |= "event: end" in block
                    told = re.findall(r'^data: (.*"id".*)$', block, re.M)
                    found += [json.loads(entry)["id"] for entry in told]
                    block = ""
        curl.wait()
        time.sleep(0.2)


def read_with_httpx(jupyter: JupyterProcess, run: WrittenRun, found: list[int]) -> None:
    """Read with httpx-sse, connected again as its documentation has it."""
    last = "0"
    while True:
        try:
            with stream(jupyter, run.id, last_event_id=last) as events:
                for event in events:
                    assert event.event != "gap"
                    if event.event == "end":
                        return
                    last = event.id
                    found.append(event.json()["id"])
        except (httpx.TransportError, httpx.HTTPStatusError):
            time.sleep(0.2)


def test_every_entry_comes_in_order_through_a_restart_of_the_server(
    database: Database, tmp_path: Path
) -> None:
    run = WrittenRun(database)
    found: dict[str, list[int]] = {"httpx": []}
    readers = {"httpx": read_with_httpx}
    if shutil.which("curl"):
        readers["curl"] = read_with_curl
        found["curl"] = []
    process = JupyterProcess(tmp_path, database).start()
    try:
        threads = [
            threading.Thread(target=read, args=(process, run, found[name]))
            for name, read in readers.items()
        ]
        for thread in threads:
            thread.start()
        writer = run.write_steadily(1, 5000, seconds=5)
        wait_until(lambda: all(len(ids) > 500 for ids in found.values()), "nothing comes")
        # Streams are open: it must not wait for them.
        assert process.stop() < 5
        assert writer.is_alive()
        process.start()
        writer.join()
        for thread in threads:
            thread.join(30)
    finally:
        process.stop()
    assert found == {name: list(range(1, 5001)) for name in readers}
    if "curl" not in readers:
        pytest.skip("curl is not installed: only httpx-sse was tried")


BLOCKING_KERNEL = """
import asyncio, sys, time
from collector import RunOptions, Workbench

async def main():
    bench = Workbench.open()
    run = bench.launch(options=RunOptions(workers=2))
    print(run.id, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    time.sleep(3)          # a cell that blocks the kernel's loop
    await asyncio.sleep(1)
    run.cancel()
    await run
    bench.close()

asyncio.run(main())
"""


def test_a_cell_that_blocks_the_kernel_stops_no_keepalive(
    jupyter: JupyterProcess, filled: Database, tmp_path: Path
) -> None:
    address = filled.url.render_as_string(hide_password=False)
    kernel = subprocess.Popen(
        [sys.executable, "-c", BLOCKING_KERNEL],
        env=own_environment(tmp_path, DATABASE_URL=address),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert kernel.stdin is not None
    assert kernel.stdout is not None
    with kernel.stdout, kernel.stdin:
        url = f"{jupyter.url}/runs/{kernel.stdout.readline().strip()}/activity?after=0"
        entries: list[float] = []
        keepalives: list[float] = []
        with httpx.stream("GET", url, headers=jupyter.headers, timeout=20) as answer:
            for line in answer.iter_lines():
                if line == ": keepalive":
                    keepalives.append(time.monotonic())
                elif line.startswith("id: "):
                    entries.append(time.monotonic())
                    assert line == f"id: {len(entries)}"
                    if len(entries) == 1:
                        print(file=kernel.stdin, flush=True)
        assert line == ""
        assert kernel.wait(20) == 0
    began, ended = max(pairwise(entries), key=lambda pair: pair[1] - pair[0])
    assert ended - began > 2
    assert sum(began < at < ended for at in keepalives) >= 3
