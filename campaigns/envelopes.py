"""The outside of a message: sender, headers, tags and provider's settings around what was rendered. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formataddr, parseaddr
from functools import lru_cache
from typing import Any

from campaigns.definition import Campaign
from core.errors import NotFoundError
from customers.profiles import Address
from customers.workspace import Sender, Workspace
from delivery.callbacks.ses_events import MESSAGE_TAG
from delivery.envelope import Envelope, MessageRow
from delivery.sms import fold
from delivery.tables import MessageKind
from delivery.templates import Rendered

_NO_TAG = re.compile(r"[^A-Za-z0-9_-]")  # what SES refuses in a tag
_TAG_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Outside:
    """What a campaign or a step writes on the outside of its messages, beside what its sender says.

    `visible_sender` is another name, or another name and address; `ttl_s` is for how long the provider may try.
    """

    visible_sender: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ttl_s: int | None = None

    @classmethod
    def of_campaign(cls, campaign: Campaign) -> Outside:
        ttl_s = int(campaign.ttl.total_seconds()) if campaign.ttl else None
        return cls(campaign.visible_sender, campaign.reply_to, campaign.headers, ttl_s)

    @classmethod
    def of_document(cls, stated: Mapping[str, Any]) -> Outside:
        """As the context of a journey's message keeps it, in the words of the file."""
        return cls(stated.get("from"), stated.get("reply_to"), stated.get("headers") or {}, stated.get("ttl"))


def find_sender(workspace: Workspace, row: MessageRow, template_sender: str | None) -> Sender:
    """Who a message comes from: as its row says, else its template, else the first sender of its channel.

    Raises NotFoundError when the workspace has no such sender.
    """
    sender = workspace.get_sender(row.channel, row.sender or template_sender)
    if sender.channel != row.channel:
        raise NotFoundError(f"the sender {row.sender or template_sender!r} is for {sender.channel}, not {row.channel}.")
    return sender


def build_envelope(
    row: MessageRow,
    address: Address,
    sender: Sender,
    rendered: Rendered,
    *,
    workspace: Workspace,
    outside: Outside,
    unsubscribe_headers: Mapping[str, str],
    template_hash: str,
    decision_id: str | None,
    links: Mapping[str, str],
    opens: str,
    columns: Mapping[str, str] | None = None,
) -> Envelope:
    """The envelope of one message; `unsubscribe_headers` are those of RFC 8058, empty for a transactional one.

    `columns` are the address of a letter.
    """
    common = {
        "message_id": row.id,
        "channel": row.channel,
        "kind": MessageKind(row.kind),
        "recipient": address.value,
        "lookup": address.lookup,
        "tags": _tags(row),
        "configuration_set": sender.configuration_set or "",
        "template_hash": template_hash,
        "decision_id": decision_id,
        "links": links,
        "transport": sender.transport or "",
    }
    if row.channel != "email":
        text = fold(rendered.text) if row.channel == "sms" else rendered.text
        return Envelope(
            **common, sender=sender.address, text=text, details=_details(row.channel, sender, outside, columns)
        )
    return Envelope(
        **common,
        opens=opens,
        sender=_mailbox(sender, outside.visible_sender),
        reply_to=outside.reply_to or sender.reply_to or "",
        subject=rendered.subject,
        html=rendered.html,
        pieces=rendered.pieces,
        text_pieces=rendered.text_pieces,
        text=rendered.text,
        headers={
            **outside.headers,
            **unsubscribe_headers,
            "Feedback-ID": _feedback_id(row, workspace),
        },
    )


def _mailbox(sender: Sender, visible: str | None) -> str:
    """`Name <address>`, with what a campaign or a step shows instead."""
    if not visible:
        return _address(sender.name, sender.address)
    return _address(visible, sender.address) if "@" not in visible else _address(*parseaddr(visible))


@lru_cache(maxsize=256)
def _address(name: str, address: str) -> str:
    """RFC 5322; the same for every mail of a campaign, and slow to write."""
    return formataddr((name, address)) if name else address


def _details(channel: str, sender: Sender, outside: Outside, columns: Mapping[str, str] | None) -> dict[str, Any]:
    """What one channel alone knows."""
    if channel == "letter":
        return {"columns": dict(columns or {})}
    stated = {"voice": sender.voice if channel == "voice" else None, "ttl_s": outside.ttl_s}
    return {name: value for name, value in stated.items() if value}


def _tags(row: MessageRow) -> dict[str, str]:
    """What comes back with every event of the message; `mid` is how its row is found."""
    tags = {MESSAGE_TAG: row.id, row.origin_kind: row.origin, "step": row.step, "variant": row.variant}
    return {name: tag_value(value) for name, value in tags.items() if value}


@lru_cache(maxsize=4096)
def tag_value(text: str) -> str:
    """`text` in the characters that a tag may have."""
    return _NO_TAG.sub("-", text)[:_TAG_LENGTH]


def _feedback_id(row: MessageRow, workspace: Workspace) -> str:
    """By which mailbox providers group complaints: campaign, variant or step, kind, and last who sends."""
    parts = (row.origin, row.variant or row.step or "all", row.kind, workspace.slug)
    return ":".join(tag_value(part)[:60] for part in parts)
