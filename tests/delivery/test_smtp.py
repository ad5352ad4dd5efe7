"""The SMTP transport against a real server: what goes over the wire, and what each reply at each stage means."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.settings import Settings
from delivery.mime import write_mime
from delivery.providers.registry import create_transports
from delivery.providers.smtp import SmtpTransport, parse_smtp_url
from delivery.providers.transport import Reaction, TransportError
from tests.delivery.certificates import Authority
from tests.delivery.counterparts import LETTER
from tests.delivery.smtp_server import USER, Script, SmtpServer

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
Make = Callable[..., SmtpTransport]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Iterator[SmtpServer]:
    with SmtpServer(authority.server) as opened:
        yield opened


@pytest.fixture
def make(authority: Authority, server: SmtpServer) -> Iterator[Make]:
    with ExitStack() as stack:

        def made(url: str = server.url, **changes: Any) -> SmtpTransport:
            transport = SmtpTransport(url, **{"tls": authority.trusting, "timeout_s": 5, **changes})
            stack.callback(transport.close)
            return transport

        yield made


def failure_of(transport: SmtpTransport, **changes: Any) -> tuple[Reaction, str]:
    with pytest.raises(TransportError) as caught:
        transport.send(replace(LETTER, **changes))
    return caught.value.reaction, caught.value.code


def parsed(content: bytes) -> EmailMessage:
    read = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert isinstance(read, EmailMessage)
    return read


def body_of(read: EmailMessage, kind: str) -> str:
    part = read.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content


def test_the_mail_arrives_as_it_was_composed_when_the_server_takes_it(make: Make, server: SmtpServer) -> None:
    accepted = make().send(replace(LETTER, text="Dear Alice\n.\n..two\nFrom Zoë  \n", html="<p>Zoë</p>\r\n.\r\n"))
    (taken,) = server.accepted
    assert (taken.sender, taken.recipients) == ("letters@shop.example", ("alice@people.example",))
    assert taken.is_encrypted
    read = parsed(taken.content)
    assert str(read["Message-ID"]) == f"<{accepted.provider_id}>"
    assert accepted.provider_id == "m-1@shop.example"
    assert (str(read["From"]), str(read["To"])) == (LETTER.sender, LETTER.recipient)
    assert (str(read["Subject"]), str(read["Reply-To"])) == (LETTER.subject, LETTER.reply_to)
    for name, value in LETTER.headers.items():
        assert read[name] == value
    assert body_of(read, "plain") == "Dear Alice\r\n.\r\n..two\r\nFrom Zoë  \r\n"
    assert body_of(read, "html") == "<p>Zoë</p>\r\n.\r\n"


def test_a_long_unsubscribe_address_stays_whole_when_it_does_not_fit_a_line() -> None:
    address = f"<https://shop.example/u/{'0123456789' * 30}>"
    written = write_mime(replace(LETTER, headers={"List-Unsubscribe": address}), NOW)
    assert f"List-Unsubscribe: {address}\r\n".encode() in written


@given(
    text=st.text(st.characters(codec="utf-8")),
    subject=st.text(st.characters(codec="utf-8", categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=120),
)
def test_no_line_is_too_long_and_nothing_is_lost_when_any_text_is_written(text: str, subject: str) -> None:
    written = write_mime(replace(LETTER, text=text, subject=subject), NOW)
    assert max(map(len, written.split(b"\r\n"))) <= 78
    assert b"\r" not in written.replace(b"\r\n", b"")
    assert b"\n" not in written.replace(b"\r\n", b"")
    part = parsed(written).get_body(("plain",))
    assert part is not None
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert part.get_payload(decode=True) == expected.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "a\r\nBcc: eve@evil.example"},
        {"subject": "a\nb"},
        {"sender": "A\r\nX: y <a@b.example>"},
        {"recipient": "alice@people.example\r\nDATA"},
        {"reply_to": "a@b.example\r\nBcc: eve@evil.example"},
        {"headers": {"X-Shop": "a\r\n\r\nHello"}},
        {"headers": {"X-Shop: a\r\nBcc": "eve@evil.example"}},
        {"headers": {"Bcc": "eve@evil.example"}},
        {"headers": {"content-TYPE": "text/plain"}},
        {"message_id": "a\r\nBcc: eve@evil.example"},
    ],
)
def test_the_mail_is_refused_before_the_server_hears_of_it_when_a_header_is_hostile(
    make: Make, server: SmtpServer, changes: dict[str, Any]
) -> None:
    assert failure_of(make(), **changes) == (Reaction.REJECT, "HeaderRefused")
    assert server.connection_count == 0


def test_one_connection_serves_when_many_mails_go_out(make: Make, server: SmtpServer) -> None:
    transport = make()
    for number in range(5):
        transport.send(replace(LETTER, message_id=f"m-{number}"))
    assert (len(server.accepted), server.connection_count) == (5, 1)


def test_nothing_is_lost_when_the_server_closed_an_idle_connection(
    make: Make, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = make()
    transport.send(LETTER)
    monkeypatch.setattr("delivery.providers.smtp._IDLE_S", 0)
    server.hang_up()
    transport.send(replace(LETTER, message_id="m-2"))
    assert (len(server.accepted), server.connection_count) == (2, 2)


def test_the_password_is_given_under_tls_when_there_is_one(make: Make, server: SmtpServer) -> None:
    host = server.url.removeprefix("smtp://")
    make(f"smtp://{USER}:a%20long%3A%20secret%40%2F@{host}").send(LETTER)
    (taken,) = server.accepted
    assert (taken.user, taken.is_encrypted) == (USER, True)


@pytest.mark.parametrize(
    ("script", "reaction", "code"),
    [
        (Script({"greeting": "421 busy"}), Reaction.SLOW_DOWN, "Connect421"),
        (Script({"greeting": "450 later"}), Reaction.RETRY, "Connect450"),
        (Script({"greeting": "554 no service for you"}), Reaction.PAUSE_CHANNEL, "Connect554"),
        (Script(drop="greeting"), Reaction.RETRY, "SMTPServerDisconnected"),
        (Script(extensions=("AUTH PLAIN",)), Reaction.PAUSE_CHANNEL, "StartTlsMissing"),
        (Script({"mail": "421 slow down"}), Reaction.SLOW_DOWN, "MailFrom421"),
        (Script({"mail": "451 later"}), Reaction.RETRY, "MailFrom451"),
        (Script({"mail": "530 log in first"}), Reaction.PAUSE_CHANNEL, "MailFrom530"),
        (Script({"mail": "550 you are not letters@shop.example"}), Reaction.PAUSE_SENDER, "MailFrom550"),
        (Script({"mail": "552 too large"}), Reaction.REJECT, "MailFrom552"),
        (Script(drop="mail"), Reaction.RETRY, "SMTPServerDisconnected"),
        (Script({"rcpt": "450 grey, come again"}), Reaction.RETRY, "RcptTo450"),
        (Script({"rcpt": "550 alice@people.example unknown"}), Reaction.REJECT, "RcptTo550"),
        (Script(drop="rcpt"), Reaction.RETRY, "SMTPServerDisconnected"),
        (Script({"data": "554 no"}), Reaction.REJECT, "Data554"),
        (Script(drop="data"), Reaction.RETRY, "SMTPServerDisconnected"),
        (Script({"end": "452 full"}), Reaction.RETRY, "DataEnd452"),
        (Script({"end": "421 going down"}), Reaction.SLOW_DOWN, "DataEnd421"),
        (Script({"end": "554 spam"}), Reaction.REJECT, "DataEnd554"),
        (Script(drop="end"), Reaction.UNKNOWN, "SMTPServerDisconnected"),
    ],
)
def test_each_reply_has_its_reaction_when_the_server_refuses(
    make: Make, server: SmtpServer, script: Script, reaction: Reaction, code: str
) -> None:
    server.script = script
    transport = make()
    assert failure_of(transport) == (reaction, code)
    assert len(server.accepted) == (1 if reaction is Reaction.UNKNOWN else 0)
    server.script = Script()
    transport.send(replace(LETTER, message_id="m-2"))  # the next one does not suffer for it
    assert server.accepted[-1].recipients == (LETTER.recipient,)


def test_a_mail_is_tried_again_when_the_connection_breaks_within_it(make: Make, server: SmtpServer) -> None:
    """It breaks while 8 MB are on their way, before the dot."""
    server.script = Script(drop="body")
    assert failure_of(make(), html="<p>much</p>\n" * 700_000)[0] is Reaction.RETRY
    assert server.accepted == []


def test_the_channel_pauses_and_nothing_is_told_when_the_password_is_wrong(make: Make, server: SmtpServer) -> None:
    host = server.url.removeprefix("smtp://")
    transport = make(f"smtp://{USER}:wrong-word@{host}")
    with pytest.raises(TransportError) as caught:
        transport.send(LETTER)
    assert (caught.value.reaction, caught.value.code) == (Reaction.PAUSE_CHANNEL, "Authentication535")
    assert "wrong-word" not in str(caught.value)
    assert USER not in str(caught.value)


def test_nothing_is_said_when_the_certificate_is_not_trusted(make: Make, server: SmtpServer) -> None:
    reaction, code = failure_of(make(tls=ssl.create_default_context()))
    assert (reaction, code) == (Reaction.RETRY, "SSLCertVerificationError")
    assert server.accepted == []


def test_nothing_is_said_when_the_certificate_is_for_another_name(make: Make, server: SmtpServer) -> None:
    reaction, code = failure_of(make(f"smtp://127.0.0.1:{server.port}"))
    assert (reaction, code) == (Reaction.RETRY, "SSLCertVerificationError")


def test_a_server_on_this_machine_is_spoken_to_plainly_when_the_setting_says_so(make: Make, server: SmtpServer) -> None:
    make(f"smtp+plain://127.0.0.1:{server.port}").send(LETTER)
    assert not server.accepted[0].is_encrypted


def test_an_address_in_other_letters_needs_a_server_that_can_read_it(make: Make, server: SmtpServer) -> None:
    assert failure_of(make(), recipient="zoë@people.example") == (Reaction.REJECT, "SmtpUtf8Missing")
    server.script = Script(extensions=("STARTTLS", "8BITMIME", "SMTPUTF8"))
    make().send(replace(LETTER, recipient="zoë@people.example"))
    assert server.accepted[-1].recipients == ("zoë@people.example",)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:x",
        "smtp://u:hidden-word@mail.example/path",
        "smtp+plain://u:hidden-word@mail.example",
        "smtp+plain://192.168.1.5",
    ],
)
def test_the_setting_is_refused_without_its_password_when_it_is_no_mail_server(url: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_smtp_url(url)
    assert "hidden-word" not in str(caught.value)


def test_the_password_is_not_shown_when_settings_are() -> None:
    settings = Settings(smtp_url="smtp://u:hidden-word@mail.example", transports="email=smtp")
    assert "hidden-word" not in repr(settings)
    assert "hidden-word" not in repr(parse_smtp_url("smtp://u:hidden-word@mail.example"))
    made = create_transports(settings)["email"]
    assert (made.name, "hidden-word" in repr(made)) == ("smtp", False)
