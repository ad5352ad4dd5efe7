"""Alembic's entrance: runs the revisions on the database that `migrations.upgrade` names."""

from __future__ import annotations

from alembic import context

from core.database import Database
from migrations.tables import metadata

database = Database(context.config.attributes["url"])
try:
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=True,
            transaction_per_migration=True,
            compare_type=False,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
finally:
    database.close()
