"""What was expected of a test beside what came of it. Pure.

Every message counts, expected or not; ways, refusals and ends are looked at where the test names one. Instants are
compared to the minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from console.project_tests.case import CHANNELS, Case, Outcome


class Verdict(StrEnum):
    AS_EXPECTED = "as expected"
    MISSING = "missing"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Line:
    verdict: Verdict
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Result:
    """One test that was played; `cause` where it could not be."""

    case: Case
    lines: tuple[Line, ...]
    cause: str = ""

    @property
    def has_passed(self) -> bool:
        return not self.cause and all(line.verdict is Verdict.AS_EXPECTED for line in self.lines)


def compare(case: Case, happened: Sequence[Outcome]) -> Result:
    """A line for everything that was expected or that happened and is looked at, person by person, in order."""
    lines: list[Line] = []
    for name in case.people:
        wanted = _in_order(one for one in case.expected if one.person == name)
        got = _in_order(one for one in happened if one.person == name and _is_looked_at(one, wanted))
        for kind, start, end, first, last in SequenceMatcher(a=wanted, b=got, autojunk=False).get_opcodes():
            if kind == "equal":
                lines += [Line(Verdict.AS_EXPECTED, one) for one in wanted[start:end]]
            else:
                lines += [Line(Verdict.MISSING, one) for one in wanted[start:end]]
                lines += [Line(Verdict.UNEXPECTED, one) for one in got[first:last]]
    return Result(case, tuple(lines))


def _in_order(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return sorted((one.to_the_minute() for one in outcomes), key=lambda one: (one.at, one.kind, one.what))


def _is_looked_at(one: Outcome, wanted: Sequence[Outcome]) -> bool:
    if one.kind in CHANNELS or one.kind in ("skipped", "failed"):
        return True
    if one.kind == "branch":
        steps = {other.what.partition(" → ")[0] for other in wanted if other.kind == "branch"}
        return one.what.partition(" → ")[0] in steps
    return any(other.kind == one.kind for other in wanted)
