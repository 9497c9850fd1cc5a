"""The searches by Crawlee for Python, as its documentation has it: a crawler and its handler.

Source: crawlee.dev/python, "HTTP crawlers" (`HttpCrawler` for what is no HTML), "Request" (POST
with a payload), "Scaling crawlers" (`ConcurrencySettings`), "Storage clients" (in memory, its
fastest). Nothing is sent anywhere: no telemetry, no platform.
"""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from typing import Any

import psycopg
from crawlee import ConcurrencySettings, Request
from crawlee.configuration import Configuration
from crawlee.crawlers import HttpCrawler, HttpCrawlingContext
from crawlee.storage_clients import MemoryStorageClient
from parsel import Selector

from measured.peer_work import UPSERT, Measured, sellers_of
from measured.processes import task_given


async def crawl(task: dict[str, Any]) -> Measured:
    token = b64encode(f"{task['username']}:{task['password']}".encode()).decode()
    headers = {"authorization": f"Basic {token}", "content-type": "application/json"}
    requests = [
        Request.from_url(
            task["url"],
            method="POST",
            headers=headers,
            payload=json.dumps(payload),
            use_extended_unique_key=True,
        )
        for payload in task["payloads"]
    ]
    crawler = HttpCrawler(
        configuration=Configuration(log_level="WARNING"),
        storage_client=MemoryStorageClient(),
        concurrency_settings=ConcurrencySettings(
            min_concurrency=task["workers"],
            desired_concurrency=task["workers"],
            max_concurrency=task["workers"],
        ),
    )
    async with await psycopg.AsyncConnection.connect(
        task["conninfo"], autocommit=True
    ) as connection:

        @crawler.router.default_handler
        async def read_page(context: HttpCrawlingContext) -> None:
            answer = json.loads(await context.http_response.read())
            found = sellers_of(Selector(answer["results"][0]["content"]))
            columns = list(map(list, zip(*found, strict=True))) or [[], [], []]
            await connection.execute(UPSERT, columns)

        with Measured() as measured:
            await crawler.run(requests)
    return measured


def main() -> None:
    logging.disable(logging.INFO)
    print(json.dumps(asyncio.run(crawl(task_given() or {})).figures))


if __name__ == "__main__":
    main()
