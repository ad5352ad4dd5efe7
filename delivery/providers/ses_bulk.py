"""Amazon SES v2 `SendBulkEmail`: up to 50 mails a call, each with its own tags, headers and outcome.

Where the mails of a call come from the same branches of one template, the template's words travel once and only values
travel for each; else the whole HTML is the only value. All placeholders have three braces: whether SES escapes those
with two makes no difference, and the HTML is escaped already. It serves e-mail where `POSTILION_TRANSPORTS` says
`email=ses_bulk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import msgspec

from delivery.envelope import Envelope
from delivery.providers.ses_fast import FastSesTransport
from delivery.providers.transport import Accepted, Reaction, TransportError

MOST_TOGETHER = 50
MOST_BYTES = 1_000_000  # of a request with its template inside; SES takes 1 MB
MOST_DATA = 262_144  # characters of one mail's values
_WORTH_A_TEMPLATE = 10  # mails of one skeleton; with fewer the whole HTML travels, and more of them together
_NAME = 16  # of one value, with the marks around it
_OVERHEAD = 2_000  # around one mail: its address, tags, headers and the names of its values
_BULK = "/v2/email/outbound-bulk-emails"
# The meaning of each entry's status: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BulkEmailEntryResult.html
_REACTIONS: Mapping[str, Reaction] = {
    "MESSAGE_REJECTED": Reaction.REJECT,
    "INVALID_PARAMETER": Reaction.REJECT,
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": Reaction.PAUSE_SENDER,
    "CONFIGURATION_SET_NOT_FOUND": Reaction.PAUSE_SENDER,
    "TEMPLATE_NOT_FOUND": Reaction.PAUSE_SENDER,
    "INVALID_SENDING_POOL_NAME": Reaction.PAUSE_SENDER,
    "CONFIGURATION_SET_SENDING_PAUSED": Reaction.PAUSE_CHANNEL,
    "ACCOUNT_SENDING_PAUSED": Reaction.PAUSE_CHANNEL,
    "ACCOUNT_SUSPENDED": Reaction.STOP,
    "ACCOUNT_THROTTLED": Reaction.SLOW_DOWN,
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": Reaction.WAIT_FOR_QUOTA,
    "TRANSIENT_FAILURE": Reaction.RETRY,
}
_encode = msgspec.json.Encoder().encode

_Part = tuple[dict[str, str], list[dict[str, str]]]  # the template's content, and the values of each mail


class BulkSesTransport(FastSesTransport):
    """One mail alone goes as `SendEmail` does."""

    name = "ses_bulk"

    def count_together(self, envelopes: Sequence[Envelope]) -> int:
        outside = _outside(envelopes[0])
        alike = list(takewhile(lambda one: _outside(one) == outside, envelopes[:MOST_TOGETHER]))
        skeleton = alike[0].pieces.skeleton if alike[0].pieces else None
        same = list(takewhile(lambda one: one.pieces is not None and one.pieces.skeleton == skeleton, alike))
        if skeleton and len(same) >= min(_WORTH_A_TEMPLATE, len(alike)) and _words_fit(skeleton):
            return _fitting(map(_size_of_values, same), beside=sum(_size(word or "") for word in skeleton))
        return _fitting(map(_size_of_whole, alike))

    def send_together(self, envelopes: Sequence[Envelope]) -> list[Accepted | TransportError]:
        answer = self._aws.post(_BULK, bulk_request(envelopes))
        found = answer.get("BulkEmailEntryResults")
        results = found if isinstance(found, list) else []
        lost = TransportError(Reaction.UNKNOWN, "NoResultForEntry")
        told: list[Accepted | TransportError] = [_result(one) for one in results[: len(envelopes)]]
        return told + [lost] * (len(envelopes) - len(told))


def bulk_request(envelopes: Sequence[Envelope]) -> dict[str, Any]:
    """The document of SendBulkEmail for mails that have the same outside."""
    first = envelopes[0]
    content, values = _in_values(envelopes) or _as_wholes(envelopes)
    request: dict[str, Any] = {
        "FromEmailAddress": first.sender,
        "DefaultContent": {"Template": {"TemplateContent": content, "TemplateData": "{}"}},
        "BulkEmailEntries": [_entry(one, own) for one, own in zip(envelopes, values, strict=True)],
    }
    if first.reply_to:
        request["ReplyToAddresses"] = [first.reply_to]
    if first.configuration_set:
        request["ConfigurationSetName"] = first.configuration_set
    return request


def _entry(envelope: Envelope, values: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Destination": {"ToAddresses": [envelope.recipient]},
        "ReplacementTags": [{"Name": name, "Value": value} for name, value in envelope.tags.items()],
        "ReplacementHeaders": [{"Name": name, "Value": value} for name, value in envelope.headers.items()],
        "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": _encode(values).decode()}},
    }


def _in_values(envelopes: Sequence[Envelope]) -> _Part | None:
    """A template of the words that all have, and each mail's values; None where their words differ."""
    pieces = [envelope.pieces for envelope in envelopes]
    first = pieces[0]
    if first is None or len(pieces) == 1:
        return None
    skeleton = first.skeleton
    if not _words_fit(skeleton):
        return None
    if not all(one is not None and one.skeleton == skeleton for one in pieces):
        return None
    numbers = iter(range(len(skeleton)))
    html = "".join(f"{{{{{{v{next(numbers)}}}}}}}" if word is None else word for word in skeleton)
    values = [
        {"subject": one.subject, "text": one.text, **{f"v{n}": value for n, value in enumerate(one.pieces.values)}}
        for one in envelopes
        if one.pieces is not None
    ]
    return _content(html), values


