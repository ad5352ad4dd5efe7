"""Amazon SNS notifications over HTTPS: is it really SNS, and what does it say?

The signature is checked as https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html tells. The
certificate's address must be SNS's own and is never left for another; a folder may pre-seed certificates, and nothing
else is ever trusted. Whether a notification was seen before is for whoever stores it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, build_opener

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import load_pem_x509_certificate

from core.errors import InputError, TransientError

_CERTIFICATE_URL = re.compile(
    r"https://sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?/(SimpleNotificationService-[A-Za-z0-9]+\.pem)"
)
_SIGNED_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: Mapping[str, type[HashAlgorithm]] = {"1": SHA1, "2": SHA256}
_MAX_CERTIFICATE_BYTES = 20_000
_MAX_KEYS = 16  # Amazon has a handful; who invents addresses must not fill the memory


class SnsMessage(msgspec.Struct, frozen=True, rename="pascal"):
    """The envelope of SNS; `message` is the text inside it."""

    type: str
    message_id: str
    topic_arn: str
    message: str
    timestamp: str
    signature: str
    signature_version: str
    signing_cert_url: str = msgspec.field(name="SigningCertURL")
    subject: str | None = None
    token: str | None = None
    subscribe_url: str | None = msgspec.field(name="SubscribeURL", default=None)


_decoder = msgspec.json.Decoder(SnsMessage)


class SnsVerifier:
    """Checks topic and signature; keeps the public keys of the certificates it has seen. Thread-safe."""

    def __init__(self, topics: frozenset[str], certificates: Path | None = None) -> None:
        self._topics = topics
        self._folder = certificates
        self._keys: dict[str, RSAPublicKey] = {}
        self._lock = Lock()

    def read(self, body: bytes) -> SnsMessage:
        """The message in `body`; raises InputError when it is not SNS's or not from a topic that is believed."""
        try:
            message = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"this is no SNS message ({type(error).__name__}).") from None
        if message.topic_arn not in self._topics:
            raise InputError("this SNS topic is not in POSTILION_SNS_TOPICS.")
        self._verify(message)
        return message

    def _verify(self, message: SnsMessage) -> None:
        fields, algorithm = _SIGNED_FIELDS.get(message.type), _HASHES.get(message.signature_version)
        if fields is None or algorithm is None:
            raise InputError("this kind or signature version of SNS message is not known.")
        try:
            self._key(message.signing_cert_url).verify(
                base64.b64decode(message.signature, validate=True),
                _signed_text(message, fields).encode(),
                PKCS1v15(),
                algorithm(),
            )
        except (InvalidSignature, ValueError):
            raise InputError("the signature of this SNS message does not fit.") from None

    def _key(self, url: str) -> RSAPublicKey:
        match = _CERTIFICATE_URL.fullmatch(url)
        if match is None:
            raise InputError("the signing certificate of this SNS message is not Amazon's.")
        with self._lock:
            known = self._keys.get(url)
        if known is not None:
            return known
        key = _public_key(self._certificate(url, match[2]))  # outside the lock: fetching takes its time
        with self._lock:
            if len(self._keys) >= _MAX_KEYS:
                self._keys.clear()
            return self._keys.setdefault(url, key)

    def _certificate(self, url: str, file_name: str) -> bytes:
        seeded = self._folder / file_name if self._folder else None
        if seeded is not None and seeded.is_file():
            return seeded.read_bytes()
        try:
            with _open(url, timeout=5) as answer:  # the address was matched against Amazon's own just now
                return bytes(answer.read(_MAX_CERTIFICATE_BYTES))
        except (URLError, TimeoutError, ConnectionError):
            raise TransientError("the signing certificate could not be fetched: SNS will deliver again.") from None


class _StayThere(HTTPRedirectHandler):
    """Follows no redirect: it could lead away from Amazon."""

    def redirect_request(self, *_: Any) -> None:
        return None


_open = build_opener(_StayThere).open


def _public_key(certificate: bytes) -> RSAPublicKey:
    try:
        key = load_pem_x509_certificate(certificate).public_key()
    except ValueError:  # half a certificate, or what a gateway between us and Amazon made of it
        raise TransientError("what was fetched is no certificate: SNS will deliver again.") from None
    if not isinstance(key, RSAPublicKey):
        raise InputError("the signing certificate of this SNS message has no RSA key.")
    return key


def _signed_text(message: SnsMessage, fields: tuple[str, ...]) -> str:
    values = {
        "Message": message.message,
        "MessageId": message.message_id,
        "Subject": message.subject,
        "SubscribeURL": message.subscribe_url,
        "Timestamp": message.timestamp,
        "Token": message.token,
        "TopicArn": message.topic_arn,
        "Type": message.type,
    }
    return "".join(f"{name}\n{values[name]}\n" for name in fields if values[name] is not None)
