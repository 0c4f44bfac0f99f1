"""The first tables: incidents, quarantine, audit_head."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables as they were at this revision; later changes are later revisions."""
    _incidents()
    _quarantine()
    op.create_table(
        "audit_head",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
    )


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("item", sa.String(128), nullable=False),
        sa.Column("opened", sa.String(27), nullable=False),
        sa.Column("closed", sa.String(27)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("level", sa.String(64)),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("unscannable", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("enforced", sa.Boolean, nullable=False),
        sa.Column("quarantine", sa.String(32)),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("review", sa.String(32), nullable=False),
        sa.Column("reviewed_by", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("incidents_state", "incidents", ["state", "seq"])


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("incident", sa.String(32), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("stored", sa.String(27), nullable=False),
        sa.Column("released", sa.String(27)),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("level", sa.String(64)),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("approve_by", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("envelope", sa.LargeBinary),
        sa.Column("key_id", sa.String(16), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("quarantine_state", "quarantine", ["state", "seq"])
    op.create_index("quarantine_sha256", "quarantine", ["sha256"])
    op.create_index("quarantine_incident", "quarantine", ["incident"])


def downgrade() -> None:
    """Back to nothing."""
    for table in ("audit_head", "quarantine", "incidents"):
        op.drop_table(table)