def _as_wholes(envelopes: Sequence[Envelope]) -> _Part:
    values = [{"subject": one.subject, "text": one.text, "html": one.html} for one in envelopes]
    return _content("{{{html}}}"), values


def _content(html: str) -> dict[str, str]:
    return {"Subject": "{{{subject}}}", "Text": "{{{text}}}", "Html": html}


def _outside(envelope: Envelope) -> tuple[str, str, str]:
    """What all mails of a call share."""
    return envelope.sender, envelope.reply_to, envelope.configuration_set


def _words_fit(skeleton: Sequence[str | None] | None) -> bool:
    """Whether a template's words mean themselves there.

    Two braces would be read as a placeholder, and a backslash before one takes its meaning away.
    """
    words = [word for word in skeleton or () if word is not None]
    return bool(words) and not any("{{" in word or word.endswith(("{", "\\")) for word in words)


def _fitting(sizes: Iterable[int], beside: int = 0) -> int:
    """How many mails, from the first on, one call takes; one that is too large goes alone, as another request."""
    count, whole = 0, beside
    for size in sizes:
        whole += size + _OVERHEAD
        if size > MOST_DATA or whole > MOST_BYTES:
            break
        count += 1
    return max(1, count)


def _size_of_whole(envelope: Envelope) -> int:
    """No fewer bytes than this mail's values take as JSON text within JSON."""
    return sum(map(_size, (envelope.subject, envelope.text, envelope.html)))


def _size_of_values(envelope: Envelope) -> int:
    values = envelope.pieces.values if envelope.pieces else []
    return sum(map(_size, (envelope.subject, envelope.text, *values))) + _NAME * len(values)


def _size(text: str) -> int:
    plain = len(text) if text.isascii() else len(text.encode())
    return plain + 3 * (text.count('"') + text.count("\\")) + 2 * (text.count("\n") + text.count("\t"))


def _result(told: Any) -> Accepted | TransportError:
    status, message_id = (told.get("Status"), told.get("MessageId")) if isinstance(told, dict) else (None, None)
    if status == "SUCCESS" and message_id:
        return Accepted(str(message_id))
    # FAILED says that something broke inside SES, not that nothing went out.
    return TransportError(_REACTIONS.get(str(status), Reaction.UNKNOWN), str(status))
