"""USB drives that were seen, and those excepted for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables as they were at this revision; later changes are later revisions."""
    op.create_table(
        "devices",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("vendor", sa.String(4), nullable=False),
        sa.Column("model", sa.String(4), nullable=False),
        sa.Column("serial", sa.Text, nullable=False),
        sa.Column("maker", sa.Text, nullable=False),
        sa.Column("product", sa.Text, nullable=False),
        sa.Column("first", sa.String(27), nullable=False),
        sa.Column("last", sa.String(27), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("devices_identity", "devices", ["vendor", "model", "serial"], unique=True)
    op.create_index("devices_last", "devices", ["last"])
    op.create_table(
        "device_exceptions",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("until", sa.String(27), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("added", sa.String(27), nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
        sa.Column("revoked", sa.String(27)),
        sa.Column("revoked_by", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("device_exceptions_entry", "device_exceptions", ["entry"])


def downgrade() -> None:
    """Back to 0002."""
    op.drop_table("device_exceptions")
    op.drop_table("devices")
