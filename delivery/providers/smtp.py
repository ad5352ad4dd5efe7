"""A mail server by SMTP (RFC 5321): one recipient a mail, over connections that each thread keeps.

Until the dot that ends a mail goes out, the server cannot have accepted it; from then on only its reply tells.
Passwords go out under TLS alone, and no reply of the server is repeated, because servers put addresses into theirs.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from core.clock import Clock, SystemClock
from core.errors import InputError
from delivery.envelope import Envelope
from delivery.mime import mime_id, write_mime
from delivery.providers.network import is_loopback
from delivery.providers.transport import Accepted, Reaction, TransportError

_TIMEOUT_S = 30.0
_IDLE_S = 60.0  # servers give up on a silent client after some minutes, and cannot always tell it
_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_UNNAMED = "localhost"  # until the connection stands, and says which of our addresses it uses
_OK = 250
_MAY_SEND = 354
_SLOW_DOWN = 421
_TOO_LARGE = 552
_SYNTAX = 501
_NOT_ALLOWED = frozenset({530, 534, 535, 538})
_EXAMPLE = "write smtp://user:password@mail.example:587"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over. `scheme` is smtp (STARTTLS is required), smtps, or smtp+plain on this machine only."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)


def parse_smtp_url(url: str) -> SmtpServer:
    """`url` as a server. Raises InputError, which never repeats the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(f"POSTILION_SMTP_URL cannot be read: {_EXAMPLE}.") from None
    _check_parts(parts)
    if parts.scheme == "smtp+plain" and not is_loopback(parts.hostname or ""):
        raise InputError("smtp+plain is for a server on this machine alone: write smtp:// or smtps://.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return SmtpServer(parts.scheme, parts.hostname or "", port or _PORTS[parts.scheme], user, password)


def _check_parts(parts: SplitResult) -> None:
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InputError(f"POSTILION_SMTP_URL names no mail server: {_EXAMPLE}.")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise InputError(f"POSTILION_SMTP_URL has something behind the server's name: {_EXAMPLE}.")


class SmtpTransport:
    """`tls` is for servers whose certificate another authority has signed; the machine's own are trusted without it."""

    name = "smtp"
    channel = "email"

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = _TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        self._server = parse_smtp_url(url)
        self._tls = tls or ssl.create_default_context()
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._mine = threading.local()
        self._all: set[smtplib.SMTP] = set()
        self._lock = threading.Lock()

    def send(self, envelope: Envelope) -> Accepted:
        """Hand over one mail; its Message-ID stands for it, because servers name theirs as they like."""
        try:
            mail = write_mime(envelope, self._clock.now())
        except InputError as error:
            raise TransportError(Reaction.REJECT, "HeaderRefused", str(error)) from None
        connection = self._connection()
        try:
            self._begin(connection, envelope)
            self._hand_over(connection, mail)
        except TransportError as error:
            self._after(connection, error)
            raise
        self._mine.used_at = time.monotonic()
        return Accepted(mime_id(envelope).strip("<>"))

    def read_rate(self) -> float | None:
        """Mail servers publish none; what they answer is obeyed instead."""
        return None

    def close(self) -> None:
        """Say goodbye on every connection, whichever thread opened it."""
        with self._lock:
            connections, self._all = self._all, set()
        for connection in connections:
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()

    # -- connections ------------------------------------------------------------------------------------------------

    def _connection(self) -> smtplib.SMTP:
        """This thread's connection, if it is alive, else a new one."""
        kept: smtplib.SMTP | None = getattr(self._mine, "connection", None)
        if kept is not None and kept.sock is not None:
            if time.monotonic() - self._mine.used_at < _IDLE_S or _is_alive(kept):
                return kept
            self._drop(kept)
        opened = self._open()
        self._mine.connection, self._mine.used_at = opened, time.monotonic()
        with self._lock:
            self._all.add(opened)
        return opened

    def _open(self) -> smtplib.SMTP:
        server = self._server
        connection: smtplib.SMTP | None = None
        try:
            if server.scheme == "smtps":
                connection = smtplib.SMTP_SSL(
                    server.host, server.port, _UNNAMED, timeout=self._timeout_s, context=self._tls
                )
            else:
                connection = smtplib.SMTP(server.host, server.port, _UNNAMED, timeout=self._timeout_s)
            connection.local_hostname = _literal(connection)
            self._greet(connection)
        except (smtplib.SMTPException, OSError, TransportError) as error:
            if connection is not None:
                connection.close()
            raise error if isinstance(error, TransportError) else _not_connected(error) from None
        assert connection.sock is not None
        # The dot follows the mail in a packet of its own, and must not wait until the mail has been acknowledged.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _greet(self, connection: smtplib.SMTP) -> None:
        connection.ehlo_or_helo_if_needed()
        if self._server.scheme == "smtp":
            if not connection.has_extn("starttls"):
                raise TransportError(Reaction.PAUSE_CHANNEL, "StartTlsMissing", "the server offers no STARTTLS")
            code, _ = connection.starttls(context=self._tls)
            if code != 220:
                _refuse(code, "StartTls", Reaction.PAUSE_CHANNEL)
            connection.ehlo()
        if self._server.user:
            connection.login(self._server.user, self._server.password)

    def _after(self, connection: smtplib.SMTP, error: TransportError) -> None:
        """Begin anew after a refusal; leave a connection of which nobody knows where it stands."""
        if error.reaction in (Reaction.REJECT, Reaction.RETRY, Reaction.PAUSE_SENDER) and connection.sock is not None:
            with suppress(smtplib.SMTPException, OSError):
                if connection.rset()[0] == _OK:
                    self._mine.used_at = time.monotonic()
                    return
        self._drop(connection)

    def _drop(self, connection: smtplib.SMTP) -> None:
        connection.close()
        self._mine.connection = None
        with self._lock:
            self._all.discard(connection)

    # -- one mail ---------------------------------------------------------------------------------------------------

    def _begin(self, connection: smtplib.SMTP, envelope: Envelope) -> None:
        """Everything before the mail itself: whatever fails here was not accepted."""
        sender = envelope.sender.rpartition("<")[2].rstrip("> ").strip()
        options = []
        if not (sender.isascii() and envelope.recipient.isascii()):
            if not connection.has_extn("smtputf8"):
                raise TransportError(Reaction.REJECT, "SmtpUtf8Missing", "the server takes ASCII addresses only")
            options, connection.command_encoding = ["SMTPUTF8"], "utf-8"
        try:
            code, _ = connection.mail(sender, options)
            if code != _OK:
                _refuse(code, "MailFrom", _about_sender(code))
            code, _ = connection.rcpt(envelope.recipient)
            if code not in (_OK, 251):
                _refuse(code, "RcptTo", Reaction.REJECT)
            code, _ = connection.docmd("DATA")
            if code != _MAY_SEND:
                _refuse(code, "Data", Reaction.REJECT)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            _raise_broken(Reaction.RETRY, error)

    def _hand_over(self, connection: smtplib.SMTP, mail: bytes) -> None:
        """The mail, and then the dot that ends it: from there on a lost reply leaves both answers possible."""
        try:
            connection.send(_stuffed(mail))
        except (smtplib.SMTPException, OSError) as error:
            _raise_broken(Reaction.RETRY, error)
        try:
            connection.send(b".\r\n")
            code, _ = connection.getreply()
        except (smtplib.SMTPException, OSError) as error:
            _raise_broken(Reaction.UNKNOWN, error)
        if code == -1:  # an answer that is none
            raise TransportError(Reaction.UNKNOWN, "UnreadableReply")
        if code != _OK:
            _refuse(code, "DataEnd", Reaction.REJECT)


def _stuffed(mail: bytes) -> bytes:
    """With a second dot before each line that begins with one (RFC 5321, 4.5.2)."""
    stuffed = mail.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def _literal(connection: smtplib.SMTP) -> str:
    """Our own address as EHLO takes it (RFC 5321, 4.1.3): to ask for a name would be a look-up that may hang."""
    assert connection.sock is not None
    address = str(connection.sock.getsockname()[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _is_alive(connection: smtplib.SMTP) -> bool:
    with suppress(smtplib.SMTPException, OSError):
        return connection.noop()[0] == _OK
    return False


def _about_sender(code: int) -> Reaction:
    """A server that refuses the sender refuses all that sender's mail, which is no fault of this one."""
    if code in (_TOO_LARGE, _SYNTAX):
        return Reaction.REJECT
    return Reaction.PAUSE_CHANNEL if code in _NOT_ALLOWED else Reaction.PAUSE_SENDER


def _refuse(code: int, stage: str, permanently: Reaction) -> NoReturn:
    """Raise what the reply `code` means: 4xx is for now (421: and for everybody), 5xx is `permanently`."""
    if code == _SLOW_DOWN:
        raise TransportError(Reaction.SLOW_DOWN, f"{stage}{code}")
    if 400 <= code < 500:
        raise TransportError(Reaction.RETRY, f"{stage}{code}")
    if 500 <= code < 600:
        raise TransportError(permanently, f"{stage}{code}")
    # Silence, or a word that is out of place: at this stage nothing was accepted.
    raise TransportError(Reaction.UNKNOWN if stage == "DataEnd" else Reaction.RETRY, f"{stage}{code}")


def _raise_broken(reaction: Reaction, error: Exception) -> NoReturn:
    raise TransportError(reaction, type(error).__name__) from None


def _not_connected(error: Exception) -> TransportError:
    """What a failure before the first mail means; nothing was sent in any case."""
    if isinstance(error, smtplib.SMTPResponseException):
        code, stage = int(error.smtp_code), type(error).__name__.removeprefix("SMTP").removesuffix("Error")
        if code == _SLOW_DOWN:
            return TransportError(Reaction.SLOW_DOWN, f"{stage}{code}")
        return TransportError(Reaction.RETRY if code < 500 else Reaction.PAUSE_CHANNEL, f"{stage}{code}")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return TransportError(Reaction.PAUSE_CHANNEL, "LoginMissing", "the server offers no way to log in")
    return TransportError(Reaction.RETRY, type(error).__name__)
