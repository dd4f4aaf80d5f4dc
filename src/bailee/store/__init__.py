"""The rows: SQLAlchemy Core on SQLite in WAL, and compiled reads for the gateway.

`engine` opens and migrates, one module an aggregate reads and writes, `lookup` is what the gateway
uses. The store knows no policy and verifies no signature: signed payloads pass through as bytes.
"""
