"""Numbers that databases count up by themselves, so that none is given out twice: those of API keys, and of deeds."""

from sqlalchemy import Connection, Table, func, select, text

from app.store.schema import api_keys, deeds

_SEQUENCE = "pg_get_serial_sequence('{table}', 'number')::regclass"


def highest_key(connection: Connection) -> int:
    """Tell the highest number that a key ever had, be it deleted since."""
    counted = {
        "sqlite": "SELECT seq FROM sqlite_sequence WHERE name = 'api_keys'",
        "postgresql": f"SELECT pg_sequence_last_value({_SEQUENCE.format(table='api_keys')})",
    }
    return connection.scalar(text(counted[connection.dialect.name])) or 0


def go_on(connection: Connection, keys: int) -> None:
    """Let numbers go on after those that are there, and those of keys after so many."""
    if connection.dialect.name == "sqlite":  # which goes on by itself but for numbers that are gone
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = 'api_keys'"))
        connection.execute(text("INSERT INTO sqlite_sequence VALUES ('api_keys', :number)"), {"number": keys})
        return
    for table, least in ((api_keys, keys), (deeds, 0)):
        number = max(least, highest(connection, table))
        statement = f"SELECT setval({_SEQUENCE.format(table=table.name)}, :number, :is_used)"
        connection.execute(text(statement), {"number": max(1, number), "is_used": number > 0})


def highest(connection: Connection, table: Table) -> int:
    """Tell the highest number that there is."""
    return connection.scalar(select(func.max(table.c.number))) or 0
