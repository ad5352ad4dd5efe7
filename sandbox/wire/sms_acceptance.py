"""The one way in for an SMS, whichever service it came by, and for a call."""

from __future__ import annotations

import re
import uuid

from sandbox.account import Account
from sandbox.feedback.sms_events import sms_events_of
from sandbox.message import Kind, Message

_E164 = re.compile(r"\+[1-9]\d{6,14}")


def is_phone_number(text: str) -> bool:
    return _E164.fullmatch(text) is not None


def accept_sms(
    account: Account,
    operation: str,
    number: str,
    text: str,
    sender: str,
    message_type: str,
    context: dict[str, str] | None = None,
    configuration_set: str = "",
) -> str:
    """The id of the accepted SMS."""
    message = Message(
        seq=account.store.next_seq(),
        kind=Kind.SMS,
        message_id=str(uuid.uuid4()),
        sender=sender,
        recipients=(number,),
        subject="",
        html="",
        text=text,
        headers=(),
        tags=context or {},
        configuration_set=configuration_set,
        received_at=account.clock.now(),
        operation=operation,
        message_type=message_type,
    )
    account.accept(message)
    account.publish_sms_events(message, sms_events_of(number))
    return message.message_id


def accept_call(
    account: Account,
    number: str,
    text: str,
    caller: str,
    voice: str,
    context: dict[str, str] | None = None,
    configuration_set: str = "",
) -> str:
    """The id of the accepted call; nobody picks up, so nothing is published about it."""
    message = Message(
        seq=account.store.next_seq(),
        kind=Kind.VOICE,
        message_id=str(uuid.uuid4()),
        sender=caller,
        recipients=(number,),
        subject="",
        html="",
        text=text,
        headers=(("Voice", voice),),
        tags=context or {},
        configuration_set=configuration_set,
        received_at=account.clock.now(),
        operation="SendVoiceMessage",
    )
    account.accept(message)
    return message.message_id
