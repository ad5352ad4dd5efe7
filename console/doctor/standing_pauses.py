"""What is stopped for now, and why; and what somebody should look at before it is. Webhooks have their own check."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.finding import Finding, fine, note, warning
from console.doctor.patient import Patient
from delivery.alarms import list_alarms
from delivery.pauses import list_pauses

_ELSEWHERE = "webhook:"
_LOOK = "docs/delivery.md, Reports and suppression, says what it means"


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is None:
        yield note("without a database there are none")
        return
    with patient.database.read() as connection:
        paused, alarms = list_pauses(connection, patient.now), list_alarms(connection)
    paused = [one for one in paused if not one.scope.startswith(_ELSEWHERE)]
    alarms = [one for one in alarms if not one.name.startswith(_ELSEWHERE)]
    for one in paused:
        if one.until is None:
            yield warning(f"{one.scope} is paused: {one.cause}", f"when that is put right: `{one.command}`")
        else:
            yield warning(f"{one.scope} is paused: {one.cause}", f"it goes on by itself at {one.until:%H:%M} UTC")
    for alarm in alarms:
        yield warning(f"{alarm.name}: {alarm.cause}", _LOOK)
    if not paused and not alarms:
        yield fine("nothing is paused")
