"""The time zone data: without it nobody's night is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version

from console.doctor.finding import Finding, fine, warning, wrong
from console.doctor.patient import Patient
from core.zones import find_zone, known_zones

_WAY_OUT = "install the package tzdata again: `pip install --upgrade tzdata`"
_FEWEST = 400
# Each tells a whole family of rules apart: summer time north and south, half an hour, none.
_SUMMER = datetime(2026, 7, 1, 12, tzinfo=UTC)
_OFFSETS = {
    "Europe/London": timedelta(hours=1),
    "America/New_York": timedelta(hours=-4),
    "Australia/Sydney": timedelta(hours=10),
    "Asia/Kolkata": timedelta(hours=5, minutes=30),
}


def examine(patient: Patient) -> Iterator[Finding]:
    try:
        release = version("tzdata")
    except PackageNotFoundError:
        release = ""
        yield warning("the package tzdata is missing, and the system's own data may be old", _WAY_OUT)
    count = len(known_zones())
    strange = [name for name, offset in _OFFSETS.items() if _offset(name) != offset]
    if strange or count < _FEWEST:
        yield wrong(f"{count} zones are known, and {', '.join(strange) or 'too few'} tells the wrong time", _WAY_OUT)
    own = patient.workspace.timezone if patient.workspace else None
    if own is not None and find_zone(own) is None:
        yield wrong(f"the workspace's own zone {own} is unknown", "correct `timezone` in workspace.yaml")
    if not strange and count >= _FEWEST:
        yield fine(f"{count} zones{f', tzdata {release}' if release else ''}")


def _offset(name: str) -> timedelta | None:
    zone = find_zone(name)
    return _SUMMER.astimezone(zone).utcoffset() if zone else None
