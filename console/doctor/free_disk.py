"""Room on the disks that the engine writes to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from console.doctor.finding import Finding, fine, warning, wrong
from console.doctor.patient import Patient, file_of

_GB = 1024**3
_LEAST_BYTES = _GB
_LEAST_SHARE = 0.1
_NOTHING_LEFT_BYTES = _GB // 10
_WAY_OUT = "free some: old backups, exports and rejects, or shorten `retention` in workspace.yaml"


def examine(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    file = file_of(settings.database)
    folders = {_existing(settings.state_folder)} | ({_existing(file.parent)} if file else set())
    for folder in sorted(folders):
        yield _look(folder)


def _look(folder: Path) -> Finding:
    total, _used, free = shutil.disk_usage(folder)
    text = f"{free / _GB:,.1f} GB of {total / _GB:,.0f} GB are free at {folder}"
    if free < _NOTHING_LEFT_BYTES:
        return wrong(text, _WAY_OUT)
    if free < _LEAST_BYTES or free < _LEAST_SHARE * total:
        return warning(text, _WAY_OUT)
    return fine(text)


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())
