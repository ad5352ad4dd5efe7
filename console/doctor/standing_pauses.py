"""What is stopped for now, and why."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.finding import Finding, fine, note, warning
from console.doctor.patient import Patient
from delivery.pauses import find_pauses


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is None:
        yield note("without a database there are none")
        return
    with patient.database.read() as connection:
        paused = find_pauses(connection, patient.now)
    for scope, cause in sorted(paused.items()):
        yield warning(f"{scope} is paused: {cause}", f"when that is put right: `postilion pauses --resume {scope}`")
    if not paused:
        yield fine("nothing is paused")
