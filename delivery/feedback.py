"""Taking a provider's report in: recorded once, the message's state derived from all of them, the address suppressed.

Reports arrive twice and out of order; the result is the same. A hard bounce or a complaint stops the address at once,
also for messages that are already in the queue, because the policy asks again before every attempt. The provider's own
words are sealed for the person they are about, so that they go with that person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from core.database import insert_ignore
from core.errors import NotFoundError, PermanentError
from core.vault import Format, Vault
from customers.consent import WHOLE_CHANNEL, ConsentStatus, NewConsent, record_consents
from customers.log import NewEvent, append_own_events
from customers.suppression import suppress
from customers.touches import touch
from delivery.callbacks.ses_events import TOPIC_LEFT, WHOLE_CHANNEL_LEFT, ProviderReport
from delivery.envelope import MessageRow
from delivery.feedback_rates import Novelty, count_feedback, novelty_of
from delivery.message_log import SOURCE, message_event
from delivery.policy import Reason
from delivery.status import Report, Reported, ReportKind, combine, next_status
from delivery.tables import MessageStatus, OriginKind, delivery_event, message

_SUPPRESSING = {ReportKind.BOUNCED: "bounced", ReportKind.COMPLAINED: "complained"}
_EVENTS = {
    ReportKind.DELIVERED: "message_delivered",
    ReportKind.BOUNCED: "message_bounced",
    ReportKind.COMPLAINED: "message_complained",
    ReportKind.REJECTED: "message_failed",
    ReportKind.RENDER_FAILED: "message_failed",
}
_DOCUMENT = "delivery_event.document"
_OLD_DOCUMENT = "provider_document"  # as it was called while reports were sealed for the workspace


def record_report(
    connection: Connection,
    vault: Vault,
    report: ProviderReport,
    *,
    key: str,
    document: str,
    received_at: datetime,
) -> bool:
    """Record one report under the provider's notification id `key`; False when it was known already."""
    recorded = take_report(connection, vault, report, key=key, document=document, received_at=received_at)
    count_feedback(connection, recorded.novelties, received_at)
    return recorded.is_new


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whether a report was new; `novelties` are to be counted (see `count_feedback`), for a whole batch at once."""

    is_new: bool
    novelties: tuple[Novelty, ...] = ()


def take_report(
    connection: Connection,
    vault: Vault,
    report: ProviderReport,
    *,
    key: str,
    document: str,
    received_at: datetime,
) -> Recorded:
    """`record_report` without counting."""
    row = _find_message(connection, report)
    is_foreign = row is None and report.is_untagged  # somebody else's, and none of our business
    new = insert_ignore(
        connection,
        delivery_event,
        [
            {
                "key": key,
                "message_id": row.id if row else report.message_id,
                "provider_id": report.provider_id,
                "kind": ReportKind.FOREIGN if is_foreign else report.kind,
                "sub_kind": report.sub_kind,
                "occurred_at": report.occurred_at,
                "received_at": received_at,
                "sealed_document": None if is_foreign else seal_callback(vault, row, document, received_at),
            }
        ],
        returning=["id"],
    )
    if not new:
        return Recorded(is_new=False)
    if row is None or _is_known(row, report):
        return Recorded(is_new=True)
    reported = combine(_reports(connection, row.id), row.provider_id)
    names = [_EVENTS[report.kind]] if report.kind in _EVENTS else []
    if _apply(connection, row, reported, received_at) is MessageStatus.SENT:
        names.append("message_sent")  # it was unknown, or its worker died before it could say so
    _suppress(connection, row, report)
    if not names or row.origin_kind == OriginKind.TEST:
        touch(connection, [row.profile_id])
    if row.origin_kind == OriginKind.TEST:
        return Recorded(is_new=True)  # the address is that of whoever tests, and no part of this person's history
    _withdraw(connection, row, report, key, received_at)
    events = [message_event(name, row, report.occurred_at, reason=report.sub_kind) for name in names]
    if append_own_events(connection, events, received_at) < len(events):  # a second report of one kind
        touch(connection, [row.profile_id])
    after = {name: getattr(reported, name) for name in ("delivered_at", "bounced_at", "complained_at")}
    novelty = novelty_of(row, after, report.occurred_at)
    return Recorded(True, (novelty,) if novelty is not None else ())


def open_document(connection: Connection, vault: Vault, event_id: int) -> str | None:
    """What the provider wrote in the report `event_id`; None when nothing is kept of it.

    Raises NotFoundError when there is no such report, or when its key was destroyed: its person was erased, or nobody
    knew whose it was and its day is over.
    """
    query = select(delivery_event.c.sealed_document, message.c.profile_id, message.c.origin_profile_id)
    joined = delivery_event.outerjoin(message, message.c.id == delivery_event.c.message_id)
    row = connection.execute(query.select_from(joined).where(delivery_event.c.id == event_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no delivery event {event_id}.")
    sealed = row.sealed_document
    if sealed is None:
        return None
    if sealed[0] == Format.DAY:
        return vault.open_for_day(_DOCUMENT, sealed)
    if sealed[0] == Format.PROFILE and row.profile_id is not None:
        try:
            return vault.open(_owner(row), _DOCUMENT, sealed)
        except PermanentError:
            pass  # the workspace's old form begins with the same byte
    return vault.open_for_workspace(_OLD_DOCUMENT, sealed)


def seal_callback(vault: Vault, row: MessageRow | None, document: str, received_at: datetime) -> bytes:
    """For the message's person; for the day while nobody knows which message is meant, or who was erased since."""
    if row is None or not vault.has_key(_owner(row)):
        return vault.seal_for_day(_DOCUMENT, document, received_at.astimezone(UTC).date())
    return vault.seal(_owner(row), _DOCUMENT, document)


