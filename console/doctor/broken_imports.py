"""Imports that were begun and never ended, and events that could not be taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select

from console.doctor.finding import Finding, fine, note, warning
from console.doctor.patient import Patient
from customers.tables import import_batch
from tracking.tables import quarantine

_LONG = timedelta(hours=1)  # a million lines take less
_DAY = timedelta(days=1)
_MOST = 5


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is None:
        yield note("without a database nothing comes in")
        return
    batch = import_batch.c
    begun = select(batch.id, batch.kind, batch.file, batch.status).where(
        batch.status.in_(["running", "undoing"]), batch.started_at < patient.now - _LONG
    )
    with patient.database.read() as connection:
        batches = connection.execute(begun.order_by(batch.id.desc()).limit(_MOST)).all()
        refused = select(func.count()).where(quarantine.c.received_at > patient.now - _DAY)
        refused_count = connection.execute(refused).scalar_one()
    for row in batches:
        again = f"import {row.kind} FILE" if row.status == "running" else f"import undo {row.id}"
        text = f"the import {row.id} of {row.file} was broken off"
        yield warning(text, f"run `postilion {again}` again: it goes on where it stopped")
    if refused_count:
        yield warning(f"{refused_count:,} events could not be taken within a day", "see `postilion quarantine list`")
    if not batches and not refused_count:
        yield fine("no import is broken off, and every event of the last day was taken")
