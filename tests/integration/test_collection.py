"""Runs end to end: a real sandbox, a real PostgreSQL, the service that puts them together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from collecting import (
    NODES,
    asked,
    categories,
    forget,
    repeated,
    rows,
    sandbox_process,
    sellers_of,
    serving,
    statuses,
    through,
    truth,
    until,
    value,
)
from pydantic import SecretStr
from sqlalchemy import text

from collector.activity import get_activity_stream
from collector.collection import CollectionService
from collector.database import Database
from collector.errors import (
    DatabaseError,
    IllegalMove,
    RunInProgress,
    UnknownRun,
    UsageError,
)
from collector.models import RunOptions
from collector.sandbox.process import SandboxProcess
from collector.settings import Settings
from collector.store import edits
from collector.words import Action, PauseReason, RunStatus

LOCK_WAITERS = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.fixture(scope="module")
def market() -> Iterator[SandboxProcess]:
    with sandbox_process() as process:
        yield process


@pytest.fixture(scope="module")
def slow_market() -> Iterator[SandboxProcess]:
    """The same market, which takes its time: 50 ms on average."""
    with sandbox_process(latency_s=0.05) as process:
        yield process


@pytest.fixture(autouse=True)
def _nothing_asked(market: SandboxProcess, slow_market: SandboxProcess) -> None:
    forget(market)
    forget(slow_market)


@pytest.fixture
async def service(
    settings: Settings, database: Database, market: SandboxProcess
) -> AsyncIterator[CollectionService]:
    async with serving(through(settings, market), database) as service:
        yield service


@pytest.fixture
async def slow_service(
    settings: Settings, database: Database, slow_market: SandboxProcess
) -> AsyncIterator[CollectionService]:
    async with serving(through(settings, slow_market), database) as service:
        yield service


async def test_a_run_finds_exactly_the_sellers_that_there_are(
    service: CollectionService, database: Database, market: SandboxProcess
) -> None:
    known = truth(market)
    run_id = await service.create(categories())
    execution, task = service.start(run_id)
    progress = await task
    assert progress.status is RunStatus.COMPLETED
    assert sellers_of(database, run_id) == known["sellers"]
    assert progress.sellers_found == progress.sellers_new == len(known["sellers"])
    assert progress.seller_count_snapshot == progress.seller_count == len(known["sellers"])
    searched = [p for p in known["products"] if p["price_cents"] is not None]
    assert progress.products_total == progress.products_searched == len(searched)
    assert (progress.lists_total, progress.lists_done, progress.failed_items) == (3, 3, 0)
    entries = asked(market)
    assert progress.requests == progress.requests_billed == len(entries)
    assert set(statuses(database, run_id)) == {"done"}
    assert execution.progress() == progress


async def test_a_product_of_several_categories_is_searched_once(
    service: CollectionService, database: Database, market: SandboxProcess
) -> None:
    shared = [p for p in truth(market)["products"] if len(p["nodes"]) > 1]
    assert shared, "the market's lists share no product"
    run_id = await service.create(categories())
    await service.start(run_id)[1]
    assert repeated(asked(market)) == 0
    for product in shared:
        listed = rows(
            database,
            "SELECT count(DISTINCT node_id), "
            "(SELECT count(*) FROM collection_items WHERE key = :key) "
            "FROM run_products WHERE asin = :asin",
            asin=product["asin"],
            key=f"{product['asin']}:1",
        )[0]
        assert tuple(listed) == (len(product["nodes"]), 1)


async def test_searches_begin_before_the_lists_are_done(
    service: CollectionService, market: SandboxProcess
) -> None:
    await service.start(await service.create(categories()))[1]
    sources = [entry["source"] for entry in asked(market)]
    last_list = len(sources) - sources[::-1].index("amazon_bestsellers")
    assert "ebay" in sources[:last_list]


async def test_everything_a_run_did_is_told_in_order_and_kept(
    service: CollectionService, database: Database, market: SandboxProcess
) -> None:
    run_id = await service.create(categories(NODES[:1]))
    viewer = get_activity_stream().stream(run_id).subscribe()
    progress = await service.start(run_id)[1]
    told = [entry async for entry in viewer]
    assert told[-1].action is Action.COMPLETE
    assert viewer.final_status is RunStatus.COMPLETED
    kept = rows(
        database, "SELECT id, action FROM activity_log WHERE run_id = :id ORDER BY id", id=run_id
    )
    assert [row.id for row in kept] == list(range(1, len(kept) + 1))
    assert [row.action for row in kept].count("fetching") == progress.requests == len(asked(market))
    assert told[-1].id == len(kept)
    if told[0].action is not Action.GAP:
        assert [entry.id for entry in told] == list(range(1, len(kept) + 1))


@pytest.mark.parametrize("first", ["completed", "cancelled", "crashed", "out of budget"])
async def test_a_second_run_in_the_process_behaves_like_the_first(
    service: CollectionService, database: Database, market: SandboxProcess, first: str
) -> None:
    budget = 3 if first == "out of budget" else None
    before, task = service.start(await service.create(categories(), budget=budget))
    if first == "cancelled":
        await until(lambda: len(asked(market)) > 5)
        before.cancel()
    elif first == "crashed":
        await until(lambda: len(asked(market)) > 2)
        task.cancel()
    if first == "out of budget":
        await before.rest()
        before.stop()
    await asyncio.wait({task})
    forget(market)
    run_id = await service.create(categories())
    progress = await service.start(run_id)[1]
    assert progress.status is RunStatus.COMPLETED
    assert sellers_of(database, run_id) == truth(market)["sellers"]
    assert repeated(asked(market)) == 0
    assert [w.worker_id for w in progress.workers] == [1, 2, 3, 4, 5]
    if first == "completed":
        assert progress.sellers_new == 0
        assert progress.seller_count_before == progress.seller_count_snapshot


async def test_a_pause_stops_requests_and_a_resume_loses_nobody(
    slow_service: CollectionService, database: Database, slow_market: SandboxProcess
) -> None:
    run_id = await slow_service.create(categories())
    execution, task = slow_service.start(run_id)
    await until(lambda: len(asked(slow_market)) > 8)
    execution.pause()
    paused_at = time.time()
    progress = await execution.rest()
    assert progress is not None
    assert (progress.status, progress.pause_reason) == (RunStatus.PAUSED, PauseReason.OPERATOR)
    begun = len(asked(slow_market))
    await asyncio.sleep(1.3)
    entries = asked(slow_market)
    assert len(entries) == begun
    assert max(e["began_at"] for e in entries) < paused_at + 1
    assert all(e["ended_at"] for e in entries)
    # What was in flight is kept.
    assert statuses(database, run_id)["done"] == begun
    execution.resume()
    assert (await task).status is RunStatus.COMPLETED
    assert sellers_of(database, run_id) == truth(slow_market)["sellers"]
    assert repeated(asked(slow_market)) == 0


@pytest.mark.parametrize("command", ["pause", "cancel", "stop"])
async def test_a_command_given_before_the_first_request_holds(
    service: CollectionService, database: Database, market: SandboxProcess, command: str
) -> None:
    """Somebody clicks while the run is still being taken over."""
    run_id = await service.create(categories())
    execution, task = service.start(run_id)
    getattr(execution, command)()
    if command == "pause":
        await execution.rest()
        await asyncio.sleep(0.2)
        assert asked(market) == []
        execution.resume()
        assert (await task).status is RunStatus.COMPLETED
        return
    expected = RunStatus.CANCELLED if command == "cancel" else RunStatus.PAUSED
    assert (await task).status is expected
    assert asked(market) == []
    assert set(statuses(database, run_id)) == {"pending"}


async def test_no_request_leaves_late_because_the_database_was_slow(
    slow_service: CollectionService, database: Database, slow_market: SandboxProcess
) -> None:
    """A request that waits for its reservation when somebody pauses is given back."""
    run_id = await slow_service.create(categories(), budget=500)
    execution, task = slow_service.start(run_id)
    await until(lambda: len(asked(slow_market)) > 5)
    with psycopg.connect(database.conninfo()) as blocker:
        await asyncio.to_thread(blocker.execute, "SELECT * FROM collection_runs FOR UPDATE")
        # All five workers wait: to settle what they have, or to be let off.
        await until(lambda: value(database, LOCK_WAITERS) >= 5)
        begun = len(asked(slow_market))
        execution.pause()
        blocker.rollback()
    assert await execution.rest() is not None
    await asyncio.sleep(0.2)
    assert len(asked(slow_market)) == begun
    assert value(database, "SELECT requests FROM collection_runs") == begun
    assert value(database, "SELECT count(*) FROM collection_requests") == begun
    execution.resume()
    assert (await task).requests == len(asked(slow_market))
    assert sellers_of(database, run_id) == truth(slow_market)["sellers"]
    assert repeated(asked(slow_market)) == 0


async def test_a_cancelled_run_keeps_what_it_found(
    slow_service: CollectionService, database: Database, slow_market: SandboxProcess
) -> None:
    run_id = await slow_service.create(categories())
    execution, task = slow_service.start(run_id)
    await until(lambda: value(database, "SELECT count(*) FROM sellers") > 5)
    execution.cancel()
    cancelled_at = time.time()
    progress = await task
    assert time.time() - cancelled_at < 1
    assert progress.status is RunStatus.CANCELLED
    entries = asked(slow_market)
    await asyncio.sleep(0.3)
    assert len(asked(slow_market)) == len(entries) == statuses(database, run_id)["done"]
    assert progress.sellers_found == len(sellers_of(database, run_id)) > 5
    assert progress.seller_count_snapshot == progress.seller_count
    assert "running" not in statuses(database, run_id)
    with pytest.raises(IllegalMove):
        await slow_service.resume(run_id)


async def test_a_budget_is_never_exceeded_and_can_be_raised(
    settings: Settings, database: Database
) -> None:
    """With forty in a hundred requests failing, by the sandbox's own count."""
    with sandbox_process(faults="500=0.2,612=0.1,cut=0.1") as market:
        async with serving(through(settings, market), database) as service:
            run_id = await service.create(categories(NODES[:2]), budget=20)
            execution, task = service.start(run_id)
            progress = await execution.rest()
            assert progress is not None
            assert progress.pause_reason is PauseReason.BUDGET
            assert "20 requests" in progress.message
            assert len(asked(market)) == progress.requests == 20
            assert any(entry["fault"] for entry in asked(market))
            with pytest.raises(UsageError, match="larger"):
                await service.resume(run_id)
            with pytest.raises(UsageError, match="larger"):
                await service.resume(run_id, budget=19)
            assert await service.resume(run_id, budget=2000)
            done = await task
            assert done.status is RunStatus.COMPLETED
            assert done.requests == len(asked(market))
            if done.failed_items == 0:
                assert sellers_of(database, run_id) == truth(market, NODES[:2])["sellers"]


