"""A system of the shop's own, called by https: one signed JSON document a message.

How the connection is made, and to whom never, says pinned_https.py. Redirects are not followed. A call has five
seconds to connect and, unless its step says otherwise, ten to be answered. `Idempotency-Key` is the message id, the
same for each attempt.
"""

from __future__ import annotations

import http.client
import ssl
from contextlib import suppress

from core.clock import Clock, SystemClock, to_micros
from core.errors import InputError
from delivery.envelope import Envelope
from delivery.providers.pinned_https import PinnedHttps
from delivery.providers.transport import Accepted, Reaction, TransportError
from delivery.webhook_signature import HEADER, sign
from delivery.webhook_url import WebhookUrl, parse_webhook_url

READ_S = 10.0

_SECOND = 1_000_000
_NOT_NOW = frozenset({408, 425, 429})


class WebhookTransport:
    """`allows_private` lets a test call this machine; nothing that is configured can set it."""

    name = "webhook"
    channel = "webhook"

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, clock: Clock | None = None, allows_private: bool = False
    ) -> None:
        self._https = PinnedHttps(tls, allows_private=allows_private)
        self._clock = clock or SystemClock()
        self._allows_private = allows_private

    def send(self, envelope: Envelope) -> Accepted:
        """Call `envelope.recipient` with `envelope.text` as the body; `details` has method, secrets and timeout_s."""
        try:
            url = parse_webhook_url(envelope.recipient, allows_private=self._allows_private)
        except InputError as error:
            raise TransportError(Reaction.REJECT, "AddressRefused", str(error)) from None
        read_s = float(envelope.details.get("timeout_s") or READ_S)
        connection = self._https.connect(url, read_s)
        try:
            status = self._call(connection, url, envelope)
        finally:
            with suppress(OSError):
                connection.close()
        _judge(status)
        return Accepted(envelope.message_id)

    def read_rate(self) -> float | None:
        """The receiver says with 429 when it is too much."""
        return None

    def _call(self, connection: http.client.HTTPSConnection, url: WebhookUrl, envelope: Envelope) -> int:
        body = envelope.text.encode()
        method = str(envelope.details.get("method", "POST"))
        stamped_at = to_micros(self._clock.now()) // _SECOND
        headers = {
            "Host": url.authority,
            "Content-Type": "application/json",
            "User-Agent": "Postilion",
            "Idempotency-Key": envelope.message_id,
            HEADER: sign(tuple(envelope.details.get("secrets", ())), stamped_at, body),
            "Connection": "close",
        }
        try:
            connection.request(method, url.target, body or None, headers)
            return connection.getresponse().status
        except ValueError as error:  # a header or a target that cannot be written, so nothing was
            raise TransportError(Reaction.REJECT, "RequestRefused") from error
        except (OSError, http.client.HTTPException) as error:
            # Whoever got a part of it may have acted on it.
            raise TransportError(Reaction.UNKNOWN, type(error).__name__) from None


def _judge(status: int) -> None:
    """Raise what a status other than 2xx means."""
    if 200 <= status < 300:
        return
    if status in _NOT_NOW:
        raise TransportError(Reaction.RETRY, f"Status{status}")
    raise TransportError(Reaction.UNKNOWN if status >= 500 else Reaction.REJECT, f"Status{status}")
