"""`reasons.md`: how a message can stand and why one was not sent, from `delivery.policy` and `delivery.tables`."""

from __future__ import annotations

from delivery.policy import Reason
from delivery.tables import MessageStatus
from docs.pages.markdown import code, page, table
from journeys.admission import Refusal

_STATUSES = {
    MessageStatus.DUE: "it waits for its instant, for quiet hours to end, or for another try",
    MessageStatus.CLAIMED: "a worker has taken it and has not called the provider yet; safe to send again",
    MessageStatus.SENDING: "the provider is being called at this moment",
    MessageStatus.SENT: "the provider accepted it",
    MessageStatus.UNKNOWN: "the provider was called and nobody knows whether it accepted; marketing is not sent again",
    MessageStatus.FAILED: "the provider refused it for good, or it could not be rendered",
    MessageStatus.SKIPPED: "it was not sent, for one of the reasons below",
    MessageStatus.CANCELLED: "what it came from ended before it was sent",
}
_REASONS = {
    Reason.ERASED: "the profile was erased",
    Reason.RESTRICTED: "the person asked that the data be used for nothing",
    Reason.OBJECTED: "the person objected to marketing",
    Reason.NO_ADDRESS: "there is no address for this channel",
    Reason.SUPPRESSED: "the address bounced, complained, opted out, or was stopped by hand",
    Reason.CONSENT: "no consent for this channel and topic is in force",
    Reason.EXPIRED: "it could not go out before `expires_after` was over",
    Reason.HOLDOUT: "the person is in the workspace's `global_holdout`",
    Reason.QUIET_HOURS: "it fell into quiet hours, and `then: drop` says not to wait",
    Reason.NO_TIMEZONE: "the profile has no time zone, and `no_timezone: skip` says not to guess",
    Reason.CAP: "a limit on how many messages one person gets was reached",
    Reason.THROTTLED: "the provider's rate left no room before it expired",
    Reason.RENDER_ERROR: "the template failed for this person; `detail` names the cause",
    Reason.REJECTED: "the provider refused it for good; `detail` names its code",
    Reason.EXIT: "the person left the journey first",
    Reason.STOPPED: "the journey or the launch was stopped",
    Reason.NO_OFFER: "no offer was left that this person may see",
    Reason.RESTORED: "it was due between a backup and its restore, and may have gone out then",
}
_REFUSALS = {
    Refusal.LATE: "the event arrived later than `max_age` allows",
    Refusal.NO_KEY: "the event lacks the property that `key` names",
    Refusal.ERASED: "the profile was erased",
    Refusal.RESTRICTED: "the person asked that the data be used for nothing",
    Refusal.SUPPRESSED: "every address of the profile is suppressed",
    Refusal.CONDITION: "`if` did not hold",
    Refusal.ACTIVE: "the person is inside already, with the same key",
    Refusal.NEVER: "the person was inside before, and `reenter: never` says once is enough",
    Refusal.TOO_SOON: "the last run is not as long ago as `reenter.every` asks",
    Refusal.TOO_OFTEN: "`reenter.max` runs are over",
}


def render() -> str:
    return page(
        "Statuses and reasons",
        "`delivery/tables.py`, `delivery/policy.py` and `journeys/admission.py`",
        "Everybody gets a message or a reason. The gates are asked in the order of the reasons, immediately before "
        "each attempt, and the first that is closed is recorded.",
        "## Status of a message",
        table(["status", "meaning"], [(code(status), _STATUSES[status]) for status in MessageStatus]),
        "## Why a message was not sent",
        table(["reason", "meaning"], [(code(reason), _REASONS[reason]) for reason in Reason]),
        "## Why somebody did not enter a journey",
        table(["reason", "meaning"], [(code(refusal), _REFUSALS[refusal]) for refusal in Refusal]),
    )
