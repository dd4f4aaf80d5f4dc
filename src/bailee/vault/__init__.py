"""Keys: what seals, what opens, and what signs.

`sealing`, `authority` (verifying) and `statements` know public keys only; `opening` and `keyring`
need the root key, and the roles that people and the web touch never import them.
"""
