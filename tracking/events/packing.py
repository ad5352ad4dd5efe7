"""How clients pack what they post: gzip, said by a header or only by its first bytes, and base64 in a form field. Pure.

Browsers post forms because those need no preflight, and some SDKs label gzip as a form: what is sent decides, not what
it is called.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final
from urllib.parse import parse_qs

from core.errors import InputError

MAX_BODY: Final = 1_000_000  # bytes as they arrive
MAX_UNPACKED: Final = 5_000_000
_GZIP: Final = b"\x1f\x8b"
_FORM: Final = b"data="
_FORM_FIELDS: Final = 10


class TooBigError(InputError):
    """More bytes than a request may have."""


def unpack(body: bytes, encoding: str) -> bytes:
    """The document in `body`; `encoding` is what Content-Encoding says.

    Raises TooBigError, and InputError for a body that does not unpack.
    """
    if encoding.strip().lower() == "gzip" or body.startswith(_GZIP):
        body = _gunzip(body)
    if not body.startswith(_FORM):
        return body
    body = _from_form(body)
    return _gunzip(body) if body.startswith(_GZIP) else body


def _gunzip(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, MAX_UNPACKED + 1)
    except zlib.error:
        raise InputError("the body is no gzip: send it plain, or packed and labelled so.") from None
    if len(unpacked) > MAX_UNPACKED:
        raise TooBigError(f"the body is unpacked larger than {MAX_UNPACKED:,} bytes: send smaller batches.")
    if not unpacker.eof:
        raise InputError("the body's gzip ends too early: send it again.")
    return unpacked


def _from_form(body: bytes) -> bytes:
    """The field `data` of a form, which holds JSON or its base64 (whose `+` may have become spaces)."""
    try:
        data = parse_qs(body.decode("ascii"), max_num_fields=_FORM_FIELDS).get("data", [""])[0]
        if data[:1] in ("{", "["):
            return data.encode()
        return base64.b64decode(data.replace(" ", "+").encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("the form's field `data` is no base64: send JSON.") from None
