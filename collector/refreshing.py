"""The workbench's catalogue: the one that is shipped, and what departments' pages said since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from collector import catalogue as catalogues
from collector.background import BackgroundLoop
from collector.catalogue import Catalogue
from collector.catalogue_checks import CategoryChange, compare, to_store, with_changes
from collector.database import Database
from collector.errors import PageNotUnderstood
from collector.frames.category_checks import category_changes
from collector.models import RunOptions
from collector.sources.departments import department_children, department_payload
from collector.store import categories, category_yield
from collector.upstream import Upstream
from collector.words import Source

if TYPE_CHECKING:
    import pandas as pd


class CatalogueRefreshing:
    """How `Workbench` keeps its catalogue true. Each department's page is one billed request."""

    database: Database
    source: Source
    _background: BackgroundLoop
    _upstream: Upstream

    @property
    def catalogue(self) -> Catalogue:
        """The categories that runs can take, read anew each time.

        Those that are gone from their department's page, and those whose list held nothing when
        a run last read it, are not confirmed.
        """
        with self.database.engine().connect() as conn:
            return with_changes(
                catalogues.shipped(), categories.stored(conn), empty=categories.empty(conn)
            )

    def empty_categories(self) -> set[str]:
        """The node ids of lists that held nothing when a run last read them."""
        with self.database.engine().connect() as conn:
            return categories.empty(conn)

    def unfruitful_categories(self) -> set[str]:
        """The node ids of categories that bring few new sellers for their requests.

        By what rule: `unfruitful` of `collector.frames.specs.CATEGORY_YIELD`.
        """
        with self.database.engine().connect() as conn:
            return category_yield.unfruitful(conn)

    def refresh_categories(self, department: str) -> pd.DataFrame:
        """Read a department's best-seller page and keep what it says of the catalogue.

        Sends one request through Oxylabs, which is billed as any other; no run's budget pays it.

        Args:
            department: a department of the catalogue.

        Returns:
            One row a category: known, new, renamed or gone
            (`frames.category_checks.CATEGORY_CHANGES`).

        Raises:
            UnknownCategory: there is no such department.
            UpstreamError: the page could not be had, or is none of that department.
        """
        return category_changes(self.check_department(department))

    def check_department(self, department: str) -> tuple[CategoryChange, ...]:
        """What `refresh_categories` does, as values instead of a frame."""
        catalogue = self.catalogue
        slug = catalogue.categories(department)[0].slug
        payload = department_payload(slug, geo_location=RunOptions().geo_location)
        content = self._background.call(self._fetched(payload))
        if not isinstance(content, str):
            raise PageNotUnderstood("The department's page came parsed, not as a page. Try again.")
        changes = compare(catalogue, department, department_children(content, department_slug=slug))
        with self.database.engine().begin() as conn:
            categories.save(conn, to_store(changes))
        return changes

    async def _fetched(self, payload: Mapping[str, Any]) -> str | dict[str, Any]:
        async with await self._upstream.connect(self.source, None, 1) as client:
            return (await client.fetch(payload)).content
