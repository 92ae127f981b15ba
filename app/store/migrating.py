"""Migrating: the tables of a catalogue, made where there are none, and brought up to date where they are older."""

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from app.errors import CatalogueNewer

REVISION = "0001"  # the newest of the migrations
VERSIONS = "alembic_version"  # the table that tells which of them a database has seen


def migrate(connection: Connection) -> bool:
    """Run the migrations that are missing, and tell whether that was all of them; raise CatalogueNewer."""
    is_old = VERSIONS in inspect(connection).get_table_names()  # beside what else the database may be for
    found = connection.scalar(text(f"SELECT version_num FROM {VERSIONS}")) if is_old else None  # noqa: S608 - our own
    if found != REVISION:
        _upgrade(connection)
    return found is None


def _upgrade(connection: Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command  # noqa: PLC0415 - a quarter of a second that only a new catalogue needs
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise CatalogueNewer from error
