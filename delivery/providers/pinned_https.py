"""HTTPS to an address that somebody configured: the host is resolved once, every address it has must be public, and the
connection goes to the one that was judged. A name that answers differently the second time gains nothing.

A connection has five seconds to be made; an exchange over it ends at an instant, however slowly the other side speaks.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from ipaddress import ip_address
from typing import Any

from delivery.providers.network import is_public
from delivery.providers.transport import Reaction, TransportError
from delivery.webhook_url import WebhookUrl

CONNECT_S = 5.0


class PinnedHttps:
    """Makes connections; thread-safe. `allows_private` is for what runs against this machine alone."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, allows_private: bool = False) -> None:
        self._tls = tls or ssl.create_default_context()
        self._allows_private = allows_private

    def connect(self, url: WebhookUrl, read_s: float) -> http.client.HTTPSConnection:
        """A connection to `url` for exchanges within `read_s` seconds. Raises TransportError; nothing was sent then."""
        connection = http.client.HTTPSConnection(url.host, url.port, context=self._tls)
        connection.sock = self._connect(url, read_s)
        return connection

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
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as http.client does; head and body go apart
            plain.settimeout(max(0.1, until - time.monotonic()))
            return self._tls.wrap_socket(plain, server_hostname=url.host)
        except OSError:
            plain.close()
            raise


def begin_exchange(connection: http.client.HTTPSConnection, read_s: float) -> None:
    """Another exchange over a connection of `PinnedHttps.connect` that stayed open."""
    assert isinstance(connection.sock, _Bounded)
    connection.sock.begin(read_s)


class _Bounded:
    """A connection that ends at an instant, however slowly the other side speaks: a timeout alone begins anew with
    each byte.
    """

    def __init__(self, connection: ssl.SSLSocket, seconds: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + seconds

    def begin(self, seconds: float) -> None:
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
