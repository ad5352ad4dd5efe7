"""Writes the addresses that stand in one message: its tracked links, its pixel, and its ways out.

Where a link leads is not part of its address: static links lead where the stored template version says, links made for
this message alone where its row says. Following a link is the business of `destinations`.
"""

from __future__ import annotations

from core.errors import InputError
from customers.tracking_consent import OpenTracking
from tracking.decoy import DECOY_LINK
from tracking.mailto import mailto
from tracking.tokens import KeyRing, TokenKind, write

# A link inside a loop has one number and many addresses: the number takes ten bits, the address's turn the other six.
MAX_LINKS = 1 << 10
MAX_TURNS = 1 << 6


class MessageLinks:
    """The links of one message.

    `token_id` is that of its row, `consent_handle` its handle (`handles.ensure_handles`), without which it has no way
    out. `opens` is what holds for its reader (`customers/tracking_consent.py`): an individual pixel names the message,
    an aggregate one its origin (`open_counts.OpenOrigin.id`, as `origin_id`), and "off" is none. `has_decoy` puts in
    the link that nobody sees (`decoy.py`). After rendering, `destinations` holds where the links lead that were made
    for this message alone: it belongs on the envelope.
    """

    __slots__ = (
        "_consent_handle", "_has_decoy", "_key_ring", "_opens", "_origin_id", "_token_id", "_turns", "_url",
        "destinations",
    )  # fmt: skip

    def __init__(
        self,
        public_url: str,
        key_ring: KeyRing,
        token_id: int,
        consent_handle: int | None = None,
        *,
        opens: OpenTracking = OpenTracking.INDIVIDUAL,
        origin_id: int | None = None,
        has_decoy: bool = False,
    ) -> None:
        self._url = public_url.rstrip("/")
        self._key_ring = key_ring
        self._token_id = token_id
        self._consent_handle = consent_handle
        self._opens = opens
        self._origin_id = origin_id
        self._has_decoy = has_decoy
        self._turns: dict[int, dict[str, str]] = {}
        self.destinations: dict[str, str] = {}

    def write_link(self, number: int, url: str | None) -> str:
        """The address in the message for link `number`, 1 or above, of its template; `url` is None where the template
        knows it.

        From the 65th different address of one link on, the address itself stands there, untracked. Raises InputError
        for a template with more than 1,023 links.
        """
        if not DECOY_LINK < number < MAX_LINKS:
            raise InputError(f"a template has at most {MAX_LINKS - 1:,} links: split it.")
        if url is None:
            return self._click(number)
        written = self._turns.setdefault(number, {})
        if url not in written:
            if len(written) == MAX_TURNS:
                return url
            link_no = len(written) * MAX_LINKS + number
            written[url] = self._click(link_no)
            self.destinations[str(link_no)] = url
        return written[url]

    def urls(self) -> dict[str, str]:
        """What templates read as `links.…`: view_in_browser, and where they exist pixel, decoy, unsubscribe,
        preferences.
        """
        urls = {"view_in_browser": f"{self._url}/v/{self._message_token(TokenKind.VIEW)}"}
        if (pixel := self._pixel()) is not None:
            urls["pixel"] = f"{self._url}/o/{pixel}.gif"
        if self._has_decoy:
            urls["decoy"] = self._click(DECOY_LINK)
        if self._consent_handle is not None:
            urls["unsubscribe"] = self._way_out("u", TokenKind.UNSUBSCRIBE, self._consent_handle)
            urls["preferences"] = self._way_out("p", TokenKind.PREFERENCES, self._consent_handle)
        return urls

    def headers(self, unsubscribe_address: str | None = None) -> dict[str, str]:
        """The headers of one-click unsubscribing (RFC 8058), for marketing mail; none without a handle.

        With `unsubscribe_address`, whose mail is read (see `mailto.py`), a mail program may also write there.
        """
        if self._consent_handle is None:
            return {}
        ways = [self._way_out("u", TokenKind.UNSUBSCRIBE, self._consent_handle)]
        if unsubscribe_address is not None:
            ways.append(mailto(unsubscribe_address, self._key_ring, self._consent_handle))
        listed = ", ".join(f"<{way}>" for way in ways)
        return {"List-Unsubscribe": listed, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}

    def _pixel(self) -> str | None:
        if self._opens is OpenTracking.INDIVIDUAL:
            return self._message_token(TokenKind.OPEN)
        if self._opens is OpenTracking.AGGREGATE and self._origin_id is not None:
            return write(self._key_ring, TokenKind.COUNT, self._origin_id)
        return None

    def _click(self, link_no: int) -> str:
        return f"{self._url}/c/{write(self._key_ring, TokenKind.CLICK, self._token_id, link_no)}"

    def _message_token(self, kind: TokenKind) -> str:
        return write(self._key_ring, kind, self._token_id)

    def _way_out(self, path: str, kind: TokenKind, handle: int) -> str:
        return f"{self._url}/{path}/{write(self._key_ring, kind, handle)}"


def template_number(link_no: int) -> int:
    """The number, within the template, of the link that a click token names."""
    return link_no % MAX_LINKS
