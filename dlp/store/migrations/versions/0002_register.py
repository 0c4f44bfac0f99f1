"""What the organisation has declared."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table as it was at this revision; later changes are later revisions."""
    op.create_table(
        "register",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("level", sa.String(64)),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("expires", sa.String(27)),
        sa.Column("added", sa.String(27), nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("register_kind", "register", ["kind", "seq"])


def downgrade() -> None:
    """Back to 0001."""
    op.drop_table("register")
