"""The address in List-Unsubscribe that a mail program may write to (RFC 2369), and finding its token again. Pure.

The token stands behind a plus sign (`leave+TOKEN@in.shop.example`), or in the subject where that would make the local
part longer than it may be (RFC 5321, 4.5.3.1.1). A mail program may also change one of the two; either will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

from tracking.tokens import TOKEN_LENGTH, KeyRing, TokenKind, verify, write

_LONGEST_LOCAL_PART = 64
_SUBJECT = "unsubscribe"


def mailto(address: str, key_ring: KeyRing, handle: int) -> str:
    """The URL for one consent handle; mail to it is read by `read_mail`."""
    token = write(key_ring, TokenKind.UNSUBSCRIBE, handle)
    local_part, _, domain = address.rpartition("@")
    if len(local_part) + 1 + TOKEN_LENGTH > _LONGEST_LOCAL_PART:
        return f"mailto:{quote(address, safe='@')}?subject={_SUBJECT}%20{token}"
    return f"mailto:{quote(local_part)}+{token}@{domain}?subject={_SUBJECT}"


def read_mail(key_ring: KeyRing, recipients: Iterable[str], subject: str) -> int | None:
    """The consent handle that a mail names, None where it names none of ours."""
    for text in _candidates(recipients, subject):
        token = verify(key_ring, TokenKind.UNSUBSCRIBE, text)
        if token is not None:
            return token.token_id
    return None


def _candidates(recipients: Iterable[str], subject: str) -> Iterator[str]:
    for address in recipients:
        yield address.rpartition("@")[0].partition("+")[2]
    yield from subject.split()
