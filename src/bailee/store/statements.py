"""The statements that the gateway reads by (`lookup.py`), as SQLite compiles and keeps them."""

REVISION = "SELECT value FROM revision WHERE id = 1"

TOKEN = """
SELECT t.id, t.role, t.tenant_id, t.caller_id, t.expires_at,
       coalesce(t.revoked_at, c.revoked_at), c.allow_from, t.subject, t.connection_id, t.methods,
       c.calls_per_second, c.concurrent
FROM tokens AS t LEFT JOIN callers AS c ON c.id = t.caller_id AND c.tenant_id = t.tenant_id
WHERE t.digest = ?
"""

CONNECTION = """
SELECT c.id, c.tenant_id, c.provider_id, c.subject, s.journal_key, c.state, c.version, c.egress_id,
       v.key_id, v.trust_digest, v.ciphertext, coalesce(l.state, 'unchecked'), t.gate
FROM connections AS c
JOIN tenants AS t ON t.id = c.tenant_id
JOIN subjects AS s ON s.tenant_id = c.tenant_id AND s.subject = c.subject
LEFT JOIN sealed_versions AS v ON v.connection_id = c.id AND v.version = c.version
LEFT JOIN locks AS l ON l.connection_id = c.id AND l.tenant_id = c.tenant_id
    AND l.version = c.version AND c.state = 'active'
WHERE c.id = ?
"""

# The tenant stands in the joins too: a grant row that was moved between tenants matches nothing.
# CROSS JOIN fixes the order of the loops and INDEXED BY the way in: without statistics SQLite would
# rather walk all grants of a tenant. A grant names one of the three, so none comes twice. One that
# died with its connection counts as live, so that its caller is told what became of the connection.
_GRANTS_OVER = """
SELECT g.id, g.allow, g.expires_at,
       CASE WHEN n.state = 'revoked' AND g.revoked_at >= n.revoked_at THEN NULL
            ELSE g.revoked_at END AS revoked_at
FROM connections AS n
CROSS JOIN grants AS g INDEXED BY ix_grants_caller_id_{column}
    ON g.caller_id = ? AND g.{column} = n.{value} AND g.tenant_id = n.tenant_id
CROSS JOIN callers AS c ON c.id = g.caller_id AND c.tenant_id = g.tenant_id
WHERE n.id = ?
"""

# Its parameters are caller and connection, three times.
GRANTS = " UNION ALL ".join(
    _GRANTS_OVER.format(column=column, value=value)
    for column, value in (
        ("connection_id", "id"),
        ("provider_id", "provider_id"),
        ("subject", "subject"),
    )
)

PROVIDER = "SELECT payload, signature FROM providers WHERE id = ? ORDER BY serial DESC LIMIT 1"

PIN_SET = """
SELECT payload, signature FROM pin_sets WHERE provider_id = ? AND origin = ?
ORDER BY serial DESC LIMIT 1
"""

EGRESS = "SELECT payload, signature FROM egress_addresses WHERE id = ?"

TENANT_KEY = """
SELECT payload, signature, wrapped_private FROM tenant_keys WHERE tenant_id = ? AND id = ?
"""
