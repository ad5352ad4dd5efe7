"""People who were erased, and whom this database still knows: it is older than the erasure."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.finding import Finding, fine, note, wrong
from console.doctor.patient import Patient
from core.cursors import get_position
from core.erasures import CURSOR, latest_erasure


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is None or patient.key_store is None:
        yield note("without a database and a key store there is nothing to compare")
        return
    latest = latest_erasure(patient.key_store)
    with patient.database.read() as connection:
        done = get_position(connection, CURSOR).row_id
    if latest > done:
        text = f"{latest - done} of {latest} are not carried out in this database"
        yield wrong(text, "run `postilion privacy requests`: whatever opens the workspace carries them out first")
    else:
        yield fine(f"{latest} carried out, none waits")
