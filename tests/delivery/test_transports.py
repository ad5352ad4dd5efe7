"""The transports against the sandbox, by unmodified boto3: what goes over the wire, and what each error means."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from core.errors import InputError
from core.runtime import Runtime
from core.settings import Settings
from delivery.envelope import Envelope
from delivery.providers.aws import as_transport_error
from delivery.providers.registry import create_transports
from delivery.providers.ses import SesTransport
from delivery.providers.sms import SmsTransport
from delivery.providers.transport import Reaction, TransportError
from delivery.tables import MessageKind, MessageStatus
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.delivery.ledger_shop import MINUTE, NOW, add_person, deliver, queue, row_of

LETTER = Envelope(
    "m-1",
    "email",
    MessageKind.MARKETING,
    "alice@people.example",
    "lookup",
    "Fern & Kettle <letters@shop.example>",
    "Dear Alice",
    subject="Three things, Zoë",
    html="<p>Dear Alice</p>",
    reply_to="hello@shop.example",
    headers={"List-Unsubscribe": "<https://shop.example/u/1>", "Feedback-ID": "summer:a:marketing:shop"},
    tags={"mid": "m-1", "campaign": "summer"},
    configuration_set="postilion",
)
TEXT = replace(
    LETTER,
    channel="sms",
    recipient="+442079460018",
    sender="FernKettle",
    subject="",
    html="",
    headers={},
    configuration_set="",
)


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(seed=7)) as sandbox:
        yield sandbox


@pytest.fixture
def web(shared_sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_sandbox.url) as opened:
        opened.post("/sandbox/reset").raise_for_status()
        yield opened


@pytest.fixture(scope="module")
def ses(shared_sandbox: SandboxServer) -> SesTransport:
    return SesTransport(region="eu-central-1", endpoint_url=shared_sandbox.url)


@pytest.fixture(scope="module")
def sms(shared_sandbox: SandboxServer) -> SmsTransport:
    return SmsTransport(region="eu-central-1", endpoint_url=shared_sandbox.url)


def messages(web: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = web.get("/sandbox/messages").json()["messages"]
    return found


def test_everything_is_on_the_mail_when_ses_takes_it(web: httpx.Client, ses: SesTransport) -> None:
    accepted = ses.send(LETTER)
    (mail,) = messages(web)
    assert mail["message_id"] == accepted.provider_id
    assert (mail["from"], mail["to"], mail["subject"]) == (LETTER.sender, [LETTER.recipient], LETTER.subject)
    assert (mail["html"], mail["text"]) == (LETTER.html, LETTER.text)
    assert mail["tags"] == LETTER.tags
    assert mail["configuration_set"] == "postilion"
    headers = {header["name"]: header["value"] for header in mail["headers"]}
    assert headers.items() >= LETTER.headers.items()


def test_the_text_and_our_id_are_on_the_sms_when_it_is_taken(web: httpx.Client, sms: SmsTransport) -> None:
    accepted = sms.send(TEXT)
    (text,) = messages(web)
    assert (text["message_id"], text["kind"], text["to"]) == (accepted.provider_id, "sms", [TEXT.recipient])
    assert (text["text"], text["tags"]["mid"]) == ("Dear Alice", "m-1")
    assert sms.read_rate() is None


@pytest.mark.parametrize(
    ("behaviour", "reaction", "code", "accepted_count"),
    [
        ({"throttle": 1}, Reaction.SLOW_DOWN, "TooManyRequestsException", 0),
        ({"paused": True}, Reaction.PAUSE_CHANNEL, "SendingPausedException", 0),
        ({"suspended": True}, Reaction.STOP, "AccountSuspendedException", 0),
        ({"unverified": ["shop.example"]}, Reaction.PAUSE_SENDER, "MailFromDomainNotVerifiedException", 0),
        ({"reject": 1}, Reaction.REJECT, "MessageRejected", 0),
        ({"error_before": 1}, Reaction.UNKNOWN, "", 0),
        ({"error_after": 1}, Reaction.UNKNOWN, "", 1),
        ({"drop_reply": 1}, Reaction.UNKNOWN, "ConnectionClosedError", 1),
    ],
)
def test_each_error_has_its_reaction_and_one_call_when_ses_misbehaves(
    web: httpx.Client, ses: SesTransport, behaviour: dict[str, Any], reaction: Reaction, code: str, accepted_count: int
) -> None:
    web.put("/sandbox/behaviour", json=behaviour).raise_for_status()
    with pytest.raises(TransportError) as caught:
        ses.send(LETTER)
    assert caught.value.reaction is reaction
    assert code in caught.value.code
    assert len(messages(web)) == accepted_count  # boto3's own retries would have made several


def test_the_sender_is_paused_when_its_configuration_set_does_not_exist(web: httpx.Client, ses: SesTransport) -> None:
    with pytest.raises(TransportError) as caught:
        ses.send(replace(LETTER, configuration_set="nowhere"))
    assert caught.value.reaction is Reaction.PAUSE_SENDER


@pytest.mark.parametrize("changes", [{"recipient": "alice"}, {"tags": {"mid": "a.b"}}, {"headers": {"X": "a\r\nb"}}])
def test_a_message_is_rejected_when_ses_cannot_read_it(
    web: httpx.Client, ses: SesTransport, changes: dict[str, Any]
) -> None:
    with pytest.raises(TransportError) as caught:
        ses.send(replace(LETTER, **changes))
    assert caught.value.reaction is Reaction.REJECT
    assert "alice" not in str(caught.value)


def test_a_message_is_tried_again_when_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    away = SesTransport(region="eu-central-1", endpoint_url=f"http://127.0.0.1:{port}")
    with pytest.raises(TransportError) as caught:
        away.send(LETTER)
    assert (caught.value.reaction, caught.value.code) == (Reaction.RETRY, "EndpointConnectionError")


def test_the_rate_is_the_account_s_when_it_is_read(ses: SesTransport, web: httpx.Client) -> None:
    assert ses.read_rate() == 500.0
    with SandboxServer(SandboxOptions(max_send_rate=-1)) as unlimited:
        assert SesTransport(region="eu-central-1", endpoint_url=unlimited.url).read_rate() is None


def test_the_channel_waits_when_the_quota_of_the_day_is_used_up() -> None:
    with SandboxServer(SandboxOptions(max_24_hour_send=1)) as small:
        ses = SesTransport(region="eu-central-1", endpoint_url=small.url)
        ses.send(LETTER)
        with pytest.raises(TransportError) as caught:
            ses.send(LETTER)
    assert (caught.value.reaction, caught.value.code) == (Reaction.WAIT_FOR_QUOTA, "TooManyRequestsException")


def client_error(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SendEmail")


@pytest.mark.parametrize(
    ("error", "reaction"),
    [
        (client_error("LimitExceededException", 400), Reaction.SLOW_DOWN),
        (client_error("ExpiredTokenException", 403), Reaction.RETRY),
        (client_error("RequestTimeTooSkewed", 403), Reaction.RETRY),
        (client_error("AccessDeniedException", 403), Reaction.PAUSE_CHANNEL),
        (client_error("SomethingNewException", 403), Reaction.PAUSE_CHANNEL),
        (client_error("SomethingNewException", 400), Reaction.REJECT),
        (client_error("SomethingNewException", 503), Reaction.UNKNOWN),
        (ParamValidationError(report="x"), Reaction.REJECT),
        (ZeroDivisionError(), Reaction.UNKNOWN),
    ],
)
def test_an_error_has_its_reaction_when_it_is_named_or_new(error: Exception, reaction: Reaction) -> None:
    assert as_transport_error(error).reaction is reaction


def test_the_first_transport_serves_a_channel_when_nothing_is_chosen(shared_sandbox: SandboxServer) -> None:
    made = create_transports(Settings(aws_endpoint_url=shared_sandbox.url))
    assert {channel: transport.name for channel, transport in made.items()} == {
        "email": "ses",
        "sms": "aws_sms",
        "voice": "aws_voice",
        "letter": "letter",
        "webhook": "webhook",
    }
    assert made["email"] is made["email"]


def test_a_sender_s_own_transport_is_made_when_it_names_one(shared_sandbox: SandboxServer) -> None:
    settings = Settings(
        transports=" email = smtp , sms=sns_sms",
        smtp_url="smtp+plain://127.0.0.1",
        aws_endpoint_url=shared_sandbox.url,
    )
    made = create_transports(settings)
    assert {route: made[route].name for route in ("email", "sms", "email:ses", "sms:aws_sms")} == {
        "email": "smtp",
        "sms": "sns_sms",
        "email:ses": "ses",
        "sms:aws_sms": "aws_sms",
    }
    with pytest.raises(KeyError):
        made["fax"]


@pytest.mark.parametrize(
    ("transports", "told"),
    [
        ("email=smpt", "'smpt' for email: did you mean 'smtp'?"),
        ("email=aws_sms", "'aws_sms' for email"),
        ("emial=smtp", "'emial'"),
        ("email", "'email' without a name"),
        ("email=smtp", "POSTILION_SMTP_URL"),
    ],
)
def test_the_setting_is_refused_when_it_names_what_there_is_not(transports: str, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        create_transports(Settings(transports=transports))


@pytest.mark.parametrize("name", ["smtp", "smpt", "aws_sms"])
def test_the_sender_pauses_when_its_own_transport_cannot_work(name: str) -> None:
    with pytest.raises(TransportError) as caught:
        create_transports(Settings())[f"email:{name}"].send(LETTER)
    assert caught.value.reaction is Reaction.PAUSE_SENDER


def test_a_lost_reply_becomes_unknown_and_one_mail_when_it_goes_through_the_worker(
    runtime: Runtime, web: httpx.Client, ses: SesTransport
) -> None:
    queue(runtime, add_person(runtime, "alice"))
    web.put("/sandbox/behaviour", json={"drop_reply": 1}).raise_for_status()
    wire: Any = ses
    assert dict(deliver(runtime, wire).counts) == {"unknown": 1}
    web.put("/sandbox/behaviour", json={"drop_reply": 0}).raise_for_status()
    assert deliver(runtime, wire, now=NOW + 60 * MINUTE).claimed == 0
    assert row_of(runtime).status == MessageStatus.UNKNOWN
    assert len(messages(web)) == 1
