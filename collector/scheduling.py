"""What a system's own scheduler needs to start a run every month: texts, nothing is installed.

Pure. Each text quotes by the rules of whoever reads it: crontab(5), systemd.syntax(7) and
systemd.service(5), sh. No secret stands in any of them: they come from a file that is named.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.errors import UsageError

UNIT = "collector-monthly"
# Below the user's home; read by the shell of cron and by systemd alike: NAME=value lines.
SECRETS = ".config/collector/environment"
LAST_DAY = 28  # every month has it


@dataclass(frozen=True, slots=True)
class Schedule:
    """A monthly run.

    Attributes:
        command: the program and its arguments.
        folder: where the run works and leaves its report.
        day: of the month, 1 to 28.
        hour: by the system's clock.
        minute: likewise.
    """

    command: tuple[str, ...]
    folder: Path
    day: int
    hour: int
    minute: int

    @property
    def cron_times(self) -> str:
        """The five fields of cron."""
        return f"{self.minute} {self.hour} {self.day} * *"


def monthly(
    python: str, folder: Path, *, day: int, at: str, preset: str | None, budget: int | None
) -> Schedule:
    """A run of a preset once a month, which waits for another one and leaves a report.

    Raises:
        UsageError: the day, the time or a name cannot be.
    """
    time = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if not time:
        raise UsageError(f"{at[:20]!r} is no time of day: write it as 06:30.")
    if not 1 <= day <= LAST_DAY:
        raise UsageError(f"Choose a day from 1 to {LAST_DAY}: every month has those.")
    command = [python, "-m", "collector.cli", "run", "--wait", "--quiet"]
    command += [f"--report={folder}"]
    command += [f"--preset={preset}"] if preset else []
    command += [f"--budget={budget}"] if budget else []
    if any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for word in command for c in word):
        raise UsageError("Control characters cannot stand in a schedule: choose other names.")
    return Schedule(tuple(command), folder, day, int(time[1]), int(time[2]))


def cron_line(schedule: Schedule) -> str:
    """A comment on where secrets go, and one line for `crontab -e`."""
    secrets = f'"$HOME"/{SECRETS}'
    work = f"set -a; [ ! -r {secrets} ] || . {secrets}; set +a; "
    work += f"cd {shlex.quote(str(schedule.folder))} && exec {shlex.join(schedule.command)}"
    # To cron a bare % ends the line (crontab(5)).
    line = f"{schedule.cron_times} {work}".replace("%", r"\%")
    return f"{_where_secrets_go('#')}\n{line}\n"


def systemd_service(schedule: Schedule) -> str:
    """The text of the service unit."""
    return "\n".join(
        [
            _where_secrets_go("#"),
            "[Unit]",
            "Description=Collect eBay sellers and leave a report",
            "",
            "[Service]",
            "Type=oneshot",
            f"EnvironmentFile=-%h/{SECRETS}",
            # Taken to the end of the line as it is, but for specifiers.
            f"WorkingDirectory={str(schedule.folder).replace('%', '%%')}",
            f"ExecStart={_systemd_words(schedule.command)}",
            # What is in flight finishes, and the run can be resumed.
            "KillSignal=SIGINT",
            # The PostgreSQL that comes along may serve others by then: it goes on.
            "KillMode=process",
            "TimeoutStopSec=5min",
            "",
        ]
    )


def systemd_timer(schedule: Schedule) -> str:
    """The text of the timer unit. A month that the machine slept through is made up for."""
    at = f"{schedule.hour:02}:{schedule.minute:02}:00"
    return "\n".join(
        [
            "[Unit]",
            "Description=Collect eBay sellers every month",
            "",
            "[Timer]",
            f"OnCalendar=*-*-{schedule.day:02} {at}",
            "Persistent=true",
            f"Unit={UNIT}.service",
            "",
            "[Install]",
            "WantedBy=timers.target",
            "",
        ]
    )


def jupyter_steps(schedule: Schedule, *, installed: bool) -> str:
    """What to do in JupyterLab, whose scheduler keeps its jobs in a database of its own."""
    lines = [
        "1. In JupyterLab, right-click 01_launch_run.ipynb and choose Create Notebook Job.",
        f"2. Parameters: report_folder = {schedule.folder!s}, and name and budget as you like.",
        "3. Run on a schedule, Custom schedule:",
        f"   {schedule.cron_times}",
        "The job runs while that JupyterLab runs, with its environment.",
    ]
    if not installed:
        lines.insert(0, "0. Install it beside JupyterLab: pip install jupyter-scheduler")
    return "\n".join(lines) + "\n"


def _where_secrets_go(sign: str) -> str:
    return "\n".join(
        f"{sign} {line}"
        for line in (
            "Secrets and settings (DATABASE_URL, OXYLABS_USERNAME, OXYLABS_PASSWORD) go into",
            f"~/{SECRETS} as NAME='value' lines; chmod 600 it.",
            "Without credentials the run works in the sandbox, and its report says so.",
        )
    )


def _systemd_words(words: Sequence[str]) -> str:
    quoted = []
    for word in words:
        escaped = word.replace("\\", "\\\\").replace('"', '\\"')
        # $ would name a variable, % a specifier.
        escaped = escaped.replace("$", "$$").replace("%", "%%")
        quoted.append(f'"{escaped}"')
    # The program's own path must be literal: $$ is not undone there.
    quoted[0] = quoted[0].replace("$$", "$")
    return " ".join(quoted)
