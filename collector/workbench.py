"""`Workbench`: the one object an operator opens. It alone puts the other rooms together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from collector.background import BackgroundLoop
from collector.choosing import CategoryChoosing
from collector.collection import CollectionService
from collector.database import Database, open_database
from collector.engine import Engine
from collector.models import RunOptions
from collector.picturing import FramePictures
from collector.retention import prune_old_activity
from collector.run import Run
from collector.settings import Settings
from collector.showing import PanelShowing
from collector.store import runs
from collector.upstream import Upstream
from collector.words import Source

__all__ = ["Run", "Workbench"]


class Workbench(FramePictures, PanelShowing, CategoryChoosing):
    """Runs, sellers, frames and reports over one database. Open it with `Workbench.open()`.

    Args:
        settings: the environment.
        database: opened and migrated.
        loop: the loop that runs are worked on; None: a loop on a thread of its own.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        source: Source,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.source = source
        self._background = BackgroundLoop("collector background")
        self._upstream = Upstream(settings)
        self._service = CollectionService(database, connect=self._upstream.connect, source=source)
        self._loop = loop
        self._runs: dict[UUID, Run] = {}

    @classmethod
    def open(cls, settings: Settings | None = None, *, source: Source | None = None) -> Self:
        """Open the workbench: the database is found or started, and brought up to date.

        Args:
            settings: by default what the environment says.
            source: whose data; by default what the settings say.

        Raises:
            SettingsError: the environment holds something unusable.
            DatabaseError: PostgreSQL cannot be reached or started.
        """
        settings = settings or Settings.read()
        source = source or settings.source
        try:
            loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        bench = cls(settings, open_database(settings, source=source), source=source, loop=loop)
        prune_old_activity(
            bench.database, days=settings.collector_activity_days, background=bench._background
        )
        return bench

    def launch(
        self,
        categories: Sequence[str] | None = None,
        *,
        preset: str | None = None,
        name: str | None = None,
        budget: int | None = None,
        options: RunOptions | None = None,
        background: bool = False,
        engine: Engine | None = None,
    ) -> Run:
        """Launch a run and return at once; it goes on by itself.

        Args:
            categories: node ids, departments or "Department / Name"; None: the default preset.
            preset: a saved choice of categories instead.
            name: what people call it.
            budget: the most requests it may spend; None: the setting's, or no ceiling.
            options: what it is asked to do.
            background: work on it on a thread with a loop of its own, so that a cell that
                blocks the kernel does not stop it.
            engine: who has its workers: `DaskEngine(client)`, the workers of a Dask cluster; by
                default this process.

        Raises:
            UnknownCategory: the catalogue has no such category.
            UsageError: the budget or name cannot be.
        """
        chosen = self.choose(categories, preset=preset)
        run_id = self._background.call(
            self._service.create(
                chosen,
                name=name,
                budget=self.settings.collector_budget if budget is None else budget,
                options=options or RunOptions(**self.settings.run_options),
            )
        )
        run = self._run(run_id, background=background, engine=engine)
        run.resume()
        return run

    def launch_again(self, run: Run | str | UUID) -> Run:
        """Launch a new run with another one's categories, options, budget and name.

        Raises:
            UnknownRun: there is no such run.
            UnknownCategory: one of its categories is in the catalogue no more.
        """
        run_id = self._id(run)
        with self.database.engine().connect() as conn:
            row = runs.get(conn, run_id)
            node_ids = [category.node_id for category in runs.categories(conn, run_id)]
        options = RunOptions(**row.options)
        return self.launch(node_ids, name=row.name, budget=row.budget, options=options)

    def attach(self, run_id: str | UUID, *, engine: Engine | None = None) -> Run:
        """Have a run again, from any kernel, by its id or the beginning of it.

        Args:
            run_id: the run.
            engine: who has its workers, should it be resumed here.

        Raises:
            UnknownRun: there is no such run.
            UsageError: the text is no run id.
        """
        return self._run(self._id(run_id), engine=engine)

    def _run(self, run_id: UUID, *, background: bool = False, engine: Engine | None = None) -> Run:
        run = self._runs.get(run_id)
        # One that was seen to end is looked at anew: it may have been woken since.
        if run is None or not run.is_current:
            loop = None if background else self._loop
            run = self._runs[run_id] = Run(
                run_id,
                database=self.database,
                service=self._service,
                background=self._background,
                loop=loop or self._background.loop,
            )
        # For the next time that it is worked on here: it may be under way.
        run.engine = engine or run.engine
        return run

    def export(
        self, what: str, path: Path | str = ".", *, run: Run | str | UUID | None = None
    ) -> Path:
        """Write a frame into a csv, json, jsonl, xlsx or parquet file and return its path.

        Args:
            what: sellers, runs, products, sightings, audit, items, snapshots, activity, requests.
            path: the file, or a folder that gets one with a telling name.
            run: only what belongs to that run.

        Raises:
            UsageError: `what` or the file's ending is unknown.
            ExportError: the file cannot be written.
        """
        from collector.exports import export

        return export(self.database, what, path, actor=self.actor, run_id=self._id_or_none(run))

    def report(
        self,
        run: Run | str | UUID = "latest",
        path: Path | str = ".",
        *,
        ending: str = "html",
        parameters: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a run's report (html, md, xlsx or pdf, by the name's ending) and return its path.

        Args:
            run: the run.
            path: the file, or a folder that gets one with a telling name.
            ending: the format, where the path is a folder.
            parameters: whatever led to the report, recorded in it.

        Raises:
            UnknownRun: there is no such run.
            UsageError: the file's ending is unknown.
            ExportError: the file cannot be written.
        """
        from collector.reports import write_report

        return write_report(
            self.database, self._id(run), path, ending=ending, parameters=parameters
        )

    async def leave(self) -> None:
        """Leave every run that is worked on here, resumable; what is in flight finishes first."""
        for run in list(self._runs.values()):
            await run.leave()

    def close(self) -> None:
        """Stop watching, end the sandbox, close connections. Runs worked on here are dropped."""
        for run in self._runs.values():
            run.close()
        self._runs.clear()
        self._background.call(self._service.close())
        self._background.close()
        self._upstream.close()
        self.database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Workbench {self.source} {self.database.display_url()}>"
