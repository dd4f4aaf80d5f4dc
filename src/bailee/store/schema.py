"""The tables. The Alembic migrations make them; a test shows that both agree.

Times are Unix seconds. Ids are text. `payload` and `signature` are a statement of the authority:
the columns beside them serve queries only, and are never believed without the signature. A tenant's
rows refer to each other by (tenant_id, id), so that the database itself refuses a mix of two
tenants.
"""

import sqlalchemy as sa

from bailee.store.blob import Blob

SCHEMA_REVISION = "0004"
"""The newest migration. Its digits are compared: higher is newer."""

REVISED_TABLES = (
    "authority",
    "callers",
    "connections",
    "egress_addresses",
    "grants",
    "pin_sets",
    "providers",
    "sealed_versions",
    "tenant_keys",
)
"""A change of a row of these bumps `revision.value` by trigger, whoever makes it.

Three more tables bump it in part. `tokens`: updates and deletions, since nobody has asked for a
token that was made just now. `locks`: a new row, a deletion, and an update that changes the state
or the version. `tenants`: an update that changes the gate.
"""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, *more: sa.schema.SchemaItem, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, *more, nullable=null)


def _blob(name: str, null: bool = False) -> "sa.Column[bytes]":
    return sa.Column(name, Blob, nullable=null)


def _time(name: str, null: bool = False) -> "sa.Column[float]":
    return sa.Column(name, sa.Double, nullable=null)


def _number(name: str, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=null)


tenants = sa.Table(
    "tenants",
    metadata,
    _text("id"),
    _text("name"),
    _time("created_at"),
    sa.Column("gate", sa.Text, nullable=False, server_default="none"),
    sa.Column("probing", sa.Text, nullable=False, server_default="none"),
    sa.PrimaryKeyConstraint("id"),
    sa.CheckConstraint("gate IN ('none', 'declared', 'enforced')", "gate_known"),
    sa.CheckConstraint("probing IN ('none', 'ok', 'risky')", "probing_known"),
)

tenant_keys = sa.Table(
    "tenant_keys",
    metadata,
    _text("id"),
    _text("tenant_id", sa.ForeignKey("tenants.id")),
    _blob("payload"),
    _blob("signature"),
    _blob("wrapped_private"),
    _time("created_at"),
    sa.PrimaryKeyConstraint("id"),
    sa.Index(None, "tenant_id", "created_at"),
)

authority = sa.Table(
    "authority",
    metadata,
    sa.Column("id", sa.Integer, nullable=False),
    _text("public"),
    _blob("wrapped_private"),
    sa.PrimaryKeyConstraint("id"),
    sa.CheckConstraint("id = 1", "one_row"),
)

providers = sa.Table(
    "providers",
    metadata,
    _text("id"),
    _number("serial"),
    _blob("payload"),
    _blob("signature"),
    _time("approved_at"),
    sa.PrimaryKeyConstraint("id", "serial"),
)

provider_proposals = sa.Table(
    "provider_proposals",
    metadata,
    _text("provider_id"),
    _blob("document"),
    _time("proposed_at"),
    sa.PrimaryKeyConstraint("provider_id"),
)

pin_sets = sa.Table(
    "pin_sets",
    metadata,
    _text("provider_id"),
    _text("origin"),
    _number("serial"),
    _blob("payload"),
    _blob("signature"),
    _time("approved_at"),
    sa.PrimaryKeyConstraint("provider_id", "origin", "serial"),
)

subjects = sa.Table(
    "subjects",
    metadata,
    _text("tenant_id", sa.ForeignKey("tenants.id")),
    _text("subject"),
    _blob("journal_key"),
    sa.PrimaryKeyConstraint("tenant_id", "subject"),
    sa.CheckConstraint("length(journal_key) = 32", "journal_key_length"),
    sqlite_with_rowid=False,
)

egress_addresses = sa.Table(
    "egress_addresses",
    metadata,
    _text("id"),
    _text("name"),
    _text("public"),
    _text("state"),
    _number("serial"),
    _blob("payload"),
    _blob("signature"),
    _time("created_at"),
    sa.PrimaryKeyConstraint("id"),
    sa.CheckConstraint("state IN ('active', 'retired')", "state_known"),
    sa.Index(
        "uq_egress_addresses_active_name",
        "name",
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
    ),
)

