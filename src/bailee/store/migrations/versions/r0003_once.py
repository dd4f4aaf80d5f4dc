"""Keys that make a call happen at most once. No trigger counts them: no decision rests on one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table of once-keys."""
    op.create_table(
        "once_keys",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_once_keys_digest_length")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "caller_id"],
            ["callers.tenant_id", "callers.id"],
            name=op.f("fk_once_keys_tenant_id_caller_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "caller_id", "digest", name=op.f("pk_once_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_once_keys_created_at"), "once_keys", ["created_at"])
