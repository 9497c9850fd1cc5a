"""The reference is complete: whatever can be typed, set, read or raised stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from collector import errors
from collector.cli import app
from collector.settings import Settings
from collector.words import Action, PauseReason, RunStatus

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFERENCE = (DOCS / "reference.md").read_text(encoding="utf-8")


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(path), command
        return
    for name, child in inner.items():
        yield from commands(child, (*path, name))


ALL_COMMANDS = dict(commands(typer.main.get_command(app)))


def section(command: str) -> str:
    found = re.search(
        rf"^### `collector {command}\b.*?(?=^##)", REFERENCE, re.DOTALL | re.MULTILINE
    )
    assert found, f"`collector {command}` has no section"
    return found[0]


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_a_command_stands_there_with_each_argument_and_option(command: str) -> None:
    written = section(command)
    for parameter in ALL_COMMANDS[command].params:
        if parameter.param_type_name == "argument":
            assert parameter.metavar in written.splitlines()[0]
            continue
        for option in (*parameter.opts, *parameter.secondary_opts):
            assert f"`{option}`" in written, option


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_no_option_of_a_command_stands_there_that_does_not_exist(command: str) -> None:
    rows = re.findall(r"^\| (`--?.*?) \|", section(command), re.MULTILINE)
    written = {option for row in rows for option in re.findall(r"`(--?[a-z-]+)`", row)}
    known = {o for p in ALL_COMMANDS[command].params for o in (*p.opts, *p.secondary_opts)}
    assert written <= known


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_an_option_of_a_command_explains_itself(command: str) -> None:
    assert ALL_COMMANDS[command].help
    for parameter in ALL_COMMANDS[command].params:
        assert parameter.help, f"{command}: {parameter.name}"


def test_no_command_stands_there_that_does_not_exist() -> None:
    written = re.findall(r"^### `collector ([a-z]+(?: [a-z]+)?)", REFERENCE, re.MULTILINE)
    assert sorted(written) == sorted(ALL_COMMANDS)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_stands_there_and_in_the_readme(field: str) -> None:
    assert f"| `{field.upper()}` |" in REFERENCE
    assert f"`{field.upper()}`" in (DOCS.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("action", Action)
def test_every_action_stands_there(action: Action) -> None:
    assert f"| `{action.value}` |" in REFERENCE


@pytest.mark.parametrize(
    "error",
    [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)],
)
def test_every_error_stands_there(error: type[Exception]) -> None:
    assert f"| `{error.__name__}` |" in REFERENCE


def test_the_glossary_explains_every_status_and_reason() -> None:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    for status in RunStatus:
        assert f"| {status.value} |" in glossary
    for reason in PauseReason:
        assert f"`{reason.value}`" in glossary
