"""Migrating: the tables of a catalogue, made where there are none, and brought up to date where they are older."""

import logging
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, text

from app.errors import CatalogueDamaged, CatalogueNewer
from app.store.databases import REPAIR
from app.store.schema import metadata

REVISION = "0006"  # the newest of the migrations
VERSIONS = "alembic_version"  # the table that tells which of them a database has seen
APPLIED = MetaData()
Table(
    VERSIONS,
    APPLIED,
    Column("version_num", String(32), primary_key=True),
    PrimaryKeyConstraint("version_num", name=f"{VERSIONS}_pkc"),
)


def migrate(connection: Connection) -> bool:
    """Run the migrations that are missing, and tell whether that was all of them.

    Raises CatalogueNewer, or CatalogueDamaged where a table is not what they make.
    """
    found = revision_of(connection)
    if found is None:
        _create(connection)
    elif found != REVISION:
        upgrade(connection)
    if connection.dialect.name == "sqlite":
        _require_whole(connection)
    _require_columns(connection)
    return found is None


def revision_of(connection: Connection) -> str | None:
    """Tell which migration a database has seen last; None for one that has none of our tables."""
    if VERSIONS not in inspect(connection).get_table_names():  # beside what else the database may be for
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSIONS}"))  # noqa: S608 - our own # nosec B608
    return found


def _require_whole(connection: Connection) -> None:
    """Raise CatalogueDamaged where SQLite finds a page that is not what it was."""
    ((said, *_),) = connection.execute(text("PRAGMA quick_check(1)")).all()
    if said != "ok":
        message = f"The catalogue is damaged ({said.splitlines()[0]}). {REPAIR}"
        raise CatalogueDamaged(message)


def _require_columns(connection: Connection) -> None:
    """Raise CatalogueDamaged unless all columns are there that will be asked for."""
    inspector = inspect(connection)
    tables = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)} if table.name in tables else set()
        if missing := [column.name for column in table.columns if column.name not in there]:
            remedy = (
                REPAIR if connection.dialect.name == "sqlite" else "Use another database, or the netlet that made it."
            )
            message = f"The catalogue is damaged: its table {table.name} has no {', '.join(missing)}. {remedy}"
            raise CatalogueDamaged(message)


def _create(connection: Connection) -> None:
    """Make all tables as the migrations would, but at once, and without what it takes to run these."""
    metadata.create_all(connection, checkfirst=False)
    APPLIED.create_all(connection, checkfirst=False)
    (versions,) = APPLIED.sorted_tables
    connection.execute(versions.insert().values(version_num=REVISION))


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the migrations that a database has not seen, be it all of them, up to one.

    Raises CatalogueNewer if it saw others, or there is none of that number.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command  # noqa: PLC0415 - a quarter of a second, and 12 MB, that only an old catalogue needs
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, to)
    except CommandError as error:
        raise CatalogueNewer from error
