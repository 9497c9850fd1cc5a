"""What the verbs share: exit codes, the options that several take, opening a workbench."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from collector.words import RunStatus, Source

if TYPE_CHECKING:
    from rich.console import Console

    from collector.workbench import Workbench

ERROR, BAD_USAGE, LEFT_AT_ONCE = 1, 2, 130
EXIT_CODES = {
    RunStatus.COMPLETED: 0,
    RunStatus.PAUSED: 3,
    RunStatus.CANCELLED: 4,
    RunStatus.FAILED: ERROR,
}

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, its beginning, or `latest`.")
]
SourceOption = Annotated[
    Source | None,
    typer.Option("--source", help="Whose data; by default what the environment says."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="The file; its ending is the format.")
]


@contextmanager
def workbench(source: Source | None = None) -> Iterator[Workbench]:
    """An open workbench, closed afterwards."""
    from collector.settings import Settings
    from collector.workbench import Workbench

    with Workbench.open(Settings.read(), source=source) as bench:
        yield bench


def console(*, stderr: bool = False) -> Console:
    """A console that keeps to what it was told: no markup, no highlighting, no emoji."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def program() -> str:
    """What to type to call the collector again: as it was called, where it is not on the path."""
    called = Path(sys.argv[0])
    if called.name != "collector" or shutil.which("collector") == str(called.absolute()):
        return "collector"
    return quote(sys.argv[0])


def say(message: str) -> None:
    """Tell the person at the terminal something that is no result."""
    print(message, file=sys.stderr)
