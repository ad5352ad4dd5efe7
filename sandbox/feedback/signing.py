"""Signs notifications the way SNS does, with a certificate of our own making.

The string that is signed lists the fields by name, one name and one value a line; version 1 hashes with SHA1,
version 2 with SHA256 (Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages"). The
certificate's address has the shape that verifiers insist on; nothing is fetched from there when its file lies
in their cache.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID

KEY_BITS = 2048
KEY_FILE_NAME = "notification-signing-key.pem"
_VALID_FROM = datetime(2000, 1, 1, tzinfo=UTC)  # before any instant that a manual clock is set to
_VALID_FOR = timedelta(days=36_500)
_SIGNED_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}


class Signer:
    """A private key and its certificate. With a `folder` both outlive the process; safe to use from
    several threads.
    """

    def __init__(self, folder: Path | None, certificates: Path | None, region: str) -> None:
        self._key = _stored_key(folder / KEY_FILE_NAME) if folder else _new_key()
        certificate = _certificate(self._key)
        self.certificate_pem = certificate.public_bytes(serialization.Encoding.PEM)
        # Named by the key, which a restart keeps, so that verifiers' caches stay valid.
        self.file_name = f"SimpleNotificationService-{_fingerprint(self._key)}.pem"
        self.certificate_url = f"https://sns.{region}.amazonaws.com/{self.file_name}"
        if certificates:
            certificates.mkdir(parents=True, exist_ok=True)
            (certificates / self.file_name).write_bytes(self.certificate_pem)

    def signed(self, document: dict[str, str], version: str) -> dict[str, str]:
        """`document` (a notification without signature) with SignatureVersion, Signature and
        SigningCertURL.
        """
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
        signature = self._key.sign(text_to_sign(document), PKCS1v15(), algorithm)
        return document | {
            "SignatureVersion": version,
            "Signature": b64encode(signature).decode(),
            "SigningCertURL": self.certificate_url,
        }


def text_to_sign(document: dict[str, str]) -> bytes:
    fields = _SIGNED_FIELDS[document["Type"]]
    return "".join(f"{field}\n{document[field]}\n" for field in fields if field in document).encode()


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)


def _stored_key(path: Path) -> rsa.RSAPrivateKey:
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key
    key = _new_key()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return key


def _fingerprint(key: rsa.RSAPrivateKey) -> str:
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public)
    return digest.finalize().hex()[:32]


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_FROM + _VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("sns.amazonaws.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
