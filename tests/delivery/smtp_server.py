"""A real SMTP server for tests: STARTTLS with a certificate of its own, AUTH, and the misbehaviour that it is told.

It keeps what it accepted, byte for byte as the mail was before its dots were doubled.
"""

from __future__ import annotations

import base64
import socket
import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

USER, PASSWORD = "postilion", "a long: secret@/"


@dataclass(slots=True)
class Script:
    """What the server answers: by stage (greeting, ehlo, auth, mail, rcpt, data, end) a reply instead of its own, or a
    drop of the connection (`drop` before the stage's reply, having done what it asks).
    """

    replies: dict[str, str] = field(default_factory=dict)
    drop: str = ""
    extensions: tuple[str, ...] = ("STARTTLS", "AUTH PLAIN", "8BITMIME")


@dataclass(frozen=True, slots=True)
class Delivery:
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    is_encrypted: bool
    user: str


class SmtpServer:
    """Listens on 127.0.0.1; `script` may be exchanged at any moment."""

    def __init__(self, certificate: ssl.SSLContext | None) -> None:
        self.script = Script()
        self.accepted: list[Delivery] = []
        self.connection_count = 0
        self.sessions: list[_Session] = []
        self.certificate = certificate
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                owner.connection_count += 1
                session = _Session(owner, self.request)
                owner.sessions.append(session)
                try:
                    session.run()
                except (OSError, _HangUpError):
                    pass
                finally:
                    session.close()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def hang_up(self) -> None:
        """Close every connection that stands, without a word."""
        for session in self.sessions:
            session.hang_up()

    @property
    def url(self) -> str:
        return f"smtp://localhost:{self.port}"

    def __enter__(self) -> SmtpServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _HangUpError(Exception):
    """The connection ends without another word."""


class _Session:
    def __init__(self, server: SmtpServer, connection: socket.socket) -> None:
        self._server = server
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._user = ""
        self._sender = ""
        self._recipients: list[str] = []

    def close(self) -> None:
        self._lines.close()
        self._connection.close()

    def hang_up(self) -> None:
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        self._answer("greeting", "220 mail.test ESMTP")
        while line := self._lines.readline():
            verb, _, rest = line.decode("utf-8").strip().partition(" ")
            match verb.upper():
                case "EHLO" | "HELO":
                    self._hello()
                case "STARTTLS":
                    self._start_tls()
                case "AUTH":
                    self._authenticate(rest)
                case "MAIL":
                    self._sender, self._recipients = _address(rest), []
                    self._answer("mail", "250 2.1.0 fine")
                case "RCPT":
                    self._recipients.append(_address(rest))
                    self._answer("rcpt", "250 2.1.5 fine")
                case "DATA":
                    self._take_mail()
                case "RSET" | "NOOP":
                    self._say("250 fine")
                case "QUIT":
                    self._say("221 goodbye")
                    return
                case _:
                    self._say("502 what?")

    def _hello(self) -> None:
        encrypted = isinstance(self._connection, ssl.SSLSocket)
        offered = [one for one in self._server.script.extensions if not (encrypted and one == "STARTTLS")]
        lines = ["mail.test", *offered]
        last = len(lines) - 1
        for number, line in enumerate(lines):
            self._say(f"250{' ' if number == last else '-'}{line}")

    def _start_tls(self) -> None:
        self._say("220 go ahead")
        assert self._server.certificate is not None
        self._lines.close()
        self._connection = self._server.certificate.wrap_socket(self._connection, server_side=True)
        self._lines = self._connection.makefile("rb")

    def _authenticate(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        if (user, password) == (USER, PASSWORD):
            self._user = user
            self._answer("auth", "235 2.7.0 welcome")
        else:
            self._say(f"535 5.7.8 {user} is not who they say")

    def _take_mail(self) -> None:
        reply = self._server.script.replies.get("data", "354 go on")
        if self._server.script.drop == "data":
            raise _HangUpError
        self._say(reply)
        if not reply.startswith("354"):
            return
        lines = []
        while (line := self._lines.readline()) != b".\r\n":
            if not line or self._server.script.drop == "body":
                raise _HangUpError
            lines.append(line[1:] if line.startswith(b".") else line)
        taken = Delivery(
            self._sender,
            tuple(self._recipients),
            b"".join(lines),
            isinstance(self._connection, ssl.SSLSocket),
            self._user,
        )
        if self._server.script.replies.get("end", "250").startswith("250"):
            self._server.accepted.append(taken)
        # A server may put the address into its reply, and nobody should find it in a log.
        self._answer("end", f"250 2.0.0 queued for {taken.recipients[0]}")

    def _answer(self, stage: str, usual: str) -> None:
        script = self._server.script
        if script.drop == stage:
            raise _HangUpError
        reply = script.replies.get(stage, usual)
        self._say(reply)
        if reply.startswith("421"):
            raise _HangUpError

    def _say(self, line: str) -> None:
        self._connection.sendall(f"{line}\r\n".encode())


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
