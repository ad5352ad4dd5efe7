"""Sends one marked copy of a template to somebody who wants to look at it, by the real transport.

It is what a preview is, sent: links lead straight to where they would, nothing is measured, the ways out lead nowhere,
and its events stand in nobody's history. The ledger has a row for it, so that nothing goes out without one; it is
never sent a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select, update

from campaigns.envelopes import Outside, build_envelope, find_sender
from campaigns.preview import Preview, preview_template
from campaigns.published_templates import PublishedTemplate, load_template
from core.errors import ConflictError, InputError
from core.ids import random_id
from core.runtime import Runtime
from customers.addresses import normalise
from customers.profiles import Address
from customers.suppression import find_suppressed
from customers.tables import IdentityKind
from customers.tracking_consent import OpenTracking
from customers.workspace import Workspace, get_workspace
from delivery.envelope import Envelope
from delivery.ledger import LEASE, Outcome, begin_sending, record_outcomes
from delivery.outbox import NewMessage, enqueue
from delivery.pauses import EVERYTHING, find_pauses
from delivery.pinned import PINNED, address_for
from delivery.providers.transport import Reaction, Transport, TransportError
from delivery.tables import MessageKind, MessageStatus, OriginKind, message
from delivery.templates import Rendered

MARK = "[Test] "
_KINDS = {"email": IdentityKind.EMAIL, "sms": IdentityKind.PHONE}
_WORKER = "test-copy"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that the provider took."""

    message_id: str
    provider: str
    provider_id: str


def send_copy(
    runtime: Runtime,
    transports: Mapping[str, Transport],
    template: str,
    profile_id: int,
    to: str,
    *,
    entry: Mapping[str, Any] | None = None,
) -> Copy:
    """One copy of the published `template`, as `profile_id` would get it, to the address or number `to`.

    Raises InputError for a wrong address, ConflictError when it is suppressed, sending is paused, or the provider does
    not take it.
    """
    return send_rendered(
        runtime, transports, preview_template(runtime, template, profile_id, entry=entry), profile_id, to
    )


def send_rendered(
    runtime: Runtime,
    transports: Mapping[str, Transport],
    rendered: Preview,
    profile_id: int,
    to: str,
    *,
    mark: str = MARK,
    sender: str | None = None,
) -> Copy:
    """As `send_copy`, of what was rendered already; `mark` stands before the subject, or before the text of an SMS.

    The row belongs to `profile_id`, whoever it was rendered for. `sender` is the template's own unless it is given.
    """
    envelope = _begin(runtime, rendered, profile_id, to, mark, sender)
    try:
        transport = transports[envelope.route]
        accepted = transport.send(envelope)
    except TransportError as error:
        is_unknown = error.reaction is Reaction.UNKNOWN
        status, word = (MessageStatus.UNKNOWN, "unknown") if is_unknown else (MessageStatus.FAILED, "failed")
        _record(runtime, Outcome(envelope.message_id, 1, status, word, envelope.route, error_code=error.code))
        may = "may or may not have" if is_unknown else "has not"
        raise ConflictError(f"the provider {may} taken the test: it answered {error.code}.") from error
    taken = Outcome(
        envelope.message_id, 1, MessageStatus.SENT, "accepted", transport.name, provider_id=accepted.provider_id
    )
    _record(runtime, taken)
    return Copy(envelope.message_id, transport.name, accepted.provider_id)


def check_recipient(runtime: Runtime, channel: str, to: str) -> None:
    """Raise InputError when a test cannot go there, ConflictError when the address is suppressed or all is paused."""
    with runtime.database.read() as connection:
        address = _address(runtime, get_workspace(connection), channel, to)
        _check_open(runtime, connection, channel, address, None)


def _begin(runtime: Runtime, rendered: Preview, profile_id: int, to: str, mark: str, sender: str | None) -> Envelope:
    """Write the row, claimed and `sending` from its first moment, so that no worker ever takes it for its own."""
    now, message_id = runtime.clock.now(), random_id()
    with runtime.database.transaction() as connection:
        workspace = get_workspace(connection)
        template = load_template(connection, rendered.template, rendered.version)
        address = _address(runtime, workspace, rendered.channel, to)
        sender = sender or template.source.sender
        _check_open(runtime, connection, rendered.channel, address, sender)
        draft = NewMessage(
            id=message_id,
            profile_id=profile_id,
            channel=rendered.channel,
            topic=template.source.topic or "",
            template=template.slug,
            origin_kind=OriginKind.TEST,
            origin=template.slug,
            origin_id=message_id,
            due_at=now,
            kind=MessageKind.TRANSACTIONAL,
            sender=sender,
            context={PINNED: address.value},
        )
        enqueue(connection, runtime.vault, [draft], now)
        connection.execute(
            update(message)
            .where(message.c.id == message_id)
            .values(status=MessageStatus.CLAIMED, claimed_by=_WORKER, claimed_at=now, lease_until=now + LEASE)
        )
        row = connection.execute(select(message).where(message.c.id == message_id)).one()
        envelope = _envelope(workspace, template, row, address, rendered, mark)
        begin_sending(connection, runtime.vault, _WORKER, [envelope], {message_id: row}, now)
    return envelope


def _envelope(
    workspace: Workspace, template: PublishedTemplate, row: Any, address: Address, rendered: Preview, mark: str
) -> Envelope:
    is_mail = rendered.channel == "email"
    subject, text = (mark + rendered.subject, rendered.text) if is_mail else ("", mark + rendered.text)
    envelope = build_envelope(
        row,
        address,
        find_sender(workspace, row, row.sender),
        Rendered(subject, rendered.preheader, rendered.html, text),
        workspace=workspace,
        outside=Outside(),
        unsubscribe_headers={},
        template_hash=template.compiled.content_hash,
        decision_id=None,
        links={},
        opens=OpenTracking.OFF,
    )
    return envelope if is_mail else replace(envelope, opens=None)


def _address(runtime: Runtime, workspace: Workspace, channel: str, to: str) -> Address:
    kind = _KINDS.get(channel)
    if kind is None:
        raise InputError(f"a test can be sent by e-mail and by text, and the template is for {channel}.")
    return address_for(runtime.vault, channel, normalise(kind, to, workspace.country))


def _check_open(runtime: Runtime, connection: Connection, channel: str, address: Address, sender: str | None) -> None:
    if find_suppressed(connection, channel, [address.lookup]):
        raise ConflictError("this address is suppressed, because it bounced, complained or was stopped by hand.")
    paused = find_pauses(connection, runtime.clock.now())
    for scope in (EVERYTHING, f"channel:{channel}", f"sender:{sender}"):
        if scope in paused:
            raise ConflictError(f"{scope} is paused: {paused[scope]}; see `postilion pauses`.")


def _record(runtime: Runtime, outcome: Outcome) -> None:
    with runtime.database.transaction() as connection:
        record_outcomes(connection, [outcome], runtime.clock.now())
