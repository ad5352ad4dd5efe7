"""What held a message back, and until when: kept in its row, so that its story can be told after it went out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from delivery.policy import Hold, Reason

_MOST = 12  # of one message; the oldest are forgotten first

Noted = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PastHold:
    """`by` what the message was held until `until` (UTC); `detail` says more of it: a clock's zone, a limit."""

    by: str
    until: datetime
    detail: str = ""


def noted(before: Sequence[Noted] | None, hold: Hold) -> list[Noted]:
    """The holds of a message with one more; one that goes on for the same reason is one hold."""
    one = {"by": hold.reason.value, "until": hold.until.isoformat()}
    if hold.detail:
        one["detail"] = hold.detail
    kept = list(before or ())
    if kept and kept[-1]["by"] == one["by"]:
        kept.pop()
    return [*kept, one][-_MOST:]


def iter_holds(notes: Sequence[Noted] | None) -> Iterator[PastHold]:
    """What `noted` wrote, oldest first."""
    for one in notes or ():
        yield PastHold(one["by"], datetime.fromisoformat(one["until"]), one.get("detail", ""))


def by_in_words(by: str) -> str:
    """Such as "quiet hours" or "a limit": what holds, in words that follow "held by"."""
    return _WORDS.get(by, by.replace("_", " "))


_WORDS: Mapping[str, str] = {
    Reason.CAP: "a limit",
    Reason.CLOSED: "closed hours",
    Reason.QUIET_HOURS: "quiet hours",
    Reason.LEGAL_HOURS: "legal hours",
    Reason.THROTTLED: "the rate that the provider or the journey allows",
    Reason.PAUSED: "a pause that the person asked for",
}
