"""The way in: the verbs put together, and errors turned into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from collector import __version__
from collector.cli import database_verbs, desk_verbs, list_verbs, run_verbs, schedule_verb
from collector.cli.terms import BAD_USAGE, ERROR, LEFT_AT_ONCE
from collector.errors import CollectorError, UsageError

app = typer.Typer(
    name="collector",
    help="Find the eBay sellers who resell Amazon best-sellers.",
    no_args_is_help=True,
    add_completion=False,
    # Plain messages: one line that says what is wrong, also where nothing draws boxes.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for verbs in (run_verbs, list_verbs, schedule_verb, desk_verbs):
    verbs.add_to(app)
app.add_typer(database_verbs.app, name="db")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"collector {__version__}")
        raise typer.Exit


@app.callback()
def _options_of_all(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks. May also stand after the verb.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Find the eBay sellers who resell Amazon best-sellers."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a verb and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = _without_debug(given)
    debug = len(wanted) < len(given)
    try:
        app(wanted, prog_name="collector")
    except BrokenPipeError:
        # Whoever read us has gone (`collector runs | head`); Python flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ERROR)
    except KeyboardInterrupt:
        sys.exit(LEFT_AT_ONCE)
    except CollectorError as error:
        _tell(str(error), debug=debug)
        sys.exit(BAD_USAGE if isinstance(error, UsageError) else ERROR)
    except Exception as error:
        fault = f"{type(error).__name__}: {error}".rstrip(": ")
        _tell(f"{fault} (a fault of the collector's; --debug shows where)", debug=debug)
        sys.exit(ERROR)
    sys.exit(0)


def _without_debug(given: list[str]) -> list[str]:
    end = given.index("--") if "--" in given else len(given)
    return [word for word in given[:end] if word != "--debug"] + given[end:]


def _tell(message: str, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print(f"Error: {' '.join(message.split())}", file=sys.stderr)
