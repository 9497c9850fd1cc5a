"""The verb `schedule`: writes what the system's own scheduler needs; it installs nothing."""

from __future__ import annotations

import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.terms import say, workbench
from collector.errors import ExportError, UsageError

if TYPE_CHECKING:
    from collector.scheduling import Schedule


class Scheduler(StrEnum):
    """Whose texts are wanted."""

    CRON = "cron"
    SYSTEMD = "systemd"
    JUPYTER = "jupyter"


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(schedule)


def schedule(
    scheduler: Annotated[
        Scheduler, typer.Argument(metavar="SCHEDULER", help="cron, systemd or jupyter.")
    ],
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="A saved choice; by default the default one.")
    ] = None,
    day: Annotated[int, typer.Option(help="Day of the month, 1 to 28.")] = 1,
    at: Annotated[
        str, typer.Option(metavar="HH:MM", help="Time of day, by this machine.")
    ] = "06:00",
    budget: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The most requests each run may spend.")
    ] = None,
    reports: Annotated[
        Path, typer.Option(metavar="DIR", help="Where each run leaves its report.")
    ] = Path("reports"),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write files there; else print."),
    ] = None,
) -> None:
    """Write what a scheduler needs to run a preset every month and leave a report.

    Nothing is installed: what to do with it is told. No secret is written.
    """
    from collector import scheduling

    folder = reports.expanduser().resolve()
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}: create it first.")
    if preset:
        _check_preset(preset)
    wanted = scheduling.monthly(
        sys.executable, folder, day=day, at=at, preset=preset, budget=budget
    )
    texts, then = _texts(scheduler, wanted)
    if output is None:
        for name, text in texts.items():
            print(f"# {name}\n{text}" if len(texts) > 1 else text, end="")
    else:
        _write(output.expanduser().resolve(), texts)
    for line in then:
        say(line)


def _check_preset(preset: str) -> None:
    from collector.store import presets

    with workbench() as bench, bench.database.engine().connect() as conn:
        presets.named(conn, preset)


def _texts(scheduler: Scheduler, wanted: Schedule) -> tuple[dict[str, str], list[str]]:
    from collector import scheduling

    match scheduler:
        case Scheduler.CRON:
            return {"collector.cron": scheduling.cron_line(wanted)}, [
                "Add the line to your table: crontab -e"
            ]
        case Scheduler.SYSTEMD:
            unit = scheduling.UNIT
            return {
                f"{unit}.service": scheduling.systemd_service(wanted),
                f"{unit}.timer": scheduling.systemd_timer(wanted),
            }, [
                "Put both into ~/.config/systemd/user/, then:",
                f"  systemctl --user daemon-reload && systemctl --user enable --now {unit}.timer",
                "  loginctl enable-linger    (so that it runs while you are not logged in)",
            ]
        case _:
            installed = find_spec("jupyter_scheduler") is not None
            return {"collector-job.txt": scheduling.jupyter_steps(wanted, installed=installed)}, []


def _write(folder: Path, texts: dict[str, str]) -> None:
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}: create it first.")
    for name, text in texts.items():
        try:
            (folder / name).write_text(text, encoding="utf-8")
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise ExportError(f"{folder / name} could not be written: {reason}.") from exc
        print(f"Written: {folder / name}")
