"""The role that previews and exports read with: there is one, it reaches the same database, and it cannot write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from console.doctor.finding import Finding, fine, note, warning, wrong
from console.doctor.patient import Patient
from core.database import Database
from core.errors import EnvironmentFaultError

_HOW = "see docs/how-to/postgresql.md, 'A role that may only read'"
_MAY_WRITE = text(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND ("
    "has_table_privilege(format('%I.%I', table_schema, table_name), 'INSERT') OR "
    "has_table_privilege(format('%I.%I', table_schema, table_name), 'UPDATE') OR "
    "has_table_privilege(format('%I.%I', table_schema, table_name), 'DELETE')) ORDER BY table_name LIMIT 1"
)
_MAY_READ = text("SELECT has_table_privilege('customer_event', 'SELECT')")


def examine(patient: Patient) -> Iterator[Finding]:
    url = patient.settings.reader_url
    if patient.database is None:
        yield note("there is no database to read")
        return
    if patient.database.is_sqlite:
        yield note("POSTILION_READER_URL does nothing on SQLite") if url else fine("SQLite: previews cannot write")
        return
    if not url:
        yield note("previews and exports read with the role that may write, in read-only transactions", _HOW)
        return
    try:
        with closing(Database(url, pool_size=1)) as reader, reader.read() as connection:
            may_read = connection.execute(_MAY_READ).scalar_one()
            writable = connection.execute(_MAY_WRITE).scalar_one_or_none()
            name = connection.execute(text("SELECT current_user")).scalar_one()
    except (SQLAlchemyError, EnvironmentFaultError) as error:
        cause = str(getattr(error, "orig", error)).strip().splitlines()[0]
        yield wrong(f"the role of POSTILION_READER_URL cannot read here: {cause}", _HOW)
        return
    if not may_read:
        yield wrong(f"the role {name} may not read customer_event", _HOW)
    elif writable is not None:
        yield warning(f"the role {name} of POSTILION_READER_URL may write, {writable} for one", _HOW)
    else:
        yield fine(f"the role {name} may read and cannot write")
