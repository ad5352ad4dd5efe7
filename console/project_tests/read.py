"""The tests that a project has, read and checked; playing them is the business of `run`."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from console.project import Project
from console.project_tests.case import Case, read_case
from core.errors import Fault
from core.zones import find_zone


def read_cases(project: Project) -> tuple[dict[str, Case], list[Fault]]:
    """The tests in the project's `tests/` by name, and everything that is wrong with them."""
    document = project.workspace.document if project.workspace else {}
    zone = find_zone(str(document.get("timezone"))) or ZoneInfo("UTC")
    cases, faults = {}, []
    for file in project.tests:
        case, found = read_case(file, project, zone)
        cases[case.slug] = case
        faults += found
    return cases, faults
