"""Every transport beside its real counterpart, and the trouble that the counterpart can be told to make."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from delivery.envelope import Envelope
from delivery.providers.capture import CaptureTransport
from delivery.providers.letter import LetterTransport
from delivery.providers.ses import SesTransport
from delivery.providers.ses_bulk import BulkSesTransport
from delivery.providers.ses_fast import FastSesTransport
from delivery.providers.sms import SmsTransport
from delivery.providers.smtp import SmtpTransport
from delivery.providers.sns_sms import SnsSmsTransport
from delivery.providers.transport import Transport
from delivery.providers.voice import VoiceTransport
from delivery.providers.webhook import WebhookTransport
from delivery.tables import MessageKind
from sandbox.server import SandboxServer
from tests.delivery.certificates import Authority
from tests.delivery.https_server import HttpsServer
from tests.delivery.smtp_server import Script, SmtpServer

ADDRESS, NUMBER = "alice@people.example", "+442079460018"
LETTER = Envelope(
    "m-1",
    "email",
    MessageKind.MARKETING,
    ADDRESS,
    "lookup",
    "Fern & Kettle <letters@shop.example>",
    "Dear Alice",
    subject="Three things, Zoë",
    html="<p>Dear Alice</p>",
    reply_to="hello@shop.example",
    headers={"List-Unsubscribe": "<https://shop.example/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    tags={"mid": "m-1", "campaign": "summer"},
)
TEXT = replace(LETTER, channel="sms", recipient=NUMBER, sender="FernKettle", subject="", html="", headers={})
CALL = replace(TEXT, channel="voice", sender="+442079460000")
POST = replace(
    TEXT, channel="letter", sender="Fern & Kettle", details={"columns": {"name": "Alice", "street": "1 Elm Row"}}
)
HOOK = replace(
    TEXT, channel="webhook", text='{"who": "alice"}', details={"method": "POST", "secrets": ("whsec_a", "whsec_b")}
)


class Trouble(StrEnum):
    """What may go wrong; each has the same meaning for every transport."""

    NOBODY_THERE = "nobody there"
    TOO_FAST = "too fast"
    REFUSED = "refused for good"
    BROKEN = "broken"
    REPLY_LOST = "reply lost"


@dataclass(slots=True)
class Counterpart:
    """`accepted` counts what the other side took, `make` has it make trouble; `troubles` are those that it knows."""

    transport: Transport
    envelope: Envelope
    accepted: Callable[[], int]
    make: Callable[[Trouble], None]
    troubles: frozenset[Trouble]
    elsewhere: Callable[[], Transport] | None = field(default=None)  # the transport, where nobody is there


Open = Callable[[Path, SandboxServer], AbstractContextManager[Counterpart]]


def _closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


_BEHAVIOUR: dict[Trouble, dict[str, Any]] = {
    Trouble.TOO_FAST: {"throttle": 1},
    Trouble.REFUSED: {"reject": 1},
    Trouble.BROKEN: {"error_before": 1},
    Trouble.REPLY_LOST: {"drop_reply": 1},
}


def _aws(make_transport: Callable[..., Transport], envelope: Envelope) -> Open:
    @cache
    def made(url: str) -> Transport:
        return make_transport(region="eu-central-1", endpoint_url=url)

    @contextmanager
    def opened(_folder: Path, sandbox: SandboxServer) -> Iterator[Counterpart]:
        with httpx.Client(base_url=sandbox.url) as web:
            web.post("/sandbox/reset").raise_for_status()

            def make(trouble: Trouble) -> None:
                web.put("/sandbox/behaviour", json=_BEHAVIOUR[trouble]).raise_for_status()

            away = f"http://127.0.0.1:{_closed_port()}"
            yield Counterpart(
                made(sandbox.url),
                envelope,
                lambda: len(web.get("/sandbox/messages").json()["messages"]),
                make,
                frozenset(Trouble),
                lambda: made(away),
            )

    return opened


@contextmanager
def _smtp(folder: Path, _sandbox: SandboxServer) -> Iterator[Counterpart]:
    authority = Authority(folder)
    scripts = {
        Trouble.TOO_FAST: Script({"mail": "421 too many from you"}),
        Trouble.REFUSED: Script({"rcpt": f"550 5.1.1 <{ADDRESS}> is nobody here"}),
        Trouble.REPLY_LOST: Script(drop="end"),
    }
    with ExitStack() as stack:
        server = stack.enter_context(SmtpServer(authority.server))

        def make(trouble: Trouble) -> None:
            server.script = scripts[trouble]

        transport = SmtpTransport(server.url, tls=authority.trusting)
        stack.callback(transport.close)
        yield Counterpart(
            transport,
            LETTER,
            lambda: len(server.accepted),
            make,
            frozenset({*scripts, Trouble.NOBODY_THERE}),
            lambda: SmtpTransport(f"smtp://localhost:{_closed_port()}", tls=authority.trusting),
        )


@contextmanager
def _webhook(folder: Path, _sandbox: SandboxServer) -> Iterator[Counterpart]:
    authority = Authority(folder)
    with HttpsServer(authority.server) as server:

        def make(trouble: Trouble) -> None:
            server.drops = trouble is Trouble.REPLY_LOST
            server.status = {Trouble.TOO_FAST: 429, Trouble.REFUSED: 422, Trouble.BROKEN: 503}.get(trouble, 200)

        envelope = replace(HOOK, recipient=server.url)
        yield Counterpart(
            WebhookTransport(tls=authority.trusting, allows_private=True),
            envelope,
            lambda: len({call.headers["idempotency-key"] for call in server.calls if server.status == 200}),
            make,
            frozenset(Trouble) - {Trouble.NOBODY_THERE},
        )


@contextmanager
def _letter(folder: Path, _sandbox: SandboxServer) -> Iterator[Counterpart]:
    letters, blocked = folder / "letters", folder / "blocked"
    blocked.write_text("a file stands where the folder should be")
    yield Counterpart(
        LetterTransport(letters),
        POST,
        lambda: sum(file.read_text().count("1 Elm Row") for file in letters.glob("*.csv")),
        lambda _trouble: None,
        frozenset({Trouble.NOBODY_THERE}),
        lambda: LetterTransport(blocked / "letters"),
    )


@contextmanager
def _capture(folder: Path, _sandbox: SandboxServer) -> Iterator[Counterpart]:
    mails, blocked = folder / "mails", folder / "blocked"
    blocked.write_text("a file stands where the folder should be")
    yield Counterpart(
        CaptureTransport("email", mails),
        LETTER,
        lambda: len(list(mails.glob("*.eml"))),
        lambda _trouble: None,
        frozenset({Trouble.NOBODY_THERE}),
        lambda: CaptureTransport("email", blocked / "mails"),
    )


COUNTERPARTS: dict[str, Open] = {
    "ses": _aws(SesTransport, LETTER),
    "ses_fast": _aws(FastSesTransport, LETTER),
    "ses_bulk": _aws(BulkSesTransport, LETTER),
    "smtp": _smtp,
    "aws_sms": _aws(SmsTransport, TEXT),
    "sns_sms": _aws(SnsSmsTransport, TEXT),
    "aws_voice": _aws(VoiceTransport, CALL),
    "webhook": _webhook,
    "letter": _letter,
    "capture": _capture,
}
