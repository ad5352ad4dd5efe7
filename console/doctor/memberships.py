"""Whether segments follow what customers do, whether everybody can be asked, and what the last audit found."""

from __future__ import annotations

from collections.abc import Iterator

from console.doctor.finding import Finding, fine, note, warning
from console.doctor.patient import Patient
from segments.audit import list_differences
from segments.following.faults import EVERYBODY
from segments.following.freshness import read_freshness

_LATE_S = 60


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is None:
        yield note("without a database there are none")
        return
    with patient.database.read() as connection:
        fresh, differences = read_freshness(connection), list_differences(connection)
    if fresh.followed_to is None:
        yield note("nobody has followed the customers yet: `postilion up` does")
        return
    late = fresh.lag_s(patient.now)
    if late > _LATE_S:
        yield warning(
            f"memberships are {late:,.0f} seconds old, and {fresh.waiting:,} changes wait",
            "is `postilion up` running? It follows customers within seconds",
        )
    for fault in fresh.faults:
        about = "cannot be asked" if fault.profile_id == EVERYBODY else f"cannot be asked about #{fault.profile_id}"
        yield warning(f"the segment {fault.segment} {about}: {fault.cause}", "`postilion segments refresh` tries again")
    if differences:
        found = f"{len(differences):,} memberships differed from their rules"
        yield warning(found, "`postilion segments audit --repair`")
    if late <= _LATE_S and not fresh.faults and not differences:
        yield fine(f"memberships follow customers, {fresh.waiting:,} changes wait")
