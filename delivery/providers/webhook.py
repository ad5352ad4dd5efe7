"""A system of the shop's own, called by https: one signed JSON document a message.

The host is resolved once, every address it has must be public, and the connection goes to the one that was judged: a
name that answers differently the second time gains nothing. Redirects are not followed. A call has five seconds to
connect and, unless its step says otherwise, ten to be answered. `Idempotency-Key` is the message id, the same for each
attempt.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from core.clock import Clock, SystemClock, to_micros
from core.errors import InputError
from delivery.envelope import Envelope
from delivery.providers.network import is_public
from delivery.providers.transport import Accepted, Reaction, TransportError
from delivery.webhook_signature import HEADER, sign
from delivery.webhook_url import WebhookUrl, parse_webhook_url

CONNECT_S = 5.0
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
        self._tls = tls or ssl.create_default_context()
        self._clock = clock or SystemClock()
        self._allows_private = allows_private

    def send(self, envelope: Envelope) -> Accepted:
        """Call `envelope.recipient` with `envelope.text` as the body; `details` has method, secrets and timeout_s."""
        try:
            url = parse_webhook_url(envelope.recipient, allows_private=self._allows_private)
        except InputError as error:
            raise TransportError(Reaction.REJECT, "AddressRefused", str(error)) from None
        read_s = float(envelope.details.get("timeout_s") or READ_S)
        connection = http.client.HTTPSConnection(url.host, url.port, context=self._tls)
        stream = self._connect(url, read_s)
        connection.sock = stream
        try:
            status = self._call(connection, url, envelope)
        finally:
            with suppress(OSError):
                stream.close()
        _judge(status)
        return Accepted(envelope.message_id)

    def read_rate(self) -> float | None:
        """The receiver says with 429 when it is too much."""
        return None

    def _connect(self, url: WebhookUrl, read_s: float) -> Any:
        try:
            found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise TransportError(Reaction.RETRY, "HostNotFound") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._allows_private and not all(is_public(ip_address(one.partition("%")[0])) for one in addresses):
            raise TransportError(Reaction.REJECT, "PrivateAddress", "the host has an address that is not public")
        until, failure = time.monotonic() + CONNECT_S, "HostNotFound"
        for address in addresses:
            try:
                return _Bounded(self._open(url, address, until), read_s)
            except OSError as error:
                failure = type(error).__name__
        raise TransportError(Reaction.RETRY, failure)

    def _open(self, url: WebhookUrl, address: str, until: float) -> ssl.SSLSocket:
        plain = socket.create_connection((address, url.port), timeout=max(0.1, until - time.monotonic()))
        try:
            plain.settimeout(max(0.1, until - time.monotonic()))
            return self._tls.wrap_socket(plain, server_hostname=url.host)
        except OSError:
            plain.close()
            raise

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


class _Bounded:
    """A connection that ends at an instant, however slowly the other side speaks: a timeout alone begins anew with
    each byte.
    """

    def __init__(self, connection: ssl.SSLSocket, seconds: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + seconds

    def sendall(self, data: bytes) -> None:
        self._left()
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self))

    def receive_into(self, buffer: Any) -> int:
        self._left()
        return self._connection.recv_into(buffer)

    def close(self) -> None:
        self._connection.close()

    def _left(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)


class _Incoming(io.RawIOBase):
    def __init__(self, connection: _Bounded) -> None:
        super().__init__()
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._connection.receive_into(buffer)
