"""One signed call of a webhook, over a connection that stays open from one call to the next."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from core.clock import Clock, to_micros
from core.errors import InputError
from delivery.providers.pinned_https import PinnedHttps, begin_exchange
from delivery.providers.transport import TransportError
from delivery.webhook_url import WebhookUrl, parse_webhook_url
from tracking.outgoing.signature import signed_headers

READ_S: Final = 10.0
_MICROS: Final = 1_000_000
_MAX_ANSWER: Final = 64 * 1024  # what is longer is not read, and the connection closed
_MAX_WAIT_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said: its status, and for how long it wants to be left alone. 0 without an answer."""

    status: int
    cause: str = ""  # why there was none
    retry_after_s: int = 0
    text: str = ""  # the beginning of what it said

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """It wants no further calls (Standard Webhooks: 410)."""
        return self.status == http.client.GONE

    def __str__(self) -> str:
        return f"it answered with status {self.status}" if self.status else f"it did not answer ({self.cause})"


class Caller:
    """Calls one webhook, one call at a time; a context that closes the connection at its end."""

    def __init__(
        self,
        url: str,
        secrets: Sequence[str],
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        allows_private: bool = False,
    ) -> None:
        self._url = url
        self._secrets = secrets
        self._clock = clock
        self._https = PinnedHttps(tls, allows_private=allows_private)
        self._allows_private = allows_private
        self._connection: http.client.HTTPSConnection | None = None

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def call(self, call_id: str, body: bytes) -> Answer:
        """Post `body`. Never raises for what the other side does: the answer tells."""
        try:
            url = parse_webhook_url(self._url, allows_private=self._allows_private)
        except InputError as error:
            return Answer(0, f"AddressRefused: {error}")
        was_open = self._connection is not None
        try:
            return self._exchange(url, call_id, body)
        except TransportError as error:
            return Answer(0, str(error))
        except (OSError, http.client.HTTPException) as error:
            self._close()
            if not was_open or isinstance(error, TimeoutError):
                return Answer(0, type(error).__name__)
        return self.call(call_id, body)  # an open connection may have been closed meanwhile: once more, over a new one

    def _exchange(self, url: WebhookUrl, call_id: str, body: bytes) -> Answer:
        if self._connection is None:
            self._connection = self._https.connect(url, READ_S)
        else:
            begin_exchange(self._connection, READ_S)
        headers = {
            "Host": url.authority,
            "Content-Type": "application/json",
            "User-Agent": "Postilion",
            **signed_headers(self._secrets, call_id, to_micros(self._clock.now()) // _MICROS, body),
        }
        self._connection.request("POST", url.target, body, headers)
        response = self._connection.getresponse()
        if response.will_close:
            self._close()
            return Answer(response.status, retry_after_s=_wait_s(response))
        said = response.read(_MAX_ANSWER)
        if not response.isclosed():
            self._close()
        return Answer(response.status, retry_after_s=_wait_s(response), text=said[:500].decode("utf-8", "replace"))

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None


def _wait_s(response: http.client.HTTPResponse) -> int:
    text = response.headers.get("Retry-After", "").strip()
    return min(int(text), _MAX_WAIT_S) if text.isascii() and text.isdigit() and len(text) < 9 else 0