def _owner(row: Any) -> int:
    """Whose key seals it: after a merge, still that of the profile that the message was for."""
    return int(row.origin_profile_id or row.profile_id)


def _is_known(row: MessageRow, report: ProviderReport) -> bool:
    """Half of all reports say only what our own record of the call says already."""
    return report.kind is ReportKind.SENT and row.status == MessageStatus.SENT and row.provider is not None


def _find_message(connection: Connection, report: ProviderReport) -> MessageRow | None:
    by_provider = message.c.provider_id == report.provider_id
    mine = or_(message.c.id == report.message_id, by_provider) if report.message_id else by_provider
    return connection.execute(select(message).where(mine).limit(1).with_for_update()).one_or_none()


def _apply(connection: Connection, row: MessageRow, reported: Reported, received_at: datetime) -> MessageStatus | None:
    """Bring the row to what all its reports say; answers the status that this settled, or None."""
    status = next_status(MessageStatus(row.status), reported)
    settled = status != row.status
    connection.execute(
        update(message)
        .where(message.c.id == row.id)
        .values(
            status=status,
            sent_at=row.sent_at if row.provider is not None else reported.sent_at,  # our own record goes first
            reason=row.reason if not settled else Reason.REJECTED if status == MessageStatus.FAILED else None,
            ended_at=(row.ended_at or received_at) if settled else row.ended_at,
            delivered_at=reported.delivered_at,
            bounced_at=reported.bounced_at,
            complained_at=reported.complained_at,
        )
    )
    return status if settled else None


def _reports(connection: Connection, message_id: str) -> Sequence[Report]:
    rows = connection.execute(
        select(delivery_event.c.kind, delivery_event.c.occurred_at, delivery_event.c.provider_id).where(
            delivery_event.c.message_id == message_id
        )
    )
    return [Report(ReportKind(kind), occurred_at, provider_id) for kind, occurred_at, provider_id in rows]


def _suppress(connection: Connection, row: MessageRow, report: ProviderReport) -> None:
    reason = _SUPPRESSING.get(report.kind)
    if reason and row.lookup:
        suppress(connection, row.channel, row.lookup, reason, SOURCE, report.occurred_at)


def _withdraw(connection: Connection, row: MessageRow, report: ProviderReport, key: str, received_at: datetime) -> None:
    """What somebody left by the provider's own pages is left with us as well."""
    topic = {WHOLE_CHANNEL_LEFT: WHOLE_CHANNEL, TOPIC_LEFT: row.topic}.get(report.sub_kind or "")
    if report.kind is not ReportKind.UNSUBSCRIBED or topic is None or not row.lookup:
        return
    status, at = ConsentStatus.WITHDRAWN, report.occurred_at
    entry = NewConsent(
        row.lookup, row.channel, topic, status, None, "provider", at, row.profile_id, f"subscription:{key}"
    )
    if record_consents(connection, [entry], received_at):
        properties = {"channel": row.channel, "topic": topic, "source": "provider", "message_id": row.id}
        names = ("unsubscribed", "consent_withdrawn")
        events = [NewEvent(name, at, SOURCE, f"{name}:{key}", row.profile_id, properties) for name in names]
        append_own_events(connection, events, received_at)
