"""What people asked for under the law, and by when it has to be done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select

from console.doctor.finding import Finding, fine, note, warning, wrong
from console.doctor.patient import Patient
from customers.rights_tables import rights_request

_SOON = timedelta(days=7)
_WAY_OUT = "see `postilion privacy requests --open` and carry them out"


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is None:
        yield note("without a database there are none")
        return
    request = rights_request.c
    late = func.count().filter(request.due_at <= patient.now)
    soon = func.count().filter(request.due_at > patient.now, request.due_at <= patient.now + _SOON)
    with patient.database.read() as connection:
        query = select(func.count(), late, soon).where(request.status == "open")
        open_count, late_count, soon_count = connection.execute(query).one()
    if late_count:
        yield wrong(f"{late_count} open past the law's deadline", _WAY_OUT)
    if soon_count:
        yield warning(f"{soon_count} due within a week", _WAY_OUT)
    if not late_count and not soon_count:
        yield fine(f"{open_count} open, none due within a week")
