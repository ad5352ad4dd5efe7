"""The store of the data keys: it opens with the workspace key, is private, and is no part of the database's backup."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from console.doctor.finding import Finding, fine, note, warning, wrong
from console.doctor.modes import is_private, mode_of
from console.doctor.patient import Patient, file_of
from core.key_store import data_key
from core.keys import load_key
from core.kms import wrapping_of
from core.vault import Vault


def examine(patient: Patient) -> Iterator[Finding]:
    settings, store = patient.settings, patient.key_store
    file = file_of(settings.keys_database)
    if store is None:
        place = file or "POSTILION_KEYS_URL"
        yield wrong(f"it cannot be opened: {place}", "run `postilion init`, or `postilion keys restore FILE`")
        return
    if file is not None:
        if file == file_of(settings.database):
            way_out = "give it a file of its own by POSTILION_KEYS_URL"
            yield wrong("it is the database's own file, so that one backup holds keys and data", way_out)
        if not is_private(file) and not is_private(file.parent):
            yield warning(f"others can read {file} (mode {mode_of(file)})", f"run `chmod 600 {file}`")
    elif settings.keys_database == settings.database:
        yield note("it is the schema `keys` of the database, which `postilion backup` leaves out and pg_dump does not")
    yield from _keys(patient)


def _keys(patient: Patient) -> Iterator[Finding]:
    store, path = patient.key_store, patient.key_path
    assert store is not None
    with store.read() as connection:
        count = connection.execute(select(func.count()).select_from(data_key)).scalar_one()
        newest = connection.execute(select(func.max(data_key.c.profile_id))).scalar()
    if newest is not None and path is not None and path.exists():
        key = load_key(path, lambda: wrapping_of(patient.settings, patient.slug or ""))
        Vault(key, store).prepare([newest])  # raises with the way out when it does not open
    yield fine(f"{count:,} data keys; the newest opens" if count else "no data keys yet")
