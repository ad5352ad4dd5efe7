"""What the provider's reports make of a message, whatever order they arrive in.

Pure. Callbacks come twice, late and in any order (a click before the delivery, a bounce before our own record), so the
state is a function of the *set* of reports: the earliest instant of each kind.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    REPLIED = "replied"  # somebody wrote to us
    FOREIGN = "foreign"  # about a message that is not ours
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
_FINAL = frozenset({MessageStatus.SKIPPED, MessageStatus.CANCELLED})
# The provider took it and then did not pass it on.
_REFUSALS = frozenset({ReportKind.REJECTED, ReportKind.RENDER_FAILED})


@dataclass(frozen=True, slots=True)
class Report:
    """`provider_id` tells apart the calls of one message: a transactional one may have two."""

    kind: ReportKind
    occurred_at: datetime
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """What all reports together say: `status` is None where they say nothing about it."""

    status: MessageStatus | None
    sent_at: datetime | None
    delivered_at: datetime | None
    bounced_at: datetime | None
    complained_at: datetime | None


def combine(reports: Iterable[Report], accepted_id: str | None = None) -> Reported:
    """The state that a set of reports stands for; the same for any order and any repetition.

    A refusal undoes one call, and another may have been taken: `accepted_id` is the provider's id of the call that our
    own records know to be.
    """
    first: dict[ReportKind, datetime] = {}
    accepted_ids = {accepted_id} - {None}
    refused_ids: set[str | None] = set()
    for report in reports:
        known = first.get(report.kind)
        first[report.kind] = report.occurred_at if known is None else min(known, report.occurred_at)
        if report.kind in _PROOF_OF_ACCEPTANCE:
            accepted_ids.add(report.provider_id)
        elif report.kind in _REFUSALS:
            refused_ids.add(report.provider_id)
    status = None
    if refused_ids:
        status = MessageStatus.FAILED
    if accepted_ids - refused_ids:
        status = MessageStatus.SENT
    return Reported(
        status=status,
        sent_at=min((at for kind, at in first.items() if kind in _PROOF_OF_ACCEPTANCE), default=None),
        delivered_at=first.get(ReportKind.DELIVERED),
        bounced_at=first.get(ReportKind.BOUNCED),
        complained_at=first.get(ReportKind.COMPLAINED),
    )


def next_status(current: MessageStatus, reported: Reported) -> MessageStatus:
    """The row's status after the reports: they settle what was open, unknown, sent or failed, and nothing else.

    A message that waits for its second call was accepted at the first one after all, when a report proves it. One that
    was skipped or cancelled stays so: no call of it can have been taken since.
    """
    return current if reported.status is None or current in _FINAL else reported.status
