"""The first schema.

There is no way back but a backup, so there is no `downgrade`. The tables stand here in full, though
`schema.py` has them too: this is what the schema was at this revision, whatever it becomes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_REVISED = (
    "authority",
    "callers",
    "connections",
    "egress_addresses",
    "grants",
    "pin_sets",
    "providers",
    "sealed_versions",
    "tenant_keys",
    "tokens",
)


def upgrade() -> None:
    """Make every table, the one row of `revision`, and the triggers that bump it."""
    _make_tables()
    op.execute("INSERT INTO revision (id, value) VALUES (1, 1)")
    for table in _REVISED:
        for change in ("INSERT", "UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER revision_{table}_{change.lower()} AFTER {change} ON {table} "
                "BEGIN UPDATE revision SET value = value + 1 WHERE id = 1; END"
            )


def _make_tables() -> None:
    op.create_table(
        "authority",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("wrapped_private", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_authority_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authority")),
    )
    op.create_table(
        "egress_addresses",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'retired')", name=op.f("ck_egress_addresses_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_egress_addresses")),
    )
    op.create_index(
        "uq_egress_addresses_active_name",
        "egress_addresses",
        ["name"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "journal_chains",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("head_seq", sa.BigInteger(), nullable=True),
        sa.Column("head_hash", sa.Text(), nullable=True),
        sa.Column("head_at", sa.Double(), nullable=True),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_chains")),
    )
    op.create_table(
        "journal_checkpoints",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_checkpoints")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "pin_sets",
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("approved_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "origin", "serial", name=op.f("pk_pin_sets")),
    )
    op.create_table(
        "provider_proposals",
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("proposed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", name=op.f("pk_provider_proposals")),
    )
    op.create_table(
        "providers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("approved_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", "serial", name=op.f("pk_providers")),
    )
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_revision_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "callers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("allow_from", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_callers_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callers")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_callers_tenant_id_id")),
    )
    op.create_index(
        "uq_callers_live_name",
        "callers",
        ["tenant_id", "name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("egress", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("taken_at", sa.Double(), nullable=True),
        sa.Column("taken_by", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("result_signature", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed')", name=op.f("ck_jobs_state_known")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_jobs_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_state_created_at"), "jobs", ["state", "created_at"], unique=False)
    op.create_index(op.f("ix_jobs_tenant_id_id"), "jobs", ["tenant_id", "id"], unique=False)
    op.create_table(
        "subjects",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("journal_key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(journal_key) = 32", name=op.f("ck_subjects_journal_key_length")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_subjects_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "subject", name=op.f("pk_subjects")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tenant_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_private", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_tenant_keys_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_keys")),
    )
    op.create_index(
        op.f("ix_tenant_keys_tenant_id_created_at"),
        "tenant_keys",
        ["tenant_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("egress_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "state IN ('active', 'revoked')", name=op.f("ck_connections_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["egress_id"], ["egress_addresses.id"], name=op.f("fk_connections_egress_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subject"],
            ["subjects.tenant_id", "subjects.subject"],
            name=op.f("fk_connections_tenant_id_subject"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_connections_tenant_id_id")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_connections_egress_id_state"), "connections", ["egress_id", "state"], unique=False
    )
    op.create_index(
        op.f("ix_connections_tenant_id_provider_id"),
        "connections",
        ["tenant_id", "provider_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_connections_tenant_id_subject"),
        "connections",
        ["tenant_id", "subject"],
        unique=False,
    )
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
        sa.CheckConstraint(
            "(role = 'operator' AND caller_id IS NULL)"
            " OR (role = 'caller' AND caller_id IS NOT NULL)",
            name=op.f("ck_tokens_role_fits_caller"),
        ),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_tokens_digest_length")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "caller_id"],
            ["callers.tenant_id", "callers.id"],
            name=op.f("fk_tokens_tenant_id_caller_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tokens_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index(
        op.f("ix_tokens_tenant_id_caller_id"), "tokens", ["tenant_id", "caller_id"], unique=False
    )
    op.create_table(
        "grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("allow", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index(
        op.f("ix_grants_caller_id_connection_id"),
        "grants",
        ["caller_id", "connection_id"],
        unique=False,
    )
    op.create_index(op.f("ix_grants_connection_id"), "grants", ["connection_id"], unique=False)
    op.create_index(op.f("ix_grants_tenant_id_id"), "grants", ["tenant_id", "id"], unique=False)
    op.create_table(
        "sealed_versions",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("trust_digest", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_sealed_versions_connection_id")
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["tenant_keys.id"], name=op.f("fk_sealed_versions_key_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "version", name=op.f("pk_sealed_versions")),
        sqlite_with_rowid=False,
    )
