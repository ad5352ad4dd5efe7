"""The tables: are they those that this version works with?"""

from __future__ import annotations

from collections.abc import Iterator

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from console.doctor.finding import Finding, fine, note, wrong
from console.doctor.patient import Patient


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is None:
        yield note("without a database there is nothing to compare")
        return
    scripts = ScriptDirectory(str(migrations.FOLDER))
    with patient.database.read() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    head = scripts.get_current_head()
    if current == head:
        yield fine(f"up to date, revision {head}")
    elif current is None:
        yield wrong("the database has no tables of ours", "run `postilion init`")
    elif current in {script.revision for script in scripts.walk_revisions()}:
        yield wrong(f"they are of revision {current}, and this version needs {head}", "run `postilion apply`")
    else:
        yield wrong(f"a newer version of Postilion made them (revision {current})", "install that version here too")
