"""The catalogue as it began."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def word(length: int) -> sa.String:
    """Give a type for words that are compared byte by byte."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables."""
    _models()
    _aliases()
    _jobs()
    _what_jobs_need()


def _models() -> None:
    op.create_table(
        "stores",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stores")),
    )
    op.create_table(
        "models",
        sa.Column("name", word(63), nullable=False),
        sa.Column("highest", sa.Integer(), nullable=False),
        sa.Column("keep_last", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_models")),
    )
    op.create_table(
        "versions",
        sa.Column("name", word(63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("dataset", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["name"], ["models.name"], name=op.f("fk_versions_models")),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_versions")),
    )
    op.create_index(op.f("ix_versions_dataset"), "versions", ["dataset"], unique=False)


def _aliases() -> None:
    op.create_table(
        "aliases",
        sa.Column("name", word(63), nullable=False),
        sa.Column("alias", word(63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["name", "version"], ["versions.name", "versions.version"], name=op.f("fk_aliases_versions")
        ),
        sa.PrimaryKeyConstraint("name", "alias", name=op.f("pk_aliases")),
    )
    op.create_table(
        "moves",
        sa.Column("name", word(63), nullable=False),
        sa.Column("alias", word(63), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("origin", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("restores", sa.Integer(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "alias", "revision", name=op.f("pk_moves")),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", word(63), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("dataset", sa.String(length=32), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("started", sa.Double(), nullable=True),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("owner", sa.String(length=16), nullable=True),
        sa.Column("lease", sa.Double(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("wish", sa.String(length=6), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("points", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_caller_started"), "jobs", ["caller", "started"], unique=False)
    op.create_index(op.f("ix_jobs_created"), "jobs", ["created"], unique=False)
    op.create_index(op.f("ix_jobs_state_created"), "jobs", ["state", "created"], unique=False)


def _what_jobs_need() -> None:
    op.create_table(
        "orders",
        sa.Column("job", sa.String(length=16), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_orders_jobs")),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_orders")),
    )
    op.create_table(
        "keys",
        sa.Column("key", word(255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_keys_jobs")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_keys")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
    )
