"""The project's files beside what is published: what is written and what runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from console.doctor.finding import Finding, fine, note, warning, wrong
from console.doctor.patient import Patient
from console.project import load_project
from console.publish import find_changes
from core.errors import NotFoundError, has_errors


def examine(patient: Patient) -> Iterator[Finding]:
    try:
        project = load_project(patient.settings.project_folder)
    except NotFoundError as error:
        yield wrong(str(error).partition(":")[0], "name the project with --project")
        return
    if has_errors(project.faults):
        yield warning("the project has errors, and cannot be published as it is", "run `postilion check`")
        return
    if patient.database is None:
        yield note("without a database nothing is published")
        return
    with patient.database.read() as connection:
        changes = [change for change in find_changes(connection, project) if change.what != "unchanged"]
    if not changes:
        yield fine("what is published is what the files say")
        return
    counts = Counter(change.what for change in changes)
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    yield warning(f"the files say something else than what is published: {told}", "run `postilion apply`")
