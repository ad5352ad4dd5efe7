"""The workspace key: there, private, whole, and apart from everything that it opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from console.doctor.finding import Finding, fine, warning, wrong
from console.doctor.modes import is_private, is_written_by_others, mode_of
from console.doctor.patient import Patient, file_of
from core.keys import read_key_file
from core.kms import wrapping_of


def examine(patient: Patient) -> Iterator[Finding]:
    path = patient.key_path
    if path is None:
        yield wrong("without a workspace.yaml nobody knows which key it is", "name the project with --project")
        return
    if not path.exists():
        yield wrong(f"there is none at {path}", "run `postilion init`, or put the file back from its backup")
        return
    if not is_private(path):
        yield wrong(f"others can read {path} (mode {mode_of(path)})", f"run `chmod 600 {path}`")
        return
    yield from _places(patient, path)
    if is_written_by_others(path.parent):
        yield warning(f"others may put another key into {path.parent}", f"run `chmod 700 {path.parent}`")
    yield from _content(patient, path)


def _places(patient: Patient, path: Path) -> Iterator[Finding]:
    """A key beside what it opens is in the same backup, and a key in a project is in git."""
    settings = patient.settings
    move = "move the file and name its new place by POSTILION_KEY_FILE"
    beside = {file.resolve().parent for url in (settings.database, settings.keys_database) if (file := file_of(url))}
    if path.resolve().parent in beside or path.resolve().is_relative_to(settings.state_folder):
        yield wrong(f"{path} lies beside the database, so that one backup holds both", move)
    elif path.resolve().is_relative_to(settings.project_folder):
        yield wrong(f"{path} lies inside the project folder", move)
    elif (tree := _work_tree(path.resolve())) is not None:
        yield wrong(f"{path} lies in the git work tree {tree}", move)


def _work_tree(path: Path) -> Path | None:
    return next((folder for folder in path.parents if (folder / ".git").exists()), None)


def _content(patient: Patient, path: Path) -> Iterator[Finding]:
    slug = patient.slug or ""
    file = read_key_file(path, lambda: wrapping_of(patient.settings, slug))
    if file.pending is not None:
        yield wrong("a rotation was begun and is not finished", "end everything and run `postilion keys rotate`")
    count = len(file.entries)
    versions = f"{count} version{'' if count == 1 else 's'}"
    wrapped = "wrapped by AWS KMS" if all(entry.is_wrapped for entry in file.entries) else "not wrapped by AWS KMS"
    yield fine(f"{path}, mode {mode_of(path)}, {versions}, {wrapped}")