async def test_an_outage_pauses_the_run_which_then_loses_nobody(
    settings: Settings, database: Database
) -> None:
    market = sandbox_process(latency_s=0.02)
    market.start()
    port = int(market.base_url.rpartition(":")[2])
    known = truth(market)
    async with serving(through(settings, market), database) as service:
        run_id = await service.create(categories())
        execution, task = service.start(run_id)
        await until(lambda: len(asked(market)) > 10)
        market.stop()
        paused = await execution.rest()
        assert paused is not None
        assert paused.pause_reason is PauseReason.FAILURES
        assert "five items in a row failed" in paused.message
        assert "Cannot reach" in paused.message
        assert statuses(database, run_id).get("failed", 0) == 0
        with sandbox_process(port=port):
            execution.resume()
            assert (await task).status is RunStatus.COMPLETED
    assert sellers_of(database, run_id) == known["sellers"]


async def test_wrong_credentials_pause_at_once(
    settings: Settings, database: Database, market: SandboxProcess
) -> None:
    wrong = through(
        settings, market, oxylabs_username="me", oxylabs_password=SecretStr("a wrong password")
    )
    async with serving(wrong, database) as service:
        run_id = await service.create(categories())
        execution, task = service.start(run_id)
        progress = await execution.rest()
        assert progress is not None
        assert progress.pause_reason is PauseReason.CREDENTIALS
        assert "OXYLABS_PASSWORD" in progress.message
        assert len(asked(market)) <= 5
        execution.stop()
        assert (await task).status is RunStatus.PAUSED
        assert statuses(database, run_id) == {"pending": 3}
    everything = str(rows(database, "SELECT entry FROM activity_log"))
    assert "a wrong password" not in everything + progress.message
    async with serving(through(settings, market), database) as service:
        assert (await service.start(run_id)[1]).status is RunStatus.COMPLETED


