"""What comes in from people, in the words and shapes of AWS: a text message to a number, a mail to an address. Pure.

Shapes: AWS End User Messaging User Guide, "Two-way SMS payload"; Amazon SES Developer Guide, "Contents of notifications
for Amazon SES email receiving".
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import msgspec

from sandbox.feedback.publisher import timestamp


class TextFromSomebody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reply_to` is the id of the message that is answered."""

    origin: str
    destination: str
    text: str
    reply_to: str = ""


class MailFromSomebody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sender: str
    recipients: tuple[str, ...]
    subject: str = ""


def text_document(text: TextFromSomebody) -> dict[str, Any]:
    document = {
        "originationNumber": text.origin,
        "destinationNumber": text.destination,
        "messageKeyword": "KEYWORD_SANDBOX",
        "messageBody": text.text,
        "inboundMessageId": str(uuid.uuid4()),
    }
    return document | ({"previousPublishedMessageId": text.reply_to} if text.reply_to else {})


def mail_document(mail: MailFromSomebody, now: datetime) -> dict[str, Any]:
    verdicts = {f"{name}Verdict": {"status": "PASS"} for name in ("spam", "virus", "spf", "dkim", "dmarc")}
    return {
        "notificationType": "Received",
        "mail": {
            "timestamp": timestamp(now),
            "source": mail.sender,
            "messageId": uuid.uuid4().hex,
            "destination": list(mail.recipients),
            "headersTruncated": False,
            "headers": [{"name": "Subject", "value": mail.subject}],
            "commonHeaders": {"from": [mail.sender], "to": list(mail.recipients), "subject": mail.subject},
        },
        "receipt": {
            "timestamp": timestamp(now),
            "processingTimeMillis": 1,
            "recipients": list(mail.recipients),
            **verdicts,
            "action": {"type": "SNS", "encoding": "UTF8"},
        },
        "content": f"Subject: {mail.subject}\r\n\r\n",
    }
