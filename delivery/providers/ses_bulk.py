"""Amazon SES v2 `SendBulkEmail`: up to 50 mails a call, each with its own tags, headers and outcome.

Where the mails of a call come from the same branches of one template, the template's words travel once and only values
travel for each; else the whole HTML is the only value. All placeholders have three braces: whether SES escapes those
with two makes no difference, and the HTML is escaped already. It serves e-mail where `POSTILION_TRANSPORTS` says
`email=ses_bulk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, count, takewhile
from typing import Any

import msgspec

from delivery.envelope import Envelope
from delivery.pieces import Pieces
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
_Skeleton = tuple[str | None, ...]


class BulkSesTransport(FastSesTransport):
    """One mail alone goes as `SendEmail` does."""

    name = "ses_bulk"

    def count_together(self, envelopes: Sequence[Envelope]) -> int:
        outside = _outside(envelopes[0])
        alike = list(takewhile(lambda one: _outside(one) == outside, envelopes[:MOST_TOGETHER]))
        skeleton = _skeleton(envelopes[0])
        same = list(takewhile(lambda one: _skeleton(one) == skeleton, alike))
        if skeleton is not None and len(same) >= min(_WORTH_A_TEMPLATE, len(alike)):
            return _fitting(map(_size_of_values, same), beside=sum(_size(word or "") for word in chain(*skeleton)))
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
    skeleton = _skeleton(envelopes[0])
    if skeleton is None or len(envelopes) == 1 or any(_skeleton(one) != skeleton for one in envelopes):
        return None
    in_html, in_text = skeleton
    return _content(_template("v", in_html), _template("t", in_text)), list(map(_values, envelopes))


def _template(letter: str, skeleton: _Skeleton) -> str:
    numbers = count()
    return "".join(f"{{{{{{{letter}{next(numbers)}}}}}}}" if word is None else word for word in skeleton)


def _values(envelope: Envelope) -> dict[str, str]:
    in_html, in_text = _pieces(envelope)
    values = {f"v{number}": value for number, value in enumerate(in_html.values)}
    values |= {f"t{number}": value for number, value in enumerate(in_text.values)}
    return {"subject": envelope.subject, **values}


def _pieces(envelope: Envelope) -> tuple[Pieces, Pieces]:
    """Of HTML and text; one whose pieces nobody knows is a value as a whole."""
    in_html, in_text = envelope.pieces, envelope.text_pieces
    return in_html or Pieces((envelope.html,), frozenset()), in_text or Pieces((envelope.text,), frozenset())


def _skeleton(envelope: Envelope) -> tuple[_Skeleton, _Skeleton] | None:
    """The template's words around this mail's values; None where they are unknown, or do not mean themselves there."""
    if envelope.pieces is None:
        return None
    in_html, in_text = _pieces(envelope)
    fits = _words_fit(in_html.skeleton) and _words_fit(in_text.skeleton)
    return (in_html.skeleton, in_text.skeleton) if fits else None


def _as_wholes(envelopes: Sequence[Envelope]) -> _Part:
    values = [{"subject": one.subject, "text": one.text, "html": one.html} for one in envelopes]
    return _content("{{{html}}}", "{{{text}}}"), values


def _content(html: str, text: str) -> dict[str, str]:
    return {"Subject": "{{{subject}}}", "Text": text, "Html": html}


def _outside(envelope: Envelope) -> tuple[str, str, str]:
    """What all mails of a call share."""
    return envelope.sender, envelope.reply_to, envelope.configuration_set


@lru_cache(maxsize=256)
def _words_fit(skeleton: _Skeleton) -> bool:
    """Whether a template's words mean themselves there.

    Two braces would be read as a placeholder, and a backslash before one takes its meaning away.
    """
    return not any(word is not None and ("{{" in word or word.endswith(("{", "\\"))) for word in skeleton)


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
    values = [value for pieces in _pieces(envelope) for value in pieces.values]
    return sum(map(_size, (envelope.subject, *values))) + _NAME * len(values)


def _size(text: str) -> int:
    plain = len(text) if text.isascii() else len(text.encode())
    return plain + 3 * (text.count('"') + text.count("\\")) + 2 * (text.count("\n") + text.count("\t"))


def _result(told: Any) -> Accepted | TransportError:
    status, message_id = (told.get("Status"), told.get("MessageId")) if isinstance(told, dict) else (None, None)
    if status == "SUCCESS" and message_id:
        return Accepted(str(message_id))
    # FAILED says that something broke inside SES, not that nothing went out.
    return TransportError(_REACTIONS.get(str(status), Reaction.UNKNOWN), str(status))
