"""Whether the columnar snapshot of segments is there and young enough to be brought up to date."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.finding import Finding, fine, note
from console.doctor.patient import Patient
from customers.touches import KEPT
from segments.snapshot.status import find_status


def examine(patient: Patient) -> Iterator[Finding]:
    status = find_status(patient.settings)
    if status is None:
        yield note("there is none: a refresh makes one where there are many people")
        return
    said = f"{status.size / 1e6:,.1f} MB, as of {status.brought_at:%Y-%m-%d %H:%M} UTC"
    if patient.now - status.brought_at > KEPT:
        yield note(f"{said}: the next refresh builds it anew")
    else:
        yield fine(said)
