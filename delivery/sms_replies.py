"""What people answer by text message: STOP, START and HELP are done at once, and everything else is for a person.

The words are sealed: for the person they are from, or for the day where nobody knows who that is. An answer of ours is
a transactional message of the ledger that lapses after five minutes, and goes only where the sender names a template.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from core.clock import to_micros
from core.database import insert_ignore
from core.definitions import get_definition
from core.errors import InputError, NotFoundError
from core.ids import derived_id
from core.vault import Vault
from customers.addresses import normalise
from customers.identities import lookup_of, resolve
from customers.ownership import survivor_of
from customers.tables import IdentityKind
from customers.task_tables import Priority, TaskKind
from customers.tasks import NewTask, create_tasks
from customers.workspace import Workspace
from delivery.callbacks.inbound_texts import InboundText, Word
from delivery.envelope import MessageRow
from delivery.feedback import seal_callback
from delivery.front_matter import parse_template
from delivery.opt_outs import REPLY, record_opt_out, take_back_opt_out
from delivery.outbox import NewMessage, enqueue
from delivery.status import ReportKind
from delivery.tables import MessageKind, OriginKind, delivery_event, message

log = logging.getLogger(__name__)

_ANSWERED_WITHIN = timedelta(minutes=5)
_HELPED_ONCE_IN = timedelta(hours=1)  # two machines that ask each other for help would never end
_READ_WITHIN = timedelta(days=1)


def take_text(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    text: InboundText,
    *,
    key: str,
    document: str,
    received_at: datetime,
) -> bool:
    """Record a text message to us under `key` and do what it asks for; False when it was known already."""
    answered = _find_answered(connection, text)
    row = {
        "key": key,
        "message_id": answered.id if answered else None,
        "provider_id": text.provider_id,
        "kind": ReportKind.REPLIED,
        "sub_kind": text.word,
        "occurred_at": received_at,
        "received_at": received_at,
        "sealed_document": seal_callback(vault, answered, document, received_at),
    }
    if not insert_ignore(connection, delivery_event, [row], returning=["id"]):
        return False
    try:
        number = normalise(IdentityKind.PHONE, text.origin, workspace.country)
    except InputError:
        return True  # a short code or a name: no person, and there is nothing to answer to
    lookup = lookup_of(vault, IdentityKind.PHONE, number)
    profile_id = _find_writer(connection, vault, number, answered, received_at)
    cause = f"sms:{text.provider_id}"  # the same, however often and by whatever way the message comes
    match text.word:
        case Word.STOP:
            left = record_opt_out(connection, lookup, profile_id, key=cause, source=REPLY, at=received_at)
            if left:  # one confirmation, however often it is said
                _answer(connection, vault, workspace, text, profile_id, cause, received_at)
        case Word.START:
            if take_back_opt_out(connection, lookup, profile_id, key=cause, at=received_at):
                _answer(connection, vault, workspace, text, profile_id, cause, received_at)
        case Word.HELP:
            turn = to_micros(received_at) // (_HELPED_ONCE_IN // timedelta(microseconds=1))
            _answer(connection, vault, workspace, text, profile_id, f"{lookup}:{turn}", received_at)
        case Word.OTHER:
            _ask_somebody(connection, vault, workspace, text, number, profile_id, received_at)
    return True


def _find_answered(connection: Connection, text: InboundText) -> MessageRow | None:
    """The message that this answers, where the provider knows it."""
    if text.reply_to is None:
        return None
    return connection.execute(select(message).where(message.c.provider_id == text.reply_to).limit(1)).one_or_none()


def _find_writer(
    connection: Connection, vault: Vault, number: str, answered: MessageRow | None, now: datetime
) -> int | None:
    """Whom we wrote to, where this is an answer to that; else whoever has the number."""
    if answered is not None:
        return survivor_of(connection, answered.profile_id)
    return resolve(connection, vault, {IdentityKind.PHONE: number}, now, create=False)


def _answer(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    text: InboundText,
    profile_id: int | None,
    cause: str,
    now: datetime,
) -> None:
    """Queue the sender's answer to `text.word`, to somebody we know."""
    name, template = _find_reply(workspace, text)
    if template is None or profile_id is None:
        return
    try:
        published = get_definition(connection, "template", template)
        source, _faults = parse_template(published.source, published.file)
        topic = source.topic if source is not None else None
    except NotFoundError:
        topic = None
    if topic is None:
        log.warning("the sender %s answers by the template %s, which is not published or has no topic", name, template)
        return
    answer = NewMessage(
        id=derived_id("sms_reply", text.word, cause),
        profile_id=profile_id,
        channel="sms",
        topic=topic,
        template=template,
        sender=name,
        origin_kind=OriginKind.REPLY,
        origin=text.word,
        origin_id=derived_id("sms_reply", cause),
        due_at=now,
        expires_at=now + _ANSWERED_WITHIN,
        kind=MessageKind.TRANSACTIONAL,
        priority=100,
    )
    enqueue(connection, vault, [answer], now)


def _find_reply(workspace: Workspace, text: InboundText) -> tuple[str | None, str | None]:
    """The sender that was written to, and its template for this word."""
    senders = {name: one for name, one in workspace.senders.items() if one.channel == "sms"}
    for name, one in senders.items():
        if one.address == text.destination:
            return name, one.replies.get(text.word)
    return None, None


def _ask_somebody(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    text: InboundText,
    number: str,
    profile_id: int | None,
    now: datetime,
) -> None:
    """Lay the words before a person, as a service request; what may be a refusal goes first."""
    if not text.text.strip():
        return
    if profile_id is None:
        profile_id = resolve(connection, vault, {IdentityKind.PHONE: number}, now)
    title = "A text message that may be a refusal" if text.may_refuse else "A text message to answer"
    is_nobody = profile_id is None  # erased; their words end with their day
    request = NewTask(
        id=derived_id("inbound_text", text.provider_id),
        title=f"{title}, from somebody who was erased" if is_nobody else title,
        kind=TaskKind.SERVICE_REQUEST,
        profile_id=profile_id,
        body="" if is_nobody else text.text,
        priority=Priority.HIGH if text.may_refuse else Priority.NORMAL,
        due_at=now + _READ_WITHIN if text.may_refuse else None,
    )
    create_tasks(connection, vault, workspace, [request], now)
