"""Runs checks one after the other, each alone: one that fails or hangs is a finding of its own and stops no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from console.doctor.finding import Finding, Level, warning
from console.doctor.patient import Patient
from core.errors import PostilionError
from core.log import mask

log = logging.getLogger(__name__)

LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at; `examine` may take `limit_s` seconds."""

    name: str
    examine: Callable[[Patient], Iterable[Finding]]
    limit_s: float = LIMIT_S


@dataclass(frozen=True, slots=True)
class Examined:
    check: str
    findings: Sequence[Finding]

    @property
    def is_wrong(self) -> bool:
        return any(finding.level is Level.WRONG for finding in self.findings)


@dataclass(slots=True)
class _Answer:
    findings: list[Finding] = field(default_factory=list)


def examine_all(patient: Patient, checks: Iterable[Check]) -> Iterator[Examined]:
    """What each check finds, as soon as it has found it."""
    for check in checks:
        yield Examined(check.name, _bounded(check, patient))


def _bounded(check: Check, patient: Patient) -> list[Finding]:
    answer = _Answer()
    # A daemon, because nothing can end a thread that hangs in a driver, and it must not hold the process.
    thread = threading.Thread(target=_run, args=(check, patient, answer), name=check.name, daemon=True)
    thread.start()
    thread.join(check.limit_s)
    if thread.is_alive():
        text = f"no answer within {check.limit_s:.0f} seconds"
        return [*answer.findings, warning(text, "run it again; if it stays so, look whether what it asks is reachable")]
    return answer.findings


def _run(check: Check, patient: Patient, answer: _Answer) -> None:
    try:
        for finding in check.examine(patient):
            answer.findings.append(finding)  # what was found before a failure counts
    except PostilionError as error:
        answer.findings.append(Finding(Level.WRONG, mask(str(error))))
    except Exception as error:  # isolates one check from the next; the finding keeps the cause
        log.debug("the check %s failed", check.name, exc_info=True)
        cause = mask(str(error).strip().partition("\n")[0])[:200]
        text = f"this could not be looked at: {type(error).__name__}{f', {cause}' if cause else ''}"
        answer.findings.append(warning(text, "put right what is said elsewhere here and run it again"))
