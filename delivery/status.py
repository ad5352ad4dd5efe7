"""What the provider's reports make of a message, whatever order they arrive in.

Pure. Callbacks come twice, late and in any order (a click before the delivery, a bounce before our own record), so the
state is a function of the *set* of reports: the earliest instant of each kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from delivery.tables import MessageStatus


class ReportKind(StrEnum):
    """A provider's report in our words; the raw document is kept beside it."""

    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    SOFT_BOUNCED = "soft_bounced"
    COMPLAINED = "complained"
    REJECTED = "rejected"
    RENDER_FAILED = "render_failed"
    DELAYED = "delayed"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    UNKNOWN = "unknown"


# Reports that can only exist when the provider took the message.
_PROOF_OF_ACCEPTANCE = frozenset(
    {
        ReportKind.SENT,
        ReportKind.DELIVERED,
        ReportKind.BOUNCED,
        ReportKind.SOFT_BOUNCED,
        ReportKind.COMPLAINED,
        ReportKind.DELAYED,
        ReportKind.OPENED,
        ReportKind.CLICKED,
    }
)
# The provider took it and then did not pass it on.
_REFUSALS = frozenset({ReportKind.REJECTED, ReportKind.RENDER_FAILED})


@dataclass(frozen=True, slots=True)
class Report:
    kind: ReportKind
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Reported:
    """What all reports together say: `status` is None where they say nothing about it."""

    status: MessageStatus | None
    sent_at: datetime | None
    delivered_at: datetime | None
    bounced_at: datetime | None
    complained_at: datetime | None


def combine(reports: Iterable[Report]) -> Reported:
    """The state that a set of reports stands for; the same for any order and any repetition."""
    first: dict[ReportKind, datetime] = {}
    for report in reports:
        known = first.get(report.kind)
        first[report.kind] = report.occurred_at if known is None else min(known, report.occurred_at)
    accepted = [at for kind, at in first.items() if kind in _PROOF_OF_ACCEPTANCE]
    refused = any(kind in _REFUSALS for kind in first)
    taken = MessageStatus.SENT if accepted else None
    return Reported(
        status=MessageStatus.FAILED if refused else taken,
        sent_at=min(accepted, default=None),
        delivered_at=first.get(ReportKind.DELIVERED),
        bounced_at=first.get(ReportKind.BOUNCED),
        complained_at=first.get(ReportKind.COMPLAINED),
    )


def next_status(current: MessageStatus, reported: Reported) -> MessageStatus:
    """The row's status after the reports: they settle what was open or unknown, and a refusal undoes `sent`.

    A message that waits for its second call was accepted at the first one after all, when a report proves it.
    """
    if reported.status is None:
        return current
    open_states: Mapping[MessageStatus, bool] = {
        MessageStatus.DUE: reported.status is MessageStatus.SENT,
        MessageStatus.CLAIMED: reported.status is MessageStatus.SENT,
        MessageStatus.SENDING: True,
        MessageStatus.UNKNOWN: True,
        MessageStatus.SENT: reported.status is MessageStatus.FAILED,
    }
    return reported.status if open_states.get(current, False) else current
