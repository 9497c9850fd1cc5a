"""`collector db`: where the data is, and its server and migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.terms import SourceOption
from collector.errors import UsageError

if TYPE_CHECKING:
    from collector.settings import Settings

app = typer.Typer(help="The database: address, migrations, server.", no_args_is_help=True)


@app.command()
def url(
    show_password: Annotated[
        bool, typer.Option("--show-password", help="Print it with the password.")
    ] = False,
    source: SourceOption = None,
) -> None:
    """Print the database's address, for psql and other tools."""
    from collector.database import open_database

    database = open_database(_settings(), source=source, migrate=False)
    print(database.conninfo() if show_password else database.display_url())


@app.command()
def upgrade(source: SourceOption = None) -> None:
    """Apply the migrations that are missing."""
    from collector.database import current_revision, open_database
    from collector.database import upgrade as apply_missing

    database = open_database(_settings(), source=source, migrate=False)
    applied = apply_missing(database)
    for revision in applied:
        print(f"Applied: {revision}")
    if not applied:
        print(f"Up to date: {current_revision(database)}")


@app.command()
def sql() -> None:
    """Print all migrations as SQL, for a hosted SQL editor."""
    from collector.database import migration_sql

    print(migration_sql())


@app.command()
def status(source: SourceOption = None) -> None:
    """Say where the data is, whether the server runs, and which migration it stands at."""
    from collector.database import current_revision, open_database
    from collector.embedded import server_status

    settings = _settings()
    if settings.database_url is None:
        server = server_status(settings.collector_home)
        print(f"server     the PostgreSQL that comes along, {server.version or 'not running'}")
        if server.pid is not None:
            print(f"process    {server.pid}")
        print(f"data       {server.data_dir}")
        print(f"log        {server.log}")
        if not server.is_running:
            print("It starts by itself when it is needed.")
            return
    database = open_database(settings, source=source, migrate=False)
    print(f"address    {database.display_url()}")
    print(f"migration  {current_revision(database) or 'none yet: collector db upgrade'}")


@app.command()
def stop() -> None:
    """Stop the PostgreSQL that comes along. Runs in progress can be resumed afterwards."""
    from collector.embedded import stop_server

    settings = _settings()
    if settings.database_url is not None:
        raise UsageError("DATABASE_URL is set: that server is not the collector's to stop.")
    stopped = stop_server(settings.collector_home)
    print("Stopped." if stopped else "It was not running.")


def _settings() -> Settings:
    from collector.settings import Settings

    return Settings.read()
