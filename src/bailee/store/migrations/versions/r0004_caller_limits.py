"""Limits of callers. The triggers that count changes of callers are there since 0001."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Let a caller have limits of its own; without them the gateway's config says."""
    for limit in ("calls_per_second", "concurrent"):
        op.execute(
            f"ALTER TABLE callers ADD COLUMN {limit} BIGINT"
            f" CONSTRAINT ck_callers_{limit}_bounded CHECK ({limit} BETWEEN 1 AND 1000000)"
        )
