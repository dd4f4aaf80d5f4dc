"""What Alembic loads to migrate: on the connection, and in the transaction, of `engine.migrate`."""

from alembic import context

from bailee.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
