"""Alembic's entry: runs on the connection that `tables.open_database` hands over."""

from alembic import context

from moodmesh.songs.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
