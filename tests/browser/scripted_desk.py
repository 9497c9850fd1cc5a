"""A launcher over the shipped catalogue, with presets in memory, that launches scripted runs."""

from __future__ import annotations

from collections.abc import Sequence

from scripted_run import ScriptedRun

from collector.catalogue import DEFAULT_CATEGORIES, shipped
from collector.errors import UsageError
from collector.models import Category
from collector.panel import LaunchChoice, Launcher, Presets
from collector.words import Source


class ScriptedDesk:
    """Keeps presets, and the runs that were launched.

    Args:
        more: categories beside the shipped ones.
        source: where answers come from.
    """

    def __init__(self, *, more: Sequence[Category] = (), source: Source = Source.SANDBOX) -> None:
        self.presets: dict[str, tuple[str, ...]] = {"Everyday": DEFAULT_CATEGORIES}
        self.default: str | None = "Everyday"
        self.choices: list[LaunchChoice] = []
        self.runs: list[ScriptedRun] = []
        self.refuses: str | None = None
        self.launcher = Launcher(
            [*shipped().categories(), *more],
            self._launch,
            presets=Presets(
                all=lambda: self.presets,
                default=lambda: self.default,
                save=self._save,
                rename=self._rename,
                remove=lambda name: self.presets.pop(name),
                make_default=self._make_default,
            ),
            budget=1500,
            source=source,
            has_credentials=source is Source.OXYLABS,
        )

    def _launch(self, choice: LaunchChoice) -> ScriptedRun:
        if self.refuses is not None:
            raise UsageError(self.refuses)
        self.choices.append(choice)
        self.runs.append(ScriptedRun(rate=8, name=choice.name or "Unnamed").start())
        return self.runs[-1]

    def _save(self, name: str, node_ids: Sequence[str]) -> None:
        if not node_ids:
            raise UsageError("A preset holds at least one category: choose some first.")
        self.presets[name] = tuple(node_ids)

    def _rename(self, name: str, new_name: str) -> None:
        self.presets = {new_name if n == name else n: ids for n, ids in self.presets.items()}
        self.default = new_name if self.default == name else self.default

    def _make_default(self, name: str) -> None:
        self.default = name
