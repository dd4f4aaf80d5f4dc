"""Roles, derived tokens, wider grants, locks, nonces, replays and the address feed.

SQLite can't alter a constraint, so `tokens` and `grants` are made anew and filled with what was
there; no other table refers to them. The old ones go before the new indexes come, since these have
the same names.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BUMP = "BEGIN UPDATE revision SET value = value + 1 WHERE id = 1; END"
_TOKENS = "id, digest, role, tenant_id, caller_id, label, created_at, expires_at, revoked_at"
_GRANTS = "id, tenant_id, caller_id, connection_id, allow, created_at, expires_at, revoked_at"
_TRIGGERS = {
    "tokens_update": "UPDATE ON tokens",
    "tokens_delete": "DELETE ON tokens",
    "grants_insert": "INSERT ON grants",
    "grants_update": "UPDATE ON grants",
    "grants_delete": "DELETE ON grants",
    "locks_insert": "INSERT ON locks",
    "locks_update": (
        "UPDATE ON locks WHEN old.state IS NOT new.state OR old.version IS NOT new.version"
        " OR old.connection_id IS NOT new.connection_id OR old.tenant_id IS NOT new.tenant_id"
    ),
    "locks_delete": "DELETE ON locks",
    "tenants_update": "UPDATE ON tenants WHEN old.gate IS NOT new.gate",
}


def upgrade() -> None:
    """Widen tenants, tokens and grants; make the new tables; let triggers count what matters."""
    _widen_tenants()
    _remake("tokens", _TOKENS, _make_tokens)
    _remake("grants", _GRANTS, _make_grants)
    _make_locks()
    _make_nonces()
    _make_replays()
    _make_feeds()
    for name, event in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER revision_{name} AFTER {event} {_BUMP}")
    op.execute("UPDATE revision SET value = value + 1 WHERE id = 1")


def _widen_tenants() -> None:
    op.execute(
        "ALTER TABLE tenants ADD COLUMN gate TEXT DEFAULT 'none' NOT NULL"
        " CONSTRAINT ck_tenants_gate_known CHECK (gate IN ('none', 'declared', 'enforced'))"
    )
    op.execute(
        "ALTER TABLE tenants ADD COLUMN probing TEXT DEFAULT 'none' NOT NULL"
        " CONSTRAINT ck_tenants_probing_known CHECK (probing IN ('none', 'ok', 'risky'))"
    )


def _remake(table: str, columns: str, make: Callable[[], None]) -> None:
    """Make a table anew around its rows; its triggers and indexes go with the old one."""
    op.execute(f"CREATE TEMPORARY TABLE kept AS SELECT {columns} FROM {table}")
    op.execute(f"DROP TABLE {table}")
    make()
    op.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM kept")
    op.execute("DROP TABLE kept")


def _make_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("connection_id", sa.Text(), nullable=True),
        sa.Column("methods", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint(
            "(role IN ('operator', 'application', 'auditor') AND caller_id IS NULL"
            " AND parent_id IS NULL) OR (role = 'caller' AND caller_id IS NOT NULL)",
            name=op.f("ck_tokens_role_fits_caller"),
        ),
        sa.CheckConstraint(
            "(parent_id IS NULL AND subject IS NULL AND connection_id IS NULL AND methods IS NULL)"
            " OR (parent_id IS NOT NULL AND (subject IS NULL) <> (connection_id IS NULL))",
            name=op.f("ck_tokens_bounds_fit_parent"),
        ),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_tokens_digest_length")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tokens_tenant_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["tokens.id"], name=op.f("fk_tokens_parent_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "caller_id"],
            ["callers.tenant_id", "callers.id"],
            name=op.f("fk_tokens_tenant_id_caller_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subject"],
            ["subjects.tenant_id", "subjects.subject"],
            name=op.f("fk_tokens_tenant_id_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["connections.tenant_id", "connections.id"],
            name=op.f("fk_tokens_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index(op.f("ix_tokens_tenant_id_caller_id"), "tokens", ["tenant_id", "caller_id"])
    op.create_index(op.f("ix_tokens_tenant_id_subject"), "tokens", ["tenant_id", "subject"])
    op.create_index(op.f("ix_tokens_connection_id"), "tokens", ["connection_id"])
    op.create_index(op.f("ix_tokens_parent_id_expires_at"), "tokens", ["parent_id", "expires_at"])


def _make_grants() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("allow", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "(connection_id IS NOT NULL) + (provider_id IS NOT NULL) + (subject IS NOT NULL) = 1",
            name=op.f("ck_grants_one_target"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "caller_id"],
            ["callers.tenant_id", "callers.id"],
            name=op.f("fk_grants_tenant_id_caller_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["connections.tenant_id", "connections.id"],
            name=op.f("fk_grants_tenant_id_connection_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subject"],
            ["subjects.tenant_id", "subjects.subject"],
            name=op.f("fk_grants_tenant_id_subject"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    for columns in (
        ["caller_id", "connection_id"],
        ["caller_id", "provider_id"],
        ["caller_id", "subject"],
        ["connection_id"],
        ["tenant_id", "subject"],
        ["tenant_id", "id"],
    ):
        op.create_index(op.f(f"ix_grants_{'_'.join(columns)}"), "grants", columns)


def _make_locks() -> None:
    op.create_table(
        "locks",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("egress_id", sa.Text(), nullable=True),
        sa.Column("decoy", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.Double(), nullable=False),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("observations", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('unchecked', 'enforced', 'declared', 'open', 'blocked', 'unproven')",
            name=op.f("ck_locks_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["connections.tenant_id", "connections.id"],
            name=op.f("fk_locks_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_locks")),
    )
    columns = ["tenant_id", "state", "connection_id"]
    op.create_index(op.f("ix_locks_tenant_id_state_connection_id"), "locks", columns)


def _make_nonces() -> None:
    op.create_table(
        "nonces",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("ceiling", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("typeof(ceiling) = 'integer'", name=op.f("ck_nonces_ceiling_whole")),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_nonces_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_nonces")),
        sqlite_with_rowid=False,
    )


def _make_replays() -> None:
    op.create_table(
        "replays",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_replays_digest_length")),
        sa.PrimaryKeyConstraint("tenant_id", "actor", "key", name=op.f("pk_replays")),
    )
    op.create_index(op.f("ix_replays_created_at"), "replays", ["created_at"])


def _make_feeds() -> None:
    op.create_table(
        "feeds",
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_feeds")),
    )
