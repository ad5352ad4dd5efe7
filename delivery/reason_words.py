"""How a message can stand and why one was not sent, each in a sentence: for the command line and the documentation."""

from __future__ import annotations

from collections.abc import Mapping

from delivery.policy import Reason
from delivery.tables import MessageStatus

STATUSES: Mapping[MessageStatus, str] = {
    MessageStatus.DUE: "it waits for its instant, for quiet hours to end, or for another try",
    MessageStatus.CLAIMED: "a worker has taken it and has not called the provider yet; safe to send again",
    MessageStatus.SENDING: "the provider is being called at this moment",
    MessageStatus.SENT: "the provider accepted it",
    MessageStatus.UNKNOWN: "the provider was called and nobody knows whether it accepted; marketing is not sent again",
    MessageStatus.FAILED: "the provider refused it for good, or it could not be rendered",
    MessageStatus.SKIPPED: "it was not sent, for one of the reasons below",
    MessageStatus.CANCELLED: "what it came from ended before it was sent",
}
REASONS: Mapping[str, str] = {
    Reason.ERASED: "the profile was erased",
    Reason.RESTRICTED: "the person asked that the data be used for nothing",
    Reason.OBJECTED: "the person objected to marketing",
    Reason.NO_ADDRESS: "there is no address for this channel",
    Reason.SUPPRESSED: "the address bounced, complained, opted out, or was stopped by hand",
    Reason.CONSENT: "no consent for this channel and topic is in force",
    Reason.PAUSED: "the person asked for a pause, which is not over",
    Reason.EXPIRED: "it could not go out before `expires_after` was over",
    Reason.HOLDOUT: "the person is in the workspace's `global_holdout`",
    Reason.LEGAL_HOURS: "the places where the person may be have no hour in common that `legal_hours` allows",
    Reason.CLOSED: "its send window never opens",
    Reason.QUIET_HOURS: "it fell into quiet hours, and `then: drop` says not to wait",
    Reason.NO_TIMEZONE: "the profile has no time zone, and `no_timezone: skip` says not to guess",
    Reason.CAP: "a limit on how many messages one person gets was reached",
    Reason.THROTTLED: "the rate of the provider or of the journey left no room before it expired",
    Reason.RENDER_ERROR: "the template failed for this person; `detail` names the cause",
    Reason.REJECTED: "the provider refused it for good; `detail` names its code",
    Reason.EXIT: "the person left the journey first",
    Reason.STOPPED: "the journey or the launch was stopped",
    Reason.NO_OFFER: "no offer was left that this person may see",
    Reason.RESTORED: "it was due between a backup and its restore, and may have gone out then",
}


def why(status: str, reason: str | None) -> str:
    """The sentence for a message that stands as `status` for `reason`; of a reason that is gone, the word."""
    about = STATUSES[MessageStatus(status)]
    if reason is None:
        return about
    return f"{about}: {REASONS.get(reason, reason)}"
