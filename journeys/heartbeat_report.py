"""What a stretch of the heartbeat came to, as a marketer reads it on a run page: counts, and no people."""

from __future__ import annotations

from journeys.heartbeat import Tally


def as_markdown(tally: Tally) -> str:
    """A table of everything that happened, and a sentence for each part that failed and each alarm that stands."""
    if tally.is_idle:
        return "Another process was at work all the while. Nothing to do."
    faults = [
        f"**{part.capitalize()} stood still for a while.** The cause was: {cause}"
        for part, cause in sorted(tally.faults.items())
    ]
    faults += [f"**Look at {one.name}.** {one.cause[:1].upper()}{one.cause[1:]}." for one in tally.alarms]
    counts = [(what, count) for what, count in sorted(tally.counts.items()) if count]
    if not counts:
        return "\n\n".join(["All quiet: nobody moved, and no message was due.", *faults])
    lines = ["| What happened | |", "| --- | ---: |", *(f"| {what} | {count:,} |" for what, count in counts)]
    return "\n\n".join(["\n".join(lines), *faults])