async def test_failed_items_are_kept_with_one_page_a_kind_and_can_be_sent_again(
    settings: Settings, database: Database
) -> None:
    nodes, options = NODES[:1], {"list-length": 6}
    with sandbox_process(faults="wall=0.6", seed=3, options=options) as walls:
        async with serving(through(settings, walls), database) as service:
            run_id = await service.create(categories(nodes))
            progress = await service.start(run_id)[1]
    assert progress.status is RunStatus.COMPLETED
    failed = rows(database, "SELECT * FROM collection_items WHERE status = 'failed'")
    assert len(failed) == progress.failed_items > 0
    assert {row.attempts for row in failed} == {3}
    pages = rows(database, "SELECT error_type, item_id FROM failed_pages")
    kinds = {row.error_type for row in failed if row.error_stage == "parse"}
    assert {row.error_type for row in failed} - kinds <= {"target_failed"}
    assert {row.error_type for row in pages} == kinds
    assert len(pages) == len(kinds)
    with sandbox_process(seed=3, options=options) as market:
        async with serving(through(settings, market), database) as service:
            assert await service.retry(run_id) == len(failed)
            again = await service.start(run_id)[1]
            assert (again.status, again.failed_items) == (RunStatus.COMPLETED, 0)
            assert sellers_of(database, run_id) == truth(market, nodes)["sellers"]
            with pytest.raises(UsageError, match="nothing to send again"):
                await service.retry(run_id)


