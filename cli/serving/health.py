"""What `postilion doctor` asks about Prefect: does its server answer, and what should have run by now."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

from cli.serving.deployments import plan_deployments
from cli.serving.overdue import find_overdue
from cli.serving.prefect_server import is_private, server_url
from console.doctor.finding import Finding, fine, note, warning, wrong
from console.doctor.patient import Patient

_TIMEOUT_S = 3
_OK = 200


def examine_server(patient: Patient) -> Iterator[Finding]:
    """The server is on this machine, or it is somebody's at POSTILION_PREFECT_API_URL."""
    url = server_url(patient.settings)
    if patient.is_offline and not is_private(patient.settings):
        yield note(f"{url} was not asked")
    elif _answers(f"{url}/api/health"):
        yield fine(f"{url} answers")
    elif is_private(patient.settings):
        yield note(f"nothing answers at {url}: `postilion up` is not running here")
    else:
        yield wrong(f"{url} does not answer", "start that server, or correct POSTILION_PREFECT_API_URL")


def examine_schedules(patient: Patient) -> Iterator[Finding]:
    if patient.database is None or patient.workspace is None:
        yield note("nothing is published, so nothing runs by itself")
        return
    with patient.database.read() as connection:
        plan = plan_deployments(connection, patient.now)
        overdue = find_overdue(connection, plan, patient.now, patient.settings.exports_folder)
    if overdue:
        way_out = "start `postilion up`; if it runs, look at what it says and at its page of runs"
        yield warning(f"overdue: {', '.join(overdue)}", way_out)
    else:
        yield fine(f"{len(plan)} schedules, nothing is overdue")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # from the settings
            return bool(answer.status == _OK)
    except (OSError, ValueError):
        return False
