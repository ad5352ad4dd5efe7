"""Posts signed JSON to one AWS service over kept-alive connections, one a thread: boto3's work without its weight.

Each request goes out exactly once. What fails before the last byte of the body was handed over was not accepted; what
fails after it, nobody knows. Redirects and proxies are not followed; the certificate is always verified.
"""

from __future__ import annotations

import http.client
import select
import ssl
import time
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from threading import local
from typing import Any
from urllib.parse import urlsplit

import msgspec

from core.clock import SystemClock
from delivery.providers.aws import USER_AGENT, as_told
from delivery.providers.sigv4 import Credentials, sign
from delivery.providers.transport import Reaction, TransportError

_OK = 200
_IDLE_S = 20.0  # after which a connection is made anew: the other side is about to close it
_CONNECT_S = 5.0
_SKEW = timedelta(minutes=1)  # AWS tolerates five
_TYPE = {"Content-Type": "application/json"}


class AwsPost:
    """`credentials` is a botocore credentials object, which renews itself; thread-safe."""

    def __init__(self, endpoint: str, *, region: str, service: str, credentials: Any, timeout_s: float = 30.0) -> None:
        parts = urlsplit(endpoint)
        self._is_tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._authority = _authority(parts.scheme, self._host, self._port)
        self._region = region
        self._service = service
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._context = ssl.create_default_context() if self._is_tls else None
        self._mine = local()
        self._skew = timedelta()

    def post(self, path: str, document: Any) -> dict[str, Any]:
        """The answer's document. Raises TransportError, which says whether the request may have been accepted."""
        body = msgspec.json.encode(document)
        headers = {"Host": self._authority, **_TYPE}
        headers |= sign(
            self._now_credentials(),
            region=self._region,
            service=self._service,
            path=path,
            headers=headers,
            body=body,
            at=SystemClock().now() + self._skew,
        )
        connection = self._connection()
        try:
            connection.request("POST", path, body, {**headers, "User-Agent": USER_AGENT})
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise TransportError(Reaction.RETRY, type(error).__name__) from error
        try:
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise TransportError(Reaction.UNKNOWN, type(error).__name__) from error
        self._mine.used_at = time.monotonic()
        if answer.will_close:
            self._drop()
        if answer.status != _OK:
            self._follow_clock(answer.headers)
            raise as_told(_error(answer.status, answer.headers, text))
        return _document(text)

    def _now_credentials(self) -> Credentials:
        if self._credentials is None:
            raise TransportError(Reaction.RETRY, "NoCredentialsError")
        frozen = self._credentials.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's connection; one that the other side has closed meanwhile is made anew."""
        connection: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if connection is not None and not self._is_stale(connection):
            return connection
        self._drop()
        connection = (
            http.client.HTTPSConnection(self._host, self._port, timeout=_CONNECT_S, context=self._context)
            if self._is_tls
            else http.client.HTTPConnection(self._host, self._port, timeout=_CONNECT_S)
        )
        try:
            connection.connect()
        except OSError as error:
            raise TransportError(Reaction.RETRY, type(error).__name__) from error
        connection.sock.settimeout(self._timeout_s)
        self._mine.connection = connection
        return connection

    def _is_stale(self, connection: http.client.HTTPConnection) -> bool:
        if connection.sock is None or time.monotonic() - self._mine.used_at > _IDLE_S:
            return True
        # What is readable before we asked is the end of the connection.
        return bool(select.select([connection.sock], [], [], 0)[0])

    def _drop(self) -> None:
        connection = getattr(self._mine, "connection", None)
        if connection is not None:
            connection.close()
        self._mine.connection = None

    def _follow_clock(self, headers: http.client.HTTPMessage) -> None:
        """Where our clock is off, sign by theirs from now on; the refused request is tried again later."""
        try:
            theirs = parsedate_to_datetime(headers["Date"] or "").astimezone(UTC)
        except (TypeError, ValueError):
            return
        skew = theirs - SystemClock().now()
        self._skew = skew if abs(skew) > _SKEW else timedelta()


def _authority(scheme: str, host: str, port: int | None) -> str:
    """The Host header, which names a port only where it is not the usual one."""
    name = f"[{host}]" if ":" in host else host
    return name if port is None or port == {"http": 80, "https": 443}.get(scheme) else f"{name}:{port}"


def _error(status: int, headers: http.client.HTTPMessage, text: bytes) -> dict[str, Any]:
    """An error as boto3 shows it, from what the service wrote."""
    try:
        told = msgspec.json.decode(text)
    except msgspec.DecodeError:
        told = {}
    told = told if isinstance(told, dict) else {}
    code = headers.get("x-amzn-ErrorType") or told.get("__type") or told.get("code") or str(status)
    return {
        "Error": {
            "Code": str(code).partition(":")[0].rpartition("#")[2],
            "Message": told.get("message") or told.get("Message") or "",
        },
        "ResponseMetadata": {"HTTPStatusCode": status},
    }


def _document(text: bytes) -> dict[str, Any]:
    """Accepted, whatever the document looks like: one that cannot be read leaves the message unknown."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise TransportError(Reaction.UNKNOWN, type(error).__name__) from error
    if not isinstance(found, dict):
        raise TransportError(Reaction.UNKNOWN, "UnreadableAnswer")
    return found
