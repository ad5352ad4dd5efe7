"""All tests of a project, one after the other, each on a database of its own that is gone afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from console.project import Project
from console.project_tests.case import Case
from console.project_tests.compare import Result, compare
from console.project_tests.play import play
from core.errors import NotFoundError, PostilionError
from core.suggest import did_you_mean


def choose(cases: Mapping[str, Case], names: Sequence[str]) -> list[Case]:
    """The tests called `names`, or all. Raises NotFoundError."""
    for name in names:
        if name not in cases:
            hint = did_you_mean(name, cases) or "see the folder tests/"
            raise NotFoundError(f"there is no test {name!r} in tests/: {hint}.")
    return [case for name, case in cases.items() if not names or name in names]


def run_cases(cases: Sequence[Case], project: Project, template: Path, folder: Path) -> Iterator[Result]:
    """Play each case; one that cannot be played is a result with its cause, and the others are played."""
    quiet = logging.getLogger("postilion")
    level = quiet.level
    quiet.setLevel(logging.ERROR)  # what a test provokes on purpose is no news
    try:
        for case in cases:
            try:
                yield compare(case, play(case, project, template, folder))
            except PostilionError as error:
                yield Result(case, (), cause=str(error))
    finally:
        quiet.setLevel(level)
