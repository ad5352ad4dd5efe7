"""How the send ledger stands, as a marketer reads it on a run page: counts, and no people."""

from __future__ import annotations

from delivery.housekeeping import LedgerState
from delivery.tables import MessageStatus

_ENDED = {
    MessageStatus.SENT: "sent",
    MessageStatus.SKIPPED: "not sent, for a reason of yours or theirs",
    MessageStatus.FAILED: "failed",
    MessageStatus.UNKNOWN: "perhaps sent: the provider never answered",
    MessageStatus.CANCELLED: "cancelled",
}


def as_markdown(state: LedgerState) -> str:
    """Counts of the last 24 hours, and a sentence for everything that somebody has to look at."""
    lines = ["| Messages | |", "| --- | ---: |"]
    lines.append(f"| waiting for their time | {state.waiting_count:,} |")
    lines += [f"| {words}, last 24 hours | {state.ended.get(status, 0):,} |" for status, words in _ENDED.items()]
    notes = []
    if state.overdue_count:
        notes.append(f"**{state.overdue_count:,} messages should have gone out by now.** They go when sending is free.")
    if state.settled_count:
        notes.append(f"{state.settled_count:,} were being sent when something stopped; marketing is not sent twice.")
    notes += [f"**Sending is paused for {scope}**, because {cause}." for scope, cause in sorted(state.pauses.items())]
    return "\n".join(lines) + "".join(f"\n\n{note}" for note in notes)
