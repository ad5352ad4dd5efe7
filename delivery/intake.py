"""Taking in what providers tell, wherever it came from: reports, text messages to us, mail to us.

Many callbacks share one transaction, which whoever calls opens; a callback that comes again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from core.database import insert_ignore
from core.runtime import Runtime
from core.vault import Vault
from customers.workspace import Workspace, get_workspace
from delivery.callbacks.events import Incoming
from delivery.callbacks.inbound_mails import InboundMail
from delivery.callbacks.inbound_texts import InboundText
from delivery.callbacks.ses_events import ProviderReport
from delivery.feedback import Recorded, take_report
from delivery.feedback_rates import count_feedback
from delivery.ledger import lock_messages
from delivery.sms_replies import take_text
from delivery.status import ReportKind
from delivery.tables import delivery_event


@dataclass(frozen=True, slots=True)
class Callback:
    """Something that is believed, as it came: `key` is the same for every copy of one notification."""

    key: str
    incoming: Incoming
    document: str = field(repr=False)
    received_at: datetime


LeaveByMail = Callable[[Connection, Workspace, InboundMail], bool]
"""Withdraws what a mail to us names; answers whether it named anything. Handed down by whoever knows our links."""

Store = Callable[[Connection, Sequence[Callback]], list[bool]]


def store_callbacks(runtime: Runtime, leave_by_mail: LeaveByMail | None = None) -> Store:
    """Records callbacks in the caller's transaction; answers for each whether it was new."""

    def store(connection: Connection, callbacks: Sequence[Callback]) -> list[bool]:
        if not callbacks:
            return []
        workspace = get_workspace(connection)
        reports = [one.incoming for one in callbacks if isinstance(one.incoming, ProviderReport)]
        tagged = {report.message_id for report in reports if report.message_id}
        lock_messages(connection, tagged, {report.provider_id for report in reports if report.provider_id})
        recorded = [_take(connection, runtime.vault, workspace, one, leave_by_mail) for one in callbacks]
        novelties = [novelty for one in recorded for novelty in one.novelties]
        count_feedback(connection, novelties, callbacks[-1].received_at)
        return [one.is_new for one in recorded]

    return store


def _take(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    callback: Callback,
    leave_by_mail: LeaveByMail | None,
) -> Recorded:
    incoming, key, document, at = callback.incoming, callback.key, callback.document, callback.received_at
    if isinstance(incoming, InboundText):
        is_new = take_text(connection, vault, workspace, incoming, key=key, document=document, received_at=at)
        return Recorded(is_new)
    if isinstance(incoming, InboundMail):
        return Recorded(_take_mail(connection, workspace, callback, incoming, leave_by_mail))
    return take_report(connection, vault, incoming, key=key, document=document, received_at=at)


def _take_mail(
    connection: Connection,
    workspace: Workspace,
    callback: Callback,
    mail: InboundMail,
    leave_by_mail: LeaveByMail | None,
) -> bool:
    """Nothing of the mail is kept but that it came."""
    row = {
        "key": callback.key,
        "provider_id": mail.provider_id,
        "kind": ReportKind.REPLIED,
        "sub_kind": "mail",
        "occurred_at": callback.received_at,
        "received_at": callback.received_at,
    }
    is_new = bool(insert_ignore(connection, delivery_event, [row], returning=["id"]))
    if is_new and leave_by_mail is not None:
        leave_by_mail(connection, workspace, mail)
    return is_new