async def test_edits_made_in_a_cell_do_not_wait_for_the_run_that_the_cell_holds_up(
    service: CollectionService, database: Database, market: SandboxProcess
) -> None:
    """Both lock the same rows, and the edit blocks the loop that carries the run."""
    run_id = await service.create(categories())
    _, task = service.start(run_id)
    edited = 0
    while not task.done():
        await asyncio.sleep(0.002)
        with database.engine().begin() as conn:
            conn.execute(text("SET LOCAL lock_timeout = '10s'"))
            edits.add(conn, [f"added-{edited}"], actor="me")
        edited += 1
    assert (await task).status is RunStatus.COMPLETED
    assert edited > 10
    assert sellers_of(database, run_id) == truth(market)["sellers"]


async def test_settling_is_not_cut_short_by_a_cancellation(
    service: CollectionService, database: Database, market: SandboxProcess
) -> None:
    """Requests that were paid for are kept, though the task that sent them is cancelled."""
    run_id = await service.create(categories(NODES[:1]))
    with psycopg.connect(database.conninfo()) as blocker:
        blocker.execute("SELECT * FROM seller_counter FOR UPDATE")
        _, task = service.start(run_id)
        await until(lambda: value(database, LOCK_WAITERS) >= 3)
        task.cancel()
        await asyncio.sleep(0.2)
        assert not task.done()
        blocker.rollback()
    with pytest.raises(asyncio.CancelledError):
        await task
    answered = [e for e in asked(market) if e["status"] == 200]
    run = rows(database, "SELECT * FROM collection_runs")[0]
    assert statuses(database, run_id)["done"] >= 4
    assert run.status == "paused"
    assert run.requests_billed <= len(answered) <= run.requests
    assert (await service.start(run_id)[1]).status is RunStatus.COMPLETED
    assert sellers_of(database, run_id) == truth(market, NODES[:1])["sellers"]
    assert repeated(asked(market)) <= 5


