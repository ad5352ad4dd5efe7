"""KMS as unmodified boto3 sees it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from sandbox.wire.kms import ALIAS, KEY_ID, OTHER_KEY_ID
from tests.sandbox.conftest import client_for

CONTEXT = {"postilion": "shop"}


def test_opens_what_it_encrypted_by_any_name_of_the_key_and_after_a_restart() -> None:
    with SandboxServer(SandboxOptions()) as sandbox:
        kms = client_for(sandbox.url, "kms")
        made = kms.encrypt(KeyId=ALIAS, Plaintext=b"root", EncryptionContext=CONTEXT)
        described = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]
    assert (described["KeyId"], described["KeyState"]) == (KEY_ID, "Enabled")
    assert b"root" not in made["CiphertextBlob"]
    with SandboxServer(SandboxOptions()) as sandbox:
        kms = client_for(sandbox.url, "kms")
        for name in (ALIAS, KEY_ID, made["KeyId"]):
            opened = kms.decrypt(KeyId=name, CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
            assert opened["Plaintext"] == b"root"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"EncryptionContext": {"postilion": "other"}}, "InvalidCiphertextException"),
        ({"CiphertextBlob": b"nonsense"}, "InvalidCiphertextException"),
        ({"KeyId": OTHER_KEY_ID}, "IncorrectKeyException"),
        ({"KeyId": "alias/nothing"}, "NotFoundException"),
    ],
)
def test_refuses_as_kms_does_when_something_does_not_fit(changes: dict[str, object], code: str) -> None:
    with SandboxServer(SandboxOptions()) as sandbox:
        kms = client_for(sandbox.url, "kms")
        made = kms.encrypt(KeyId=KEY_ID, Plaintext=b"root", EncryptionContext=CONTEXT)
        asked = {"KeyId": KEY_ID, "CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": CONTEXT}
        with pytest.raises(ClientError) as caught:
            kms.decrypt(**asked | changes)
        assert caught.value.response["Error"]["Code"] == code
        with pytest.raises(ClientError, match="NotFoundException"):
            kms.encrypt(KeyId="alias/nothing", Plaintext=b"root")
