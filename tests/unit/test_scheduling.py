"""What schedulers are given: quoted by their rules, without secrets."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import scheduling
from collector.errors import UsageError
from collector.scheduling import Schedule, cron_line, jupyter_steps, monthly

FOLDER = Path("/srv/ana/my reports/100 %/it's $HOME")


def schedule(folder: Path = FOLDER, preset: str | None = "a 'preset'") -> Schedule:
    return monthly("/opt/a venv/python", folder, day=3, at="06:05", preset=preset, budget=500)


def test_a_line_of_cron_has_five_fields_and_one_command() -> None:
    *comments, line = cron_line(schedule()).splitlines()

    assert all(comment.startswith("# ") for comment in comments)
    fields = line.split(maxsplit=5)
    assert fields[:5] == ["5", "6", "3", "*", "*"]
    # What cron hands to sh: a % that is not escaped would have ended the line.
    assert not re.search(r"(?<!\\)%", line)
    words = shlex.split(fields[5].replace(r"\%", "%"))
    place = words.index("exec")
    assert words[place - 2 : place] == [str(FOLDER), "&&"]
    assert tuple(words[place + 1 :]) == schedule().command


@given(st.text(st.characters(max_codepoint=0x2FF, exclude_categories=["Cc"])))
def test_any_preset_comes_out_of_the_shell_as_it_went_in(preset: str) -> None:
    wanted = schedule(preset=preset)
    words = shlex.split(cron_line(wanted).splitlines()[-1].split(maxsplit=5)[5].replace(r"\%", "%"))
    if preset:
        assert words[-2] == f"--preset={preset}"


def test_the_timer_says_when() -> None:
    assert "OnCalendar=*-*-03 06:05:00\n" in scheduling.systemd_timer(schedule())


def test_secrets_are_named_and_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OXYLABS_PASSWORD", "hunter2secret")
    for text in (cron_line(schedule()), scheduling.systemd_service(schedule())):
        assert "OXYLABS_PASSWORD" in text
        assert "chmod 600" in text
        assert "hunter2secret" not in text


def test_jupyters_scheduler_is_told_in_steps() -> None:
    assert "5 6 3 * *" in jupyter_steps(schedule(), installed=True)
    assert "pip install jupyter-scheduler" in jupyter_steps(schedule(), installed=False)


@pytest.mark.parametrize(
    ("day", "at", "preset"),
    [
        (0, "06:00", None),
        (29, "06:00", None),
        (1, "24:00", None),
        (1, "6", None),
        (1, "06:00", "a\nb"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(day: int, at: str, preset: str | None) -> None:
    with pytest.raises(UsageError):
        monthly("python", FOLDER, day=day, at=at, preset=preset, budget=None)
