"""Alembic's environment: on a connection that is handed in, as SQL text, or for a developer."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from collector.schema import metadata


def _migrate_on(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _print_sql() -> None:
    context.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},
        target_metadata=metadata,
        literal_binds=True,
        output_buffer=context.config.output_buffer,
    )
    with context.begin_transaction():
        context.run_migrations()


def _migrate_own() -> None:
    """What `alembic` on its own works on: the database that the environment names."""
    from collector.database import open_database
    from collector.settings import Settings

    database = open_database(Settings.read(), migrate=False)
    with database.engine().begin() as connection:
        _migrate_on(connection)
    database.dispose()


if context.is_offline_mode():
    _print_sql()
elif (given := context.config.attributes.get("connection")) is not None:
    _migrate_on(given)
else:
    _migrate_own()
