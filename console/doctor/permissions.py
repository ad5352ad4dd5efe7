"""Who else on this machine may read what the engine keeps."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.finding import Finding, fine, note, warning, wrong
from console.doctor.modes import is_private, is_written_by_others, mode_of
from console.doctor.patient import Patient, file_of

_WITH_PERSONAL_DATA = ("exports", "rejects")


def examine(patient: Patient) -> Iterator[Finding]:
    folder = patient.settings.state_folder
    if not folder.is_dir():
        yield note(f"there is no state folder {folder} yet")
        return
    found = [*_state(patient), *_database(patient)]
    yield from found
    if not found:
        yield fine(f"{folder} and the database can be read by their owner only")


def _state(patient: Patient) -> Iterator[Finding]:
    folder = patient.settings.state_folder
    if is_written_by_others(folder):
        yield wrong(f"others may write into {folder} (mode {mode_of(folder)})", f"run `chmod 700 {folder}`")
    elif not is_private(folder):
        yield warning(f"others may look into {folder} (mode {mode_of(folder)})", f"run `chmod 700 {folder}`")
    for name in _WITH_PERSONAL_DATA:
        inner = folder / name
        if inner.is_dir() and not is_private(inner) and not is_private(folder):
            yield warning(f"others may look into {inner}, which holds personal data", f"run `chmod 700 {inner}`")


def _database(patient: Patient) -> Iterator[Finding]:
    file = file_of(patient.settings.database)
    if file is None or not file.is_file() or is_private(file) or is_private(file.parent):
        return
    yield warning(f"others can read the database {file} (mode {mode_of(file)})", f"run `chmod 600 {file}*`")
