"""Versions that are deleted, whose files a bucket still has."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a table of them."""
    op.create_table(
        "leaving",
        sa.Column(
            "name", sa.String(length=63).with_variant(sa.String(63, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_leaving")),
    )
