"""What versions are tagged with."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def _word(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Add a table and a column; who opens the store fills in what snapshots say."""
    op.add_column("versions", sa.Column("tagged", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "tags",
        sa.Column("name", _word(63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tag", _word(200), nullable=False),
        sa.Column("value", _word(400), nullable=False),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["versions.name", "versions.version"],
            name=op.f("fk_tags_versions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("name", "version", "tag", name=op.f("pk_tags")),
    )
    op.create_index(op.f("ix_tags_tag_value_name"), "tags", ["tag", "value", "name"])
