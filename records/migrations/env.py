"""Alembic's entry: migrates over the connection that `records.database` hands in."""

from alembic import context
from sqlmodel import SQLModel

import records.tables  # noqa: F401

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("migrations run at start, through records.database.Database.open")
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
