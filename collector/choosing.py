"""The workbench's choices of categories: by name, by preset, or by hand in the launcher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from collector import catalogue as catalogues
from collector.database import Database
from collector.estimate import Estimate, History
from collector.frugal import is_due, price_window
from collector.models import Category, RunOptions
from collector.refreshing import CatalogueRefreshing
from collector.run import Run
from collector.settings import Settings
from collector.store import history, presets, product_searches, runs
from collector.words import Source

if TYPE_CHECKING:
    from collector.panel.launcher import Launcher

T = TypeVar("T")


class CategoryChoosing(CatalogueRefreshing, ABC):
    """How `Workbench` comes to the categories of a run."""

    database: Database
    settings: Settings
    source: Source

    @abstractmethod
    def launch(
        self,
        categories: Sequence[str] | None = None,
        *,
        preset: str | None = None,
        name: str | None = None,
        budget: int | None = None,
        options: RunOptions | None = None,
        background: bool = False,
    ) -> Run:
        """Launch a run and return at once; see `Workbench.launch`."""

    def choose(
        self, categories: Sequence[str] | None = None, *, preset: str | None = None
    ) -> list[Category]:
        """The categories that those texts or that preset name; None: the default preset's.

        Raises:
            UnknownCategory: the catalogue has no such category.
            UsageError: there is no such preset.
        """
        if categories is None:
            with self.database.engine().connect() as conn:
                saved = presets.named(conn, preset) if preset else presets.default(conn)
            categories = saved or self._first_choice()
        catalogue = self.catalogue
        found = [c for text in categories for c in catalogue.find(text)]
        return list({c.node_id: c for c in found}.values())

    def _first_choice(self) -> tuple[str, ...]:
        if self.source is Source.SANDBOX:
            return catalogues.SANDBOX_CATEGORIES
        return catalogues.DEFAULT_CATEGORIES

    def estimate(
        self,
        categories: Sequence[str] | None = None,
        *,
        preset: str | None = None,
        options: RunOptions | None = None,
        budget: int | None = None,
    ) -> Estimate:
        """What a run over these categories may cost, by earlier runs where there are any.

        Args:
            categories: as for `launch`.
            preset: as for `launch`.
            options: as for `launch`.
            budget: as for `launch`.

        Raises:
            UnknownCategory: the catalogue has no such category.
            UsageError: there is no such preset.
        """
        from collector.panel.launching import LaunchChoice, estimate

        chosen = self.choose(categories, preset=preset)
        choice = LaunchChoice(
            categories=tuple(category.node_id for category in chosen),
            name=None,
            budget=self.settings.collector_budget if budget is None else budget,
            options=options or RunOptions(**self.settings.run_options),
        )
        return estimate(choice, history=self._history(choice.categories, choice.options))

    def _history(self, node_ids: Sequence[str], options: RunOptions) -> History:
        with self.database.engine().connect() as conn:
            known = history.read(
                conn, pages_per_search=options.pages_per_search, page_on=options.page_on
            )
            if not options.search_again_days:
                return known
            sandboxed = self.source is Source.SANDBOX
            day = runs.finished_sandbox_runs(conn) if sandboxed else None
            listed = product_searches.on_lists(conn, node_ids, source=self.source, sandbox_day=day)
        not_due = [
            product.earlier.pages
            for product in listed
            if not is_due(
                product.title, price_window(product.price_cents, options), product.earlier, options
            )
        ]
        return replace(known, not_due=len(not_due), not_due_requests=sum(not_due))

    def presets(self) -> dict[str, tuple[str, ...]]:
        """Saved choices: node ids by name, the default first."""
        return self._with_presets(presets.all_named)

    def save_preset(self, name: str, categories: Sequence[str]) -> None:
        """Save a choice of categories, in place of one of that name.

        Raises:
            UnknownCategory: the catalogue has no such category.
            UsageError: the name or the choice is empty.
        """
        node_ids = [category.node_id for category in self.choose(categories)]
        self._with_presets(lambda c: presets.save(c, name, node_ids))

    def rename_preset(self, name: str, new_name: str) -> None:
        """Rename a preset.

        Raises:
            UsageError: there is no such preset, or one with the new name.
        """
        self._with_presets(lambda c: presets.rename(c, name, new_name))

    def remove_preset(self, name: str) -> None:
        """Delete a preset. Runs that used it stay as they are.

        Raises:
            UsageError: there is no such preset.
        """
        self._with_presets(lambda c: presets.remove(c, name))

    def make_default(self, name: str) -> None:
        """Make a preset the one that a run without a choice takes.

        Raises:
            UsageError: there is no such preset.
        """
        self._with_presets(lambda c: presets.make_default(c, name))

    def launcher(self) -> Launcher:
        """A form to choose categories and terms in, and to launch runs from."""
        from collector.panel.launcher import Launcher
        from collector.panel.launching import LaunchChoice, Presets, estimate

        def launch(choice: LaunchChoice) -> Run:
            return self.launch(
                choice.categories, name=choice.name, budget=choice.budget, options=choice.options
            )

        def by_earlier_runs(choice: LaunchChoice) -> Estimate:
            return estimate(choice, history=self._history(choice.categories, choice.options))

        return Launcher(
            self.catalogue.categories(),
            launch,
            presets=Presets(
                all=self.presets,
                default=lambda: self._with_presets(presets.default_name),
                save=self.save_preset,
                rename=self.rename_preset,
                remove=self.remove_preset,
                make_default=self.make_default,
            ),
            chosen=[category.node_id for category in self.choose()],
            budget=self.settings.collector_budget,
            options=RunOptions(**self.settings.run_options),
            source=self.source,
            has_credentials=self.settings.has_credentials,
            estimate=by_earlier_runs,
            check=self._check_for_launcher,
            unfruitful=self.unfruitful_categories(),
        )

    def _check_for_launcher(self, department: str) -> tuple[str, tuple[Category, ...]]:
        """Refresh a department; what its page said in a sentence, and the catalogue since."""
        statuses = Counter(change.status for change in self.check_department(department))
        moved = [f"{statuses[s]} {s}" for s in ("new", "renamed", "gone") if statuses[s]]
        told = f"{department}: {', '.join(moved) or 'as it was'}, {statuses['known']} known."
        return told, self.catalogue.categories()

    def _with_presets(self, deed: Callable[[Connection], T]) -> T:
        with self.database.engine().begin() as conn:
            return deed(conn)