async def test_a_fault_of_ours_fails_the_run_which_says_so_and_can_be_sent_again(
    service: CollectionService, database: Database, market: SandboxProcess
) -> None:
    run_id = await service.create(categories(NODES[:1]))
    with psycopg.connect(database.conninfo(), autocommit=True) as admin:
        admin.execute("ALTER TABLE seller_sightings RENAME TO misplaced")
        with pytest.raises(DatabaseError, match="seller_sightings") as caught:
            await service.start(run_id)[1]
        admin.execute("ALTER TABLE misplaced RENAME TO seller_sightings")
    run = rows(database, "SELECT * FROM collection_runs")[0]
    assert (run.status, run.message) == ("failed", f"Failed: {caught.value}")
    # One line for people, without our SQL and what it was given.
    assert "\n" not in run.message
    assert "INSERT" not in run.message
    assert await service.retry(run_id) == 0
    assert (await service.start(run_id)[1]).status is RunStatus.COMPLETED
    assert sellers_of(database, run_id) == truth(market, NODES[:1])["sellers"]


async def test_throttling_holds_the_run_and_loses_nobody(
    settings: Settings, database: Database
) -> None:
    with sandbox_process(options={"rate-limit": 3, "list-length": 4}) as market:
        async with serving(through(settings, market), database) as service:
            run_id = await service.create(categories(NODES[:1]))
            progress = await service.start(run_id)[1]
            throttled = [e for e in asked(market) if e["status"] == 429]
            assert throttled
            assert progress.status is RunStatus.COMPLETED
            assert progress.holds == len(throttled)
            assert progress.requests == len(asked(market))
            assert progress.requests_billed == len(asked(market)) - len(throttled)
            assert sellers_of(database, run_id) == truth(market, NODES[:1])["sellers"]


async def test_options_reach_the_requests(
    service: CollectionService, database: Database, market: SandboxProcess
) -> None:
    options = RunOptions(pages_per_list=1, pages_per_search=1, workers=2, results_per_page=60)
    run_id = await service.create(categories(NODES[:1]), options=options, name="Small")
    progress = await service.start(run_id)[1]
    assert progress.name == "Small"
    assert len(progress.workers) == 2
    assert {entry["page"] for entry in asked(market)} == {1}
    assert progress.requests == 1 + progress.products_searched


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"categories": []}, "collector categories"),
        ({"budget": 0}, "at least one request"),
        ({"name": "x" * 201}, "1 to 200 characters"),
        ({"name": "a\x00b"}, "1 to 200 characters"),
    ],
)
async def test_a_run_that_cannot_be_is_refused_in_words(
    service: CollectionService, given: dict[str, object], message: str
) -> None:
    chosen = given.pop("categories", categories())
    with pytest.raises(UsageError, match=message):
        await service.create(chosen, **given)  # type: ignore[arg-type]


async def test_commands_for_a_run_that_nobody_works_on(
    service: CollectionService, database: Database, market: SandboxProcess
) -> None:
    run_id = await service.create(categories())
    await service.pause(run_id)
    assert value(database, "SELECT status FROM collection_runs") == "paused"
    assert await service.resume(run_id) is False
    await service.cancel(run_id)
    assert value(database, "SELECT status FROM collection_runs") == "cancelled"
    for command in (service.pause, service.resume, service.cancel, service.retry):
        with pytest.raises(IllegalMove):
            await command(run_id)
    with pytest.raises(UnknownRun):
        await service.pause(database_id := run_id.__class__(int=1))
    assert database_id != run_id
    assert asked(market) == []


async def test_a_run_that_is_worked_on_cannot_be_started_again(
    slow_service: CollectionService, database: Database
) -> None:
    run_id = await slow_service.create(categories(NODES[:1]))
    execution, task = slow_service.start(run_id)
    await until(lambda: value(database, "SELECT status FROM collection_runs") == "running")
    with pytest.raises(RunInProgress):
        await slow_service.start(run_id)[1]
    execution.cancel()
    assert (await task).status is RunStatus.CANCELLED


async def test_runs_are_listed_newest_first(service: CollectionService) -> None:
    made = [await service.create(categories(NODES[:1]), name=f"run {n}") for n in range(3)]
    assert [p.run_id for p in await service.list_runs(limit=2)] == made[:0:-1]
