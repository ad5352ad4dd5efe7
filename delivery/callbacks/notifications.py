"""What carries an event: an SNS envelope, an EventBridge envelope, or nothing at all (raw message delivery).

Only queues are read this way: who may write to one is said by its policy, and raw messages have no signature. What
comes over HTTPS is believed by its signature alone, see `sns.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from core.errors import InputError
from core.ids import content_hash

_DEEPEST = 3  # an SNS envelope around an EventBridge envelope around an event


@dataclass(frozen=True, slots=True)
class Notification:
    """`key` is the same for every copy of one notification; `text` is the event inside it."""

    key: str
    text: str = field(repr=False)


def open_notification(body: str) -> Notification:
    """The notification in the body of a queue's message; raises InputError when it holds none."""
    key = ""
    text = body
    for _ in range(_DEEPEST):
        document = decode_object(text)
        if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
            key, text = key or f"sns:{document.get('MessageId')}", document["Message"]
        elif "detail-type" in document and isinstance(document.get("detail"), dict):
            key, text = key or f"eventbridge:{document.get('id')}", _encoded(document["detail"])
        else:
            return Notification(key or f"event:{content_hash(text)}", text)
    raise InputError("this notification is wrapped more often than any service does.")


def decode_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object in `text`; raises InputError when there is none, however deep it is nested."""
    try:
        document: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"this notification holds no JSON object ({type(error).__name__}).") from None
    return document


def _encoded(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document).decode()
