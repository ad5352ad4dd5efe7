"""`reasons.md`: how a message can stand and why one was not sent, from `delivery.policy` and `delivery.tables`."""

from __future__ import annotations

from delivery.policy import Reason
from delivery.reason_words import REASONS, STATUSES
from delivery.tables import MessageStatus
from docs.pages.markdown import code, page, table
from journeys.admission import Refusal

_REFUSALS = {
    Refusal.LATE: "the event arrived later than `max_age` allows",
    Refusal.NOT_LIVE: "`start_journey` named a journey that lets nobody in at present",
    Refusal.OUTSIDE: "the journey's `schedule` was not open at that moment",
    Refusal.NO_KEY: "the event lacks the property that `key` names",
    Refusal.ERASED: "the profile was erased",
    Refusal.RESTRICTED: "the person asked that the data be used for nothing",
    Refusal.SUPPRESSED: "every address of the profile is suppressed",
    Refusal.NO_TIMEZONE: "the profile has no time zone, and `no_timezone: skip` says not to guess",
    Refusal.CONDITION: "`if` did not hold, until `settle` was over where there is one",
    Refusal.ACTIVE: "the person is inside already, with the same key",
    Refusal.NEVER: "the person was inside before, and `reenter: never` says once is enough",
    Refusal.TOO_SOON: "the last run is not as long ago as `reenter.every` asks, or a yearly date came twice within "
    "300 days",
    Refusal.TOO_OFTEN: "`reenter.max` runs are over",
}


def render() -> str:
    return page(
        "Statuses and reasons",
        "`delivery/tables.py`, `delivery/policy.py` and `journeys/admission.py`",
        "Everybody gets a message or a reason. The gates are asked in the order of the reasons, immediately before "
        "each attempt, and the first that is closed is recorded.",
        "## Status of a message",
        table(["status", "meaning"], [(code(status), STATUSES[status]) for status in MessageStatus]),
        "## Why a message was not sent",
        table(["reason", "meaning"], [(code(reason), REASONS[reason]) for reason in Reason]),
        "## Why somebody did not enter a journey",
        table(["reason", "meaning"], [(code(refusal), _REFUSALS[refusal]) for refusal in Refusal]),
    )
