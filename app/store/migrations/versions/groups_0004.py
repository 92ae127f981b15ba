"""Trainings that make a model for each of many groups."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a column, and a table of the groups."""
    op.add_column("jobs", sa.Column("groups", sa.Integer(), nullable=True))
    op.create_table(
        "grouped",
        sa.Column("job", sa.String(length=16), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column(
            "name", sa.String(length=63).with_variant(sa.String(63, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("metric", sa.String(length=16), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_grouped_jobs")),
        sa.PrimaryKeyConstraint("job", "place", name=op.f("pk_grouped")),
    )
