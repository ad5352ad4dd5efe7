"""Callbacks that somebody made up, altered, sent again or blew up: refused, and nothing is kept of them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.request import Request

import httpx
import msgspec
import pytest

from core.errors import InputError, TransientError
from core.runtime import Runtime
from delivery.callbacks import sns as sns_module
from delivery.callbacks.sns import SnsVerifier
from tests.delivery.ledger_shop import ScriptedTransport, add_person, deliver, queue, row_of
from tests.delivery.test_callbacks import (
    TOPIC,
    URL,
    Client,
    Sns,
    _certificate,
    certificates,
    client,
    post,
    reports,
    sns,
)
from tests.delivery.test_feedback import BOUNCE, ses_event

__all__ = ["certificates", "client", "sns"]  # fixtures


def test_a_replayed_notification_changes_nothing_when_it_is_sent_a_hundred_times(
    runtime: Runtime, client: Client, sns: Sns
) -> None:
    queue(runtime, add_person(runtime, "alice"))
    deliver(runtime, ScriptedTransport())
    document = sns.notification(ses_event("Delivery"))
    assert {post(client, document) for _ in range(20)} == {204}
    assert reports(runtime) == 1
    delivered_at = row_of(runtime).delivered_at
    post(client, {**document, "UnsubscribeURL": "https://evil.example"})  # what is not signed is not read
    assert (reports(runtime), row_of(runtime).delivered_at) == (1, delivered_at)


@pytest.mark.parametrize(
    "changes",
    [
        {"Type": "Notification", "MessageId": 7},
        {"Type": ["Notification"]},
        {"Type": "Notification", "Message": {"eventType": "Bounce"}},
        {"SignatureVersion": 2},
        {"Signature": None},
        {"TopicArn": [TOPIC]},
        {"SigningCertURL": {"url": URL}},
    ],
)
def test_a_notification_is_refused_when_a_field_has_another_type(
    runtime: Runtime, client: Client, sns: Sns, changes: dict[str, Any]
) -> None:
    assert post(client, {**sns.notification(BOUNCE), **changes}) == 400
    assert reports(runtime) == 0


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"Type":' * 50_000, b"\xff\xfe\x00", b"\x00" * 100, b'"' * 999])
def test_a_body_is_refused_when_it_is_made_to_break_a_parser(client: Client, body: bytes) -> None:
    assert client.post(body).status_code == 400


def test_a_signed_event_is_refused_when_it_is_nested_without_end(client: Client, sns: Sns) -> None:
    assert post(client, sns.notification('{"mail":' * 20_000)) == 400


def test_reading_ends_when_a_body_without_a_length_never_does(client: Client) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 50_000_000:
            read += 100_000
            yield b"x" * 100_000

    async def ask() -> int:
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as caller:
            return (await caller.post("/v1/callbacks/ses", content=endless())).status_code

    assert asyncio.run(ask()) == 413
    assert read < 5_000_000


class Downloads:
    """Stands where the network is: answers what it is told, and counts."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, url: str, timeout: float) -> io.BytesIO:
        self.asked.append(url)
        return io.BytesIO(self.answers.pop(0))


def test_a_key_is_kept_only_when_it_came_out_of_a_certificate(sns: Sns, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = Downloads(b"<html>log in to the hotel's network</html>", _certificate(sns.key))
    monkeypatch.setattr(sns_module, "_open", downloads)
    verifier = SnsVerifier(frozenset({TOPIC}))
    body = msgspec.json.encode(sns.notification(BOUNCE))
    with pytest.raises(TransientError):
        verifier.read(body)
    assert verifier.read(body).message == BOUNCE
    assert verifier.read(body).message == BOUNCE
    assert len(downloads.asked) == 2


def test_one_certificate_s_key_is_not_believed_when_another_address_is_named(
    sns: Sns, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Poisoning: a forger's key under one address must not verify what is signed under another."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    forger = Sns(rsa.generate_private_key(public_exponent=65_537, key_size=2048))
    monkeypatch.setattr(sns_module, "_open", Downloads(_certificate(forger.key)))
    verifier = SnsVerifier(frozenset({TOPIC}), certificates)
    other = URL.replace("0a1b2c", "ffffff")
    verifier.read(msgspec.json.encode({**forger.notification(BOUNCE), "SigningCertURL": other}))  # as if it were Amazon
    with pytest.raises(InputError):
        verifier.read(msgspec.json.encode(forger.notification(BOUNCE)))
    assert verifier.read(msgspec.json.encode(sns.notification(BOUNCE))).message == BOUNCE


def test_few_keys_are_kept_when_somebody_invents_addresses(sns: Sns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sns_module, "_open", Downloads(*[_certificate(sns.key)] * 50))
    verifier = SnsVerifier(frozenset({TOPIC}))
    for number in range(50):
        url = URL.replace("0a1b2c", f"{number:06x}")
        verifier.read(msgspec.json.encode({**sns.notification(BOUNCE), "SigningCertURL": url}))
    assert len(verifier._keys) <= 16


def test_no_certificate_is_fetched_when_the_topic_is_not_ours(sns: Sns, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = Downloads()
    monkeypatch.setattr(sns_module, "_open", downloads)
    verifier = SnsVerifier(frozenset())
    with pytest.raises(InputError, match="POSTILION_SNS_TOPICS"):
        verifier.read(msgspec.json.encode(sns.notification(BOUNCE)))
    assert downloads.asked == []


def test_a_redirect_is_not_followed_when_a_certificate_is_fetched() -> None:
    follow: Callable[..., object] = sns_module._StayThere().redirect_request
    assert follow(Request(URL), None, 302, "Found", {}, "https://evil.example/key.pem") is None


def test_the_operator_is_told_when_a_topic_ends_its_subscription(
    client: Client, sns: Sns, caplog: pytest.LogCaptureFixture
) -> None:
    ended = sns.notification(
        "You have chosen to deactivate",
        Type="UnsubscribeConfirmation",
        Token="t",
        SubscribeURL="https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription",
    )
    assert post(client, ended) == 204
    assert "sends its reports here no more" in caplog.text
