"""The tables of the catalogue: what there is in the store, what was asked for, and what became of it.

Times are seconds since 1970, UTC. Names sort by their bytes, in every database.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}
metadata = MetaData(naming_convention=CONVENTION)


def _word(length: int) -> String:
    """Give a type for words that are compared byte by byte."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


stores = Table(
    "stores",
    metadata,
    Column("id", String(32), primary_key=True),  # of the store whose catalogue this is, where that needs be told
)
models = Table(
    "models",
    metadata,
    Column("name", _word(63), primary_key=True),
    Column("highest", Integer, nullable=False),  # version that was ever given out: none is given out twice
    Column("keep_last", Integer),  # versions; older ones are deleted, None keeps all
)
versions = Table(
    "versions",
    metadata,
    Column("name", _word(63), ForeignKey("models.name"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created", Double, nullable=False),
    Column("dataset", String(32), index=True),  # which may be deleted meanwhile
    Column("tagged", Boolean, nullable=False, server_default=false()),  # whether `tags` has all that the snapshot has
)
tags = Table(
    "tags",
    metadata,
    Column("name", _word(63), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("tag", _word(200), primary_key=True),
    Column("value", _word(400), nullable=False),
    ForeignKeyConstraint(["name", "version"], ["versions.name", "versions.version"], ondelete="CASCADE"),
    Index(None, "tag", "value", "name"),
)
leaving = Table(
    "leaving",
    metadata,
    Column("name", _word(63), primary_key=True),
    Column("version", Integer, primary_key=True),  # that was deleted, and whose files a bucket may still have
)
aliases = Table(
    "aliases",
    metadata,
    Column("name", _word(63), primary_key=True),
    Column("alias", _word(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),  # counts its moves
    ForeignKeyConstraint(["name", "version"], ["versions.name", "versions.version"]),
)
moves = Table(
    "moves",
    metadata,
    Column("name", _word(63), primary_key=True),
    Column("alias", _word(63), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("origin", Integer),  # the version before, None if there was no such alias
    Column("version", Integer),  # None where the alias was deleted
    Column("restores", Integer),  # the revision that a rollback went back to, None for any other move
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
)
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", _word(63), nullable=False),
    Column("state", String(9), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("caller", Text, nullable=False),
    Column("dataset", String(32)),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    Column("owner", String(16)),  # the process that runs it
    Column("lease", Double),  # until when it is taken to be alive
    Column("attempt", Integer, nullable=False),
    Column("rows", BigInteger, nullable=False),  # that it learns from in an epoch
    Column("wish", String(6)),  # cancel or keep, once somebody has asked for it
    Column("seconds", Double),  # the most it may take
    Column("until", BigInteger),  # the epoch after which it pauses; None where it does not
    Column("version", Integer),
    Column("partial", Boolean, nullable=False),
    Column("error", JSON),
    Column("points", JSON),  # its progress, as its events tell it
    Column("origin", JSON),  # the request that it comes from, and the trace that this is part of
    Column("groups", Integer),  # how many models of as many groups it makes; None where it makes one
    Index(None, "state", "created"),
    Index(None, "created"),
    Index(None, "caller", "started"),
)
grouped = Table(
    "grouped",
    metadata,
    Column("job", String(16), ForeignKey("jobs.id"), primary_key=True),
    Column("place", Integer, primary_key=True),  # of a group, in the order in which they are learnt
    Column("name", _word(63), nullable=False),  # of its model
    Column("rows", BigInteger, nullable=False),
    Column("version", Integer),  # None until there is one
    Column("metric", String(16)),  # by which the model was judged,
    Column("score", Double),  # on rows held out; None where there were none
    Column("error", Text),  # why there is no model, and will be none
)
orders = Table(
    "orders",
    metadata,
    Column("job", String(16), ForeignKey("jobs.id"), primary_key=True),
    Column("data", LargeBinary),  # None where it is a file
)
keys = Table(
    "keys",
    metadata,
    Column("key", _word(255), primary_key=True),
    Column("digest", String(64), nullable=False),  # of the request that it stands for
    Column("job", String(16), ForeignKey("jobs.id")),  # None where no job came of it
)
datasets = Table(
    "datasets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created", Double, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),  # by which a key is known; never used twice
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # of the secret, which nobody has but whoever was given it
    Column("former", String(64)),  # of the secret before, which is valid for some time after a rotation
    Column("former_until", Double),
    Column("scopes", Text, nullable=False),  # words, with commas between
    Column("models", Text, nullable=False),  # patterns of names, with commas between
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
    Column("requests", Double),  # in a second; None is as many as the service can answer, as below
    Column("rows", Double),  # in a second
    Column("trainings", Integer),  # that run or wait
    Column("bytes", BigInteger),  # of models and datasets
    Column("stored", Integer),  # models
    sqlite_autoincrement=True,
)
owners = Table(
    "owners",
    metadata,
    Column("dataset", String(32), primary_key=True),
    Column("key", Integer, primary_key=True),  # that the dataset was uploaded with
    Index(None, "key"),
)
deeds = Table(
    "deeds",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("who", Text, nullable=False),  # the key's number and name; empty where no key is needed
    Column("address", Text, nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("made", Text),  # the path of what came of it
    Column("request", String(64), nullable=False),
    Index(None, "at"),
)
