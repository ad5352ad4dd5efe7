"""One mail as the bytes that go over SMTP or into an `.eml` file (RFC 5322, RFC 2045).

The standard library writes the headers, which it folds and encodes, and refuses a line break in any of them. The two
bodies are encoded here: its own generator takes forty times as long for a mail of 35 KB. Pure.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import BaseHeader
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from core.errors import InputError
from delivery.envelope import Envelope

# What a machine reads must arrive as it is: an address in List-Unsubscribe that is longer than a line would else be
# encoded as if it were words (RFC 2047), and no mailbox could follow it.
_WHOLE = SMTP.clone(max_line_length=998)
_CRLF = b"\r\n"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_ADDRESS = re.compile(r"[!#-'*+/-9=?A-Z^-~.-]+@[A-Za-z0-9.-]+")
_SENDERS = frozenset({"From", "Reply-To"})
_HEADER_NAME = re.compile(r"[!-9;-~]+")
# Set from the envelope alone, whatever its own headers say.
_OURS = frozenset(
    {
        "bcc",
        "cc",
        "content-transfer-encoding",
        "content-type",
        "date",
        "from",
        "message-id",
        "mime-version",
        "reply-to",
        "resent-bcc",
        "resent-cc",
        "resent-to",
        "sender",
        "subject",
        "to",
    }
)


def mime_id(envelope: Envelope) -> str:
    """The Message-ID: the same for each attempt, so that a mailbox may tell a second copy from a second mail."""
    domain = envelope.sender.rpartition("@")[2].rstrip("> ") or "localhost"
    return f"<{envelope.message_id}@{domain}>"


def write_mime(envelope: Envelope, now: datetime) -> bytes:
    """The whole mail with CRLF line ends, its text and its HTML as alternatives, neither encoded line above 76 octets.

    Raises InputError, without an address, when a header cannot be written.
    """
    boundary = f"=_{hashlib.sha256(envelope.message_id.encode()).hexdigest()[:32]}"
    head = _headers(envelope, now, boundary)
    parts = [_part(b"plain", envelope.text)]
    if envelope.html:
        parts.append(_part(b"html", envelope.html))
    fence = f"--{boundary}".encode()
    body = _CRLF.join(line for part in parts for line in (fence, part))
    return head + body + _CRLF + fence + b"--" + _CRLF


def _headers(envelope: Envelope, now: datetime, boundary: str) -> bytes:
    own = {
        "From": envelope.sender,
        "To": envelope.recipient,
        "Reply-To": envelope.reply_to,
        "Subject": envelope.subject,
        "Date": format_datetime(now),
        "Message-ID": mime_id(envelope),
        "MIME-Version": "1.0",
    }
    for name in envelope.headers:
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
            raise InputError("a mail cannot have one of its headers beside its own: leave it out.")
    lines = [_line(name, value) for name, value in own.items() if value]
    lines += [_line(name, value, _WHOLE if value.isascii() else SMTP) for name, value in envelope.headers.items()]
    lines.append(f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode())
    return b"".join(lines) + _CRLF


def _line(name: str, value: str, policy: Any = SMTP) -> bytes:
    if any(character in value for character in "\r\n\0"):
        raise InputError(f"the header {name} of the mail has a line break in it: write it in one line.")
    if name in _SENDERS:
        return _line_of_many(name, value)
    plain = f"{name}: {value}\r\n"
    fits = len(plain) <= (policy.max_line_length or 0)
    if (
        fits
        and value.isascii()
        and value.isprintable()
        and "=?" not in value
        and not (name == "To" and _ADDRESS.fullmatch(value) is None)
    ):
        return plain.encode("ascii")  # nothing to encode and nothing to fold
    return _fold(name, value, policy)


@lru_cache(maxsize=256)
def _line_of_many(name: str, value: str) -> bytes:
    """A line that every mail of a campaign has: writing a mailbox by the standard library takes a millisecond."""
    return _fold(name, value, SMTP)


def _fold(name: str, value: str, policy: Any) -> bytes:
    try:
        header: BaseHeader = policy.header_factory(name, value)
        return header.fold(policy=policy).encode("ascii")
    except (ValueError, IndexError, HeaderParseError) as error:  # the library's own words would repeat the value
        raise InputError(f"the header {name} of the mail cannot be written ({type(error).__name__}).") from None


def _part(kind: bytes, text: str) -> bytes:
    lines = _LINE_END.sub(b"\n", text.encode("utf-8", "replace"))
    encoded = binascii.b2a_qp(lines, istext=True).replace(b"\n", _CRLF)
    return (
        b"Content-Type: text/"
        + kind
        + b'; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
        + encoded
    )
