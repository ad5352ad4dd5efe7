"""KMS: Encrypt, Decrypt and DescribeKey with one symmetric key, of which this account has as many as are asked for.

The key material is derived from the account and the key's name, so that what was encrypted opens after a restart. It
protects nothing: whoever can read this file can open it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.account import Account
from sandbox.wire.operations import Operation
from sandbox.wire.protocols import AwsError, Call, Document

ALIAS = "alias/postilion"
KEY_ID = "1a2b3c4d-0000-4000-8000-000000000001"
OTHER_KEY_ID = "1a2b3c4d-0000-4000-8000-000000000002"

_NAMES = {ALIAS: KEY_ID, KEY_ID: KEY_ID, OTHER_KEY_ID: OTHER_KEY_ID}
_MARK = b"sandbox-kms:"
_NONCE_BYTES = 12
_LARGEST = 4096
_KEY_ID_BYTES = len(KEY_ID)


class _Encrypt(msgspec.Struct, rename="pascal"):
    key_id: str
    plaintext: bytes
    encryption_context: dict[str, str] = {}


class _Decrypt(msgspec.Struct, rename="pascal"):
    ciphertext_blob: bytes
    encryption_context: dict[str, str] = {}
    key_id: str = ""


class _Describe(msgspec.Struct, rename="pascal"):
    key_id: str


_encrypt, _decrypt = msgspec.json.Decoder(_Encrypt), msgspec.json.Decoder(_Decrypt)
_describe = msgspec.json.Decoder(_Describe)


async def encrypt(account: Account, call: Call) -> Document:
    request = call.read(_encrypt)
    key_id = _key_id(account, request.key_id)
    if not 1 <= len(request.plaintext) <= _LARGEST:
        raise AwsError("ValidationException", f"Plaintext must have 1 to {_LARGEST} bytes.")
    nonce = secrets.token_bytes(_NONCE_BYTES)
    text = _cipher(account, key_id).encrypt(nonce, request.plaintext, _bound(request.encryption_context))
    blob = _MARK + key_id.encode() + nonce + text
    return {
        "CiphertextBlob": base64.b64encode(blob).decode(),
        "KeyId": _arn(account, key_id),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }


async def decrypt(account: Account, call: Call) -> Document:
    request = call.read(_decrypt)
    blob = request.ciphertext_blob
    if not blob.startswith(_MARK):
        raise AwsError("InvalidCiphertextException", "")
    blob = blob.removeprefix(_MARK)
    key_id, nonce, text = (
        blob[:_KEY_ID_BYTES].decode("ascii", "replace"),
        blob[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES],
        blob[_KEY_ID_BYTES + _NONCE_BYTES :],
    )
    if request.key_id and _key_id(account, request.key_id) != key_id:
        raise AwsError(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    try:
        plain = _cipher(account, key_id).decrypt(nonce, text, _bound(request.encryption_context))
    except (InvalidTag, ValueError):
        raise AwsError("InvalidCiphertextException", "") from None
    return {
        "Plaintext": base64.b64encode(plain).decode(),
        "KeyId": _arn(account, key_id),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }


async def describe_key(account: Account, call: Call) -> Document:
    key_id = _key_id(account, call.read(_describe).key_id)
    return {
        "KeyMetadata": {
            "AWSAccountId": account.options.account_id,
            "KeyId": key_id,
            "Arn": _arn(account, key_id),
            "Enabled": True,
            "KeyState": "Enabled",
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeySpec": "SYMMETRIC_DEFAULT",
        }
    }


def _key_id(account: Account, name: str) -> str:
    """The id of the key with this id, alias or ARN."""
    known = _NAMES.get(name.removeprefix(account.arn("kms", "")).removeprefix("key/"))
    if known is None:
        raise AwsError("NotFoundException", f"Key '{name}' does not exist")
    return known


def _arn(account: Account, key_id: str) -> str:
    return account.arn("kms", f"key/{key_id}")


def _cipher(account: Account, key_id: str) -> AESGCM:
    return AESGCM(hashlib.sha256(f"{account.options.account_id}:{key_id}".encode()).digest())


def _bound(context: dict[str, str]) -> bytes:
    return msgspec.json.encode(sorted(context.items()))


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("Encrypt", encrypt),
        Operation("Decrypt", decrypt),
        Operation("DescribeKey", describe_key),
    )
}
