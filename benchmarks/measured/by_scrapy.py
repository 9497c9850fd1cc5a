"""The searches by Scrapy, as its documentation has it: a spider, an item pipeline, a script.

Source: docs.scrapy.org, "Common Practices" (run from a script), "Requests and Responses"
(JsonRequest), "Item Pipeline" (write items to a database), "Downloader Middleware" (HttpAuth).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import psycopg
import scrapy
from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.http import JsonRequest, Response
from scrapy.selector import Selector

from measured.peer_work import UPSERT, Found, Measured, sellers_of
from measured.processes import task_given


class SellerSpider(scrapy.Spider):
    """Asks the Oxylabs-speaking endpoint for each search and reads the page in its answer."""

    name = "sellers"

    async def start(self) -> AsyncIterator[JsonRequest]:
        for payload in self.task["payloads"]:
            yield JsonRequest(self.task["url"], data=payload)

    def parse(self, response: Response) -> Iterator[dict[str, list[Found]]]:
        page = Selector(text=response.json()["results"][0]["content"])
        yield {"sellers": sellers_of(page)}


class PostgresPipeline:
    """Stores the sellers of a page."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler.settings["CONNINFO"])

    def open_spider(self) -> None:
        self.connection = psycopg.connect(self.conninfo, autocommit=True)

    def close_spider(self) -> None:
        self.connection.close()

    def process_item(self, item: dict[str, list[Found]]) -> dict[str, list[Found]]:
        columns = list(map(list, zip(*item["sellers"], strict=True))) or [[], [], []]
        self.connection.execute(UPSERT, columns)
        return item


def main() -> None:
    task: dict[str, Any] = task_given() or {}
    process = AsyncCrawlerProcess(
        settings={
            "CONNINFO": task["conninfo"],
            "ITEM_PIPELINES": {PostgresPipeline: 300},
            "HTTPAUTH_USER": task["username"],
            "HTTPAUTH_PASS": task["password"],
            # Any: the sandbox is all that is asked.
            "HTTPAUTH_DOMAIN": None,
            "CONCURRENT_REQUESTS": task["workers"],
            "CONCURRENT_REQUESTS_PER_DOMAIN": task["workers"],
            "TELNETCONSOLE_ENABLED": False,
            "LOG_LEVEL": "WARNING",
        }
    )
    process.crawl(SellerSpider, task=task)
    with Measured() as measured:
        process.start()
    print(json.dumps(measured.figures))


if __name__ == "__main__":
    main()
