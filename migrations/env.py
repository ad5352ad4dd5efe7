"""Alembic's entrance: runs the revisions on the database that `migrations.upgrade` names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alembic import context
from alembic.operations.ops import CreateTableOp, MigrationScript

from core.database import Database
from migrations.tables import metadata


def leave_out_info(_context: Any, _revision: Any, directives: Iterable[MigrationScript]) -> None:
    """What a table says of its personal data is for the application, and no part of the schema."""
    for script in directives:
        for operation in script.upgrade_ops.ops if script.upgrade_ops else ():
            if isinstance(operation, CreateTableOp):
                operation.info.clear()


database = Database(context.config.attributes["url"])
try:
    with database.engine.connect() as connection:
        if database.is_sqlite:
            # A table that is copied and put in its own place is missing for a moment to those that refer to it.
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys=OFF")
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=True,
            transaction_per_migration=True,
            compare_type=False,
            process_revision_directives=leave_out_info,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
finally:
    database.close()
