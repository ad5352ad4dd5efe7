"""`POST /v1/callbacks/ses`: what SNS signed is believed, and nothing else."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID
from sqlalchemy import func, select
from starlette.applications import Starlette

from core.runtime import Runtime
from delivery.callbacks.sns import SnsVerifier
from delivery.intake import Callback, store_callbacks
from delivery.tables import delivery_event
from delivery.web import routes
from tests.delivery.ledger_shop import ScriptedTransport, add_person, deliver, queue, row_of
from tests.delivery.test_feedback import BOUNCE, ses_event

TOPIC = "arn:aws:sns:eu-central-1:000000000000:postilion-events"
FILE = "SimpleNotificationService-0a1b2c.pem"
URL = f"https://sns.eu-central-1.amazonaws.com/{FILE}"
_FIELDS = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@dataclass(frozen=True)
class Sns:
    """Signs like SNS, by the developer guide's own recipe."""

    key: rsa.RSAPrivateKey

    def notification(self, message: str, version: str = "2", **changes: str) -> dict[str, str]:
        document = {
            "Type": "Notification",
            "MessageId": "b1f0",
            "TopicArn": TOPIC,
            "Message": message,
            "Timestamp": "2026-06-10T08:05:00.000Z",
            **{key: value for key, value in changes.items() if key in _FIELDS},
        }
        text = "".join(f"{name}\n{document[name]}\n" for name in _FIELDS if name in document)
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
        signature = self.key.sign(text.encode(), PKCS1v15(), algorithm)
        signed = {"SignatureVersion": version, "Signature": b64encode(signature).decode(), "SigningCertURL": URL}
        return {**document, **signed, **changes}


@pytest.fixture(scope="module")
def sns() -> Sns:
    return Sns(rsa.generate_private_key(public_exponent=65_537, key_size=2048))


@pytest.fixture
def certificates(sns: Sns, tmp_path: Path) -> Path:
    """The folder that is trusted without a download."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / FILE).write_bytes(_certificate(sns.key))
    return folder


@dataclass(frozen=True)
class Client:
    """Posts to the application without a socket."""

    app: Starlette

    def post(self, content: bytes) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
                return await client.post("/v1/callbacks/ses", content=content, headers={"content-type": "text/plain"})

        return asyncio.run(ask())


@pytest.fixture
def client(runtime: Runtime, certificates: Path) -> Client:
    store = store_callbacks(runtime)

    async def submit(callback: Callback) -> bool:
        with runtime.database.transaction() as connection:
            return store(connection, [callback])[0]

    settings = replace(runtime.settings, sns_topics=TOPIC, sns_certificates=str(certificates))
    return Client(Starlette(routes=routes(replace(runtime, settings=settings), submit)))


def _certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    made = builder.serial_number(1).not_valid_before(begins).not_valid_after(begins + timedelta(days=365))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def post(client: Client, document: Any) -> int:
    body = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return client.post(body).status_code


def reports(runtime: Runtime) -> int:
    with runtime.database.read() as connection:
        return connection.execute(select(func.count()).select_from(delivery_event)).scalar_one()


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_bounce_reaches_the_row_when_its_signature_fits(
    runtime: Runtime, client: Client, sns: Sns, version: str
) -> None:
    queue(runtime, add_person(runtime, "alice"))
    deliver(runtime, ScriptedTransport())
    document = sns.notification(BOUNCE, version)
    assert post(client, document) == 204
    assert post(client, document) == 204  # SNS delivers at least once
    assert row_of(runtime).bounced_at is not None
    assert reports(runtime) == 1


def test_a_subject_is_part_of_what_is_signed_when_there_is_one(client: Client, sns: Sns) -> None:
    assert post(client, sns.notification(ses_event("Send"), Subject="Amazon SES Email Event Notification")) == 204


def test_a_notification_is_refused_when_it_was_altered(runtime: Runtime, client: Client, sns: Sns) -> None:
    document = sns.notification(BOUNCE)
    for key, value in (
        ("Message", BOUNCE.replace("m1", "m2")),
        ("Timestamp", "2026-06-10T08:06:00.000Z"),
        ("MessageId", "other"),
        ("Subject", "new"),
        ("Signature", b64encode(b"nothing").decode()),
        ("Signature", "not base64 !"),
        ("SignatureVersion", "1"),
        ("SignatureVersion", "3"),
        ("Type", "UnsubscribeConfirmation"),
    ):
        assert post(client, {**document, key: value}) == 400, key
    assert reports(runtime) == 0


def test_a_notification_is_refused_when_another_key_signed_it(client: Client) -> None:
    forger = Sns(rsa.generate_private_key(public_exponent=65_537, key_size=2048))
    assert post(client, forger.notification(BOUNCE)) == 400


def test_a_notification_is_refused_when_its_topic_is_not_ours(client: Client, sns: Sns) -> None:
    other = sns.notification(BOUNCE, TopicArn="arn:aws:sns:eu-central-1:111111111111:postilion-events")
    answer = client.post(msgspec.json.encode(other))
    assert (answer.status_code, "POSTILION_SNS_TOPICS" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-0a1b2c.pem",
        "https://evil.example/SimpleNotificationService-0a1b2c.pem",
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-central-1.amazonaws.com/../SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem?x",
        "file:///etc/passwd",
    ],
)
def test_no_certificate_is_read_when_its_address_is_not_amazon_s(client: Client, sns: Sns, url: str) -> None:
    assert post(client, {**sns.notification(BOUNCE), "SigningCertURL": url}) == 400


def test_a_hint_to_try_again_is_answered_when_the_certificate_cannot_be_fetched(
    client: Client, sns: Sns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_url: str, timeout: float) -> None:
        raise TimeoutError

    monkeypatch.setattr("delivery.callbacks.sns._open", away)
    unseen = URL.replace("0a1b2c", "ffffff")
    assert post(client, {**sns.notification(BOUNCE), "SigningCertURL": unseen}) == 503


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"not json", b'{"Type": "Notification"}'])
def test_a_body_is_refused_when_it_is_no_notification(client: Client, body: bytes) -> None:
    assert post(client, body) == 400


def test_a_body_is_refused_when_it_is_too_large(client: Client) -> None:
    assert post(client, b"x" * 1_000_001) == 413


def test_a_signed_message_is_refused_when_it_is_no_event_of_ses(client: Client, sns: Sns) -> None:
    assert post(client, sns.notification("hello")) == 400


def test_keys_are_read_once_when_many_notifications_come(sns: Sns, certificates: Path) -> None:
    verifier = SnsVerifier(frozenset({TOPIC}), certificates)
    body = msgspec.json.encode(sns.notification(BOUNCE))
    assert verifier.read(body).message == BOUNCE
    (certificates / FILE).unlink()
    assert verifier.read(body).message_id == "b1f0"