connections = sa.Table(
    "connections",
    metadata,
    _text("id"),
    _text("tenant_id"),
    _text("provider_id"),
    _text("subject"),
    _text("state"),
    _number("version"),
    _text("egress_id", sa.ForeignKey("egress_addresses.id")),
    _time("created_at"),
    _time("revoked_at", null=True),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("tenant_id", "id"),
    sa.ForeignKeyConstraint(["tenant_id", "subject"], ["subjects.tenant_id", "subjects.subject"]),
    sa.CheckConstraint("state IN ('active', 'revoked')", "state_known"),
    sa.Index(None, "tenant_id", "subject"),
    sa.Index(None, "tenant_id", "provider_id"),
    sa.Index(None, "egress_id", "state"),
    sqlite_with_rowid=False,
)

sealed_versions = sa.Table(
    "sealed_versions",
    metadata,
    _text("connection_id", sa.ForeignKey("connections.id")),
    _number("version"),
    _text("key_id", sa.ForeignKey("tenant_keys.id")),
    _blob("trust_digest"),
    _blob("ciphertext"),
    _time("created_at"),
    sa.PrimaryKeyConstraint("connection_id", "version"),
    sqlite_with_rowid=False,
)

callers = sa.Table(
    "callers",
    metadata,
    _text("id"),
    _text("tenant_id", sa.ForeignKey("tenants.id")),
    _text("name"),
    sa.Column("allow_from", sa.JSON, nullable=False),
    _time("created_at"),
    _time("revoked_at", null=True),
    _number("calls_per_second", null=True),
    _number("concurrent", null=True),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("tenant_id", "id"),
    sa.CheckConstraint("calls_per_second BETWEEN 1 AND 1000000", "calls_per_second_bounded"),
    sa.CheckConstraint("concurrent BETWEEN 1 AND 1000000", "concurrent_bounded"),
    sa.Index(
        "uq_callers_live_name",
        "tenant_id",
        "name",
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
    ),
)

tokens = sa.Table(
    "tokens",
    metadata,
    _text("id"),
    _blob("digest"),
    _text("role"),
    _text("tenant_id", sa.ForeignKey("tenants.id")),
    _text("caller_id", null=True),
    _text("label"),
    _time("created_at"),
    _time("expires_at"),
    _time("revoked_at", null=True),
    _text("parent_id", sa.ForeignKey("tokens.id"), null=True),
    _text("subject", null=True),
    _text("connection_id", null=True),
    sa.Column("methods", sa.JSON(none_as_null=True), nullable=True),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("digest"),
    sa.ForeignKeyConstraint(["tenant_id", "caller_id"], ["callers.tenant_id", "callers.id"]),
    sa.ForeignKeyConstraint(["tenant_id", "subject"], ["subjects.tenant_id", "subjects.subject"]),
    sa.ForeignKeyConstraint(
        ["tenant_id", "connection_id"], ["connections.tenant_id", "connections.id"]
    ),
    sa.CheckConstraint("length(digest) = 32", "digest_length"),
    sa.CheckConstraint(
        "(role IN ('operator', 'application', 'auditor') AND caller_id IS NULL"
        " AND parent_id IS NULL) OR (role = 'caller' AND caller_id IS NOT NULL)",
        "role_fits_caller",
    ),
    # What was derived is bound to one thing, and what was not is bound to nothing.
    sa.CheckConstraint(
        "(parent_id IS NULL AND subject IS NULL AND connection_id IS NULL AND methods IS NULL)"
        " OR (parent_id IS NOT NULL AND (subject IS NULL) <> (connection_id IS NULL))",
        "bounds_fit_parent",
    ),
    sa.Index(None, "tenant_id", "caller_id"),
    sa.Index(None, "tenant_id", "subject"),
    sa.Index(None, "connection_id"),
    sa.Index(None, "parent_id", "expires_at"),
)

grants = sa.Table(
    "grants",
    metadata,
    _text("id"),
    _text("tenant_id"),
    _text("caller_id"),
    _text("connection_id", null=True),
    _text("provider_id", null=True),
    _text("subject", null=True),
    sa.Column("allow", sa.JSON, nullable=False),
    _time("created_at"),
    _time("expires_at", null=True),
    _time("revoked_at", null=True),
    sa.PrimaryKeyConstraint("id"),
    sa.ForeignKeyConstraint(["tenant_id", "caller_id"], ["callers.tenant_id", "callers.id"]),
    sa.ForeignKeyConstraint(
        ["tenant_id", "connection_id"], ["connections.tenant_id", "connections.id"]
    ),
    sa.ForeignKeyConstraint(["tenant_id", "subject"], ["subjects.tenant_id", "subjects.subject"]),
    sa.CheckConstraint(
        "(connection_id IS NOT NULL) + (provider_id IS NOT NULL) + (subject IS NOT NULL) = 1",
        "one_target",
    ),
    sa.Index(None, "caller_id", "connection_id"),
    sa.Index(None, "caller_id", "provider_id"),
    sa.Index(None, "caller_id", "subject"),
    sa.Index(None, "connection_id"),
    sa.Index(None, "tenant_id", "subject"),
    sa.Index(None, "tenant_id", "id"),
)

