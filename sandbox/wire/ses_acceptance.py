"""The one way in for a mail: every check SES makes before it takes one, then the message, its events and its
id.

SendEmail and each entry of SendBulkEmail come through here, so that both refuse for the same reasons in the
same words.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import datetime

from core.clock import to_micros
from sandbox.account import Account
from sandbox.feedback.mail_events import MailEvent, events_of
from sandbox.message import Kind, Message, bare_address
from sandbox.quota import Allowance
from sandbox.wire.protocols import AwsError
from sandbox.wire.ses_shapes import Pair

MAX_RECIPIENTS = 50
MAX_TAGS = 50
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_HEADER_NAME = re.compile(r"[!-9;-@A-~]{1,126}")
_HEADER_VALUE = re.compile(r"[ -~]{1,995}")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail before it is accepted; `headers` are all that the mail would carry."""

    operation: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    tags: list[Pair]
    configuration_set: str


def check_account(account: Account, sender: str, configuration_set: str) -> None:
    """What refuses a whole call. Raises AwsError."""
    behaviour = account.behaviour
    domain = bare_address(sender).rpartition("@")[2].lower()
    if behaviour.suspended:
        raise AwsError(
            "AccountSuspendedException",
            "The account's ability to send email has been permanently restricted.",
        )
    if behaviour.paused:
        raise AwsError("SendingPausedException", "Email sending is disabled for this account.")
    if not domain:
        raise AwsError("BadRequestException", "FromEmailAddress is missing or is no address.")
    if domain in behaviour.unverified:
        raise AwsError("MailFromDomainNotVerifiedException", f"The MAIL FROM domain of {domain} is not verified.")
    if configuration_set and configuration_set not in account.mail_sets:
        raise AwsError("NotFoundException", f"Configuration set <{configuration_set}> does not exist.", 404)


def accept(account: Account, draft: Draft, failure: MailEvent | None = None) -> str:
    """The id of the accepted mail. With `failure` it is accepted and then not sent, as after a rendering
    failure.

    Raises AwsError: BadRequestException, TooManyRequestsException or MessageRejected.
    """
    _check_draft(draft)
    if account.dice.falls("throttle", account.behaviour.throttle):
        raise AwsError("TooManyRequestsException", Allowance.RATE_EXCEEDED.value, 429)
    if account.dice.falls("reject", account.behaviour.reject):
        raise AwsError("MessageRejected", "The message can't be sent because it contains invalid content.")
    allowance = account.take_quota(len(draft.recipients))
    if allowance is not Allowance.GRANTED:
        raise AwsError("TooManyRequestsException", allowance.value, 429)

    now = account.clock.now()
    message = Message(
        seq=account.store.next_seq(),
        kind=Kind.EMAIL,
        message_id=_message_id(now),
        sender=draft.sender,
        recipients=draft.recipients,
        subject=draft.subject,
        html=draft.html,
        text=draft.text,
        headers=draft.headers,
        tags={tag.name: tag.value for tag in draft.tags},
        configuration_set=draft.configuration_set,
        received_at=now,
        operation=draft.operation,
    )
    account.accept(message)
    events = [failure] if failure else events_of(message.recipients, frozenset(account.suppressed))
    account.publish_mail_events(message, events)
    return message.message_id


def _check_draft(draft: Draft) -> None:
    if not draft.recipients:
        raise AwsError("BadRequestException", "The destination has no recipient.")
    if len(draft.recipients) > MAX_RECIPIENTS:
        raise AwsError("BadRequestException", f"Recipient count exceeds {MAX_RECIPIENTS}.")
    for recipient in draft.recipients:
        if not _ADDRESS.fullmatch(bare_address(recipient)):
            raise AwsError("BadRequestException", f"Invalid email address <{recipient}>.")
    if len(draft.tags) > MAX_TAGS:
        raise AwsError("BadRequestException", f"More than {MAX_TAGS} tags.")
    for tag in draft.tags:
        if not _TAG.fullmatch(tag.name) or not _TAG.fullmatch(tag.value):
            raise AwsError("BadRequestException", f"Invalid tag <{tag.name}>: only A-Z, a-z, 0-9, _ and - are allowed.")


def check_headers(headers: list[Pair]) -> None:
    """Raises AwsError for a header that SES would not add."""
    for header in headers:
        if not _HEADER_NAME.fullmatch(header.name) or not _HEADER_VALUE.fullmatch(header.value):
            raise AwsError("BadRequestException", f"Invalid header <{header.name}>.")


def _message_id(now: datetime) -> str:
    digits = f"{random.getrandbits(128):032x}"  # unique is enough here: nothing is kept secret by it
    groups = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return f"01070{to_micros(now) // 1000:011x}-{'-'.join(groups)}-000000"
