"""The searches by the collector itself: a whole run, with claims, budget, activity and audit log.

With `alone` it is its client and parser alone, and the same statement that the others store with.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import psycopg

from collector.sources import ebay
from collector.sources.oxylabs import OxylabsClient
from measured import password
from measured.peer_work import UPSERT, Measured
from measured.processes import task_given
from measured.runs import database_at, service_over


async def a_run(task: dict[str, Any]) -> Measured:
    service = service_over(database_at(task["database"]), upstream_url=task["url"])
    with Measured() as measured:
        progress = await service.start(UUID(task["run"]))[1]
    await service.close()
    assert progress.products_searched == len(task["payloads"]), progress
    return measured


async def alone(task: dict[str, Any]) -> Measured:
    payloads = iter(task["payloads"])
    with Measured() as measured:
        async with (
            await psycopg.AsyncConnection.connect(task["conninfo"], autocommit=True) as connection,
            OxylabsClient(
                url=task["url"], username=task["username"], password=password(task["password"])
            ) as client,
            asyncio.TaskGroup() as group,
        ):

            async def take_payloads() -> None:
                for payload in payloads:
                    answer = await client.fetch(payload)
                    page = await asyncio.to_thread(ebay.parse_search_page, str(answer.content))
                    found = [
                        (ebay.normalize_name(s.username), s.feedback_percent, s.feedback_count)
                        for s in page.sellers
                    ]
                    columns = list(map(list, zip(*found, strict=True))) or [[], [], []]
                    await connection.execute(UPSERT, columns)

            for _ in range(task["workers"]):
                group.create_task(take_payloads())
    return measured


def main() -> None:
    task = task_given() or {}
    measured = asyncio.run(alone(task) if task.get("alone") else a_run(task))
    print(json.dumps(measured.figures))


if __name__ == "__main__":
    main()
