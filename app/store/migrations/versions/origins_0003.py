"""The requests that jobs come from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a column; of jobs that are there already it is not known."""
    op.add_column("jobs", sa.Column("origin", sa.JSON(), nullable=True))
