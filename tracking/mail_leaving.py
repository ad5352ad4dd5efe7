"""Unsubscribing by mail: whoever writes to the address in List-Unsubscribe leaves the topic of that message."""

from __future__ import annotations

from sqlalchemy import Connection

from core.runtime import Runtime
from customers.workspace import Workspace
from delivery.callbacks.inbound_mails import InboundMail
from delivery.intake import LeaveByMail
from tracking.mailto import read_mail
from tracking.pages.unsubscribe import Scope, Unsubscribe, record_unsubscribe
from tracking.tokens import KeyRing

_SOURCE = "unsubscribe_mail"


def leaving_by_mail(runtime: Runtime) -> LeaveByMail:
    """What `delivery.intake.store_callbacks` asks for: a mail with a token of ours withdraws what that stands for."""
    key_ring = KeyRing.derive(runtime.vault.signing_key, runtime.vault.key_version)

    def leave(connection: Connection, workspace: Workspace, mail: InboundMail) -> bool:
        handle = read_mail(key_ring, mail.recipients, mail.subject)
        if handle is None:
            return False
        request = Unsubscribe(handle, Scope.TOPIC, _SOURCE, mail.received_at)
        return record_unsubscribe(connection, runtime.vault, workspace, request)

    return leave
