"""Alembic's migrations; `store.engine.migrate` runs them."""
