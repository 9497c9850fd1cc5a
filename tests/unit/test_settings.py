"""The environment: what it may say, what it must not, and that secrets stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from collector.errors import SettingsError
from collector.settings import OXYLABS_REALTIME_URL, Settings
from collector.words import Source

NAMES = [name.upper() for name in Settings.model_fields]
SECRET = "hunter2-and-more"


@pytest.fixture(autouse=True)
def _an_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.read()


def test_an_empty_environment_works_in_the_sandbox() -> None:
    settings = Settings.read()
    assert settings.source is Source.SANDBOX
    assert settings.starts_sandbox
    assert not settings.has_credentials
    assert settings.database_url is None
    assert settings.collector_workers == 5
    assert settings.collector_budget is None
    assert settings.oxylabs_url == OXYLABS_REALTIME_URL
    assert settings.collector_home.name == "collector"


def test_everything_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(
        monkeypatch,
        DATABASE_URL="postgresql://me:pw@db.example/collector",
        COLLECTOR_HOME="/srv/a home",
        OXYLABS_USERNAME="me",
        OXYLABS_PASSWORD=SECRET,
        COLLECTOR_BUDGET="500",
        COLLECTOR_WORKERS="7",
        COLLECTOR_SANDBOX_SEED="9",
        COLLECTOR_SANDBOX_LATENCY="0.5",
    )
    assert settings.source is Source.OXYLABS
    assert settings.collector_home == Path("/srv/a home")
    assert (settings.collector_budget, settings.collector_workers) == (500, 7)
    assert (settings.collector_sandbox_seed, settings.collector_sandbox_latency) == (9, 0.5)
    assert not settings.starts_sandbox


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, DATABASE_URL="", OXYLABS_USERNAME="", COLLECTOR_BUDGET="")
    assert settings.database_url is None
    assert settings.collector_budget is None


@pytest.mark.parametrize(
    ("url", "source", "starts"),
    [
        ("http://127.0.0.1:8099/v1/queries", Source.SANDBOX, False),
        ("http://localhost:8099", Source.SANDBOX, False),
        ("http://[::1]:8099", Source.SANDBOX, False),
        ("http://box.localhost:80", Source.SANDBOX, False),
        ("https://proxy.example/v1/queries", Source.OXYLABS, False),
        (OXYLABS_REALTIME_URL, Source.OXYLABS, False),
    ],
)
def test_with_credentials_the_address_tells_the_source(
    monkeypatch: pytest.MonkeyPatch, url: str, source: Source, starts: bool
) -> None:
    settings = read(monkeypatch, OXYLABS_USERNAME="me", OXYLABS_PASSWORD=SECRET, OXYLABS_URL=url)
    assert (settings.source, settings.starts_sandbox) == (source, starts)


def test_without_credentials_any_address_is_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, OXYLABS_URL="https://sandbox.example")
    assert settings.source is Source.SANDBOX
    assert not settings.starts_sandbox


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("http://127.0.0.1:8099", "http://127.0.0.1:8099/v1/queries"),
        ("http://127.0.0.1:8099/", "http://127.0.0.1:8099/v1/queries"),
        ("http://127.0.0.1:8099/elsewhere", "http://127.0.0.1:8099/elsewhere"),
    ],
)
def test_an_address_without_a_path_gets_the_realtime_one(
    monkeypatch: pytest.MonkeyPatch, given: str, taken: str
) -> None:
    assert read(monkeypatch, OXYLABS_URL=given).oxylabs_url == taken


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OXYLABS_USERNAME", "only a user"),
        ("OXYLABS_PASSWORD", SECRET),
        ("OXYLABS_URL", "ftp://oxylabs.example"),
        ("OXYLABS_URL", "no address"),
        ("COLLECTOR_BUDGET", "0"),
        ("COLLECTOR_BUDGET", "many"),
        ("COLLECTOR_WORKERS", "0"),
        ("COLLECTOR_WORKERS", "101"),
        ("COLLECTOR_SANDBOX_LATENCY", "-1"),
        ("COLLECTOR_SANDBOX_SEED", "one"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(monkeypatch, **{name: value})
    message = str(caught.value)
    assert name in message
    assert "\n" not in message
    assert caught.value.__cause__ is None


def test_no_secret_is_printed_or_told(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(
        monkeypatch,
        DATABASE_URL=f"postgresql://me:{SECRET}@db.example/collector",
        OXYLABS_USERNAME="me",
        OXYLABS_PASSWORD=SECRET,
    )
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"
    monkeypatch.setenv("COLLECTOR_WORKERS", SECRET)
    monkeypatch.delenv("OXYLABS_USERNAME")
    with pytest.raises(SettingsError) as caught:
        Settings.read()
    assert SECRET not in str(caught.value)


def test_settings_do_not_change() -> None:
    settings = Settings.read()
    with pytest.raises(ValidationError):
        settings.collector_workers = 9  # type: ignore[misc]
