"""Which transport serves each channel and each sender that chose one, and whether it has what it needs."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.finding import Finding, fine, warning, wrong
from console.doctor.patient import Patient
from core.errors import InputError
from delivery.providers.registry import check_ready, choose_transports


def examine(patient: Patient) -> Iterator[Finding]:
    settings, workspace = patient.settings, patient.workspace
    if settings.capture_folder is not None:
        yield warning(
            f"nothing is sent: every message is written into {settings.capture_folder}",
            "when you mean it: leave POSTILION_CAPTURE out",
        )
        return
    try:
        chosen = choose_transports(settings)
    except InputError as error:
        yield _wrong(error)
        return
    senders = workspace.senders if workspace else {}
    routes = [(channel, name, channel) for channel, name in chosen.items()]
    routes += [(one.channel, one.transport, f"sender {slug}") for slug, one in senders.items() if one.transport]
    served = []
    for channel, name, who in routes:
        try:
            served.append(f"{who} by {check_ready(name, channel, settings).name}")
        except InputError as error:
            yield _wrong(error)
    if served:
        yield fine(", ".join(served))


def _wrong(error: InputError) -> Finding:
    message, _, way_out = str(error).rstrip(".").partition(": ")
    return wrong(message, way_out)