locks = sa.Table(
    "locks",
    metadata,
    _text("connection_id"),
    _text("tenant_id"),
    _text("state"),
    _text("reason"),
    _number("version"),
    _text("egress_id", null=True),
    _text("decoy", null=True),
    _time("checked_at"),
    sa.Column("report", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("observations", sa.JSON(none_as_null=True), nullable=True),
    sa.PrimaryKeyConstraint("connection_id"),
    sa.ForeignKeyConstraint(
        ["tenant_id", "connection_id"], ["connections.tenant_id", "connections.id"]
    ),
    sa.CheckConstraint(
        "state IN ('unchecked', 'enforced', 'declared', 'open', 'blocked', 'unproven')",
        "state_known",
    ),
    sa.Index(None, "tenant_id", "state", "connection_id"),
)

nonces = sa.Table(
    "nonces",
    metadata,
    _text("connection_id", sa.ForeignKey("connections.id")),
    _number("ceiling"),
    sa.PrimaryKeyConstraint("connection_id"),
    sa.CheckConstraint("typeof(ceiling) = 'integer'", "ceiling_whole"),
    sqlite_with_rowid=False,
)

replays = sa.Table(
    "replays",
    metadata,
    # No foreign key: a request may be about all tenants at once.
    _text("tenant_id"),
    _text("actor"),
    _text("key"),
    _blob("digest"),
    sa.Column("status", sa.Integer, nullable=True),
    _blob("body", null=True),
    _time("created_at"),
    sa.PrimaryKeyConstraint("tenant_id", "actor", "key"),
    sa.CheckConstraint("length(digest) = 32", "digest_length"),
    sa.Index(None, "created_at"),
)

once_keys = sa.Table(
    "once_keys",
    metadata,
    _text("tenant_id"),
    _text("caller_id"),
    _blob("digest"),
    _text("call_id"),
    _time("created_at"),
    sa.PrimaryKeyConstraint("tenant_id", "caller_id", "digest"),
    sa.ForeignKeyConstraint(["tenant_id", "caller_id"], ["callers.tenant_id", "callers.id"]),
    sa.CheckConstraint("length(digest) = 32", "digest_length"),
    sa.Index(None, "created_at"),
    sqlite_with_rowid=False,
)

feeds = sa.Table(
    "feeds",
    metadata,
    _number("serial"),
    _blob("payload"),
    _blob("signature"),
    _time("created_at"),
    sa.PrimaryKeyConstraint("serial"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    _text("id"),
    _text("kind"),
    _text("tenant_id", sa.ForeignKey("tenants.id")),
    sa.Column("arguments", sa.JSON, nullable=False),
    _text("egress"),
    _text("state"),
    _time("created_at"),
    _time("taken_at", null=True),
    _text("taken_by", null=True),
    _time("finished_at", null=True),
    sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
    _blob("result_signature", null=True),
    sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
    sa.PrimaryKeyConstraint("id"),
    sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", "state_known"),
    sa.Index(None, "state", "created_at"),
    sa.Index(None, "tenant_id", "id"),
)

journal_chains = sa.Table(
    "journal_chains",
    metadata,
    _text("id"),
    _text("role"),
    _text("file"),
    _time("started_at"),
    _number("head_seq", null=True),
    _text("head_hash", null=True),
    _time("head_at", null=True),
    _time("closed_at", null=True),
    sa.PrimaryKeyConstraint("id"),
)

journal_checkpoints = sa.Table(
    "journal_checkpoints",
    metadata,
    sa.Column("id", sa.Integer, nullable=False, autoincrement=True),
    _blob("payload"),
    _blob("signature"),
    _time("created_at"),
    sa.PrimaryKeyConstraint("id"),
    sqlite_autoincrement=True,
)

revision = sa.Table(
    "revision",
    metadata,
    sa.Column("id", sa.Integer, nullable=False),
    _number("value"),
    sa.PrimaryKeyConstraint("id"),
    sa.CheckConstraint("id = 1", "one_row"),
)
