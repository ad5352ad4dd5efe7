"""Webhooks that fail: who follows us by them does not know what happened since."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.finding import Finding, fine, note, warning
from console.doctor.patient import Patient
from tracking.outgoing.standing import EndpointWord, list_standings

_LOOK = "`postilion webhooks test {name}` shows its answer"


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is None or patient.workspace is None:
        yield note("nothing is published yet")
        return
    if not patient.workspace.webhooks:
        yield fine("there are none")
        return
    with patient.database.read() as connection:
        found = list_standings(connection, patient.workspace, patient.now)
    for one in found:
        if one.word is EndpointWord.PAUSED:
            way_out = f"when that is put right: `postilion webhooks resume {one.name}`"
            yield warning(f"{one.name} is paused, {one.waiting:,} events wait: {one.cause}", way_out)
        elif one.word is EndpointWord.FAILING:
            since = f" since {one.failing_since:%Y-%m-%d %H:%M} UTC" if one.failing_since else ""
            yield warning(f"{one.name} fails{since}: {one.cause}", _LOOK.format(name=one.name))
    count = sum(one.word in (EndpointWord.FINE, EndpointWord.NEW) for one in found)
    if count:
        yield fine(f"{count} without a fault")
