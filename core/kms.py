"""The door to AWS KMS, which may wrap the workspace key, so that its file alone opens nothing.

KMS is asked once when a process starts and once when a version is made; it never sees a customer's data. The
encryption context names the workspace, so that one workspace's file does not open as another's.
"""

from __future__ import annotations

from typing import Any

from core.errors import EnvironmentFaultError, PostilionError
from core.settings import Settings

_CONNECT_S, _READ_S = 5, 10
_ATTEMPTS = 3  # both calls change nothing, so asking again is safe
_WAYS_OUT = {
    "NotFoundException": "there is no such key in this region: check POSTILION_KMS_KEY_ID and POSTILION_AWS_REGION.",
    "InvalidCiphertextException": (
        "the file was wrapped for another workspace, or it is altered: restore the file from its backup."
    ),
    "IncorrectKeyException": (
        "the file was wrapped by another key: set POSTILION_KMS_KEY_ID to that one, or run `postilion keys wrap`."
    ),
    "DisabledException": "the key is disabled: enable it in the KMS console.",
    "KMSInvalidStateException": "the key is disabled or about to be deleted: see the KMS console, at once.",
    "AccessDeniedException": "allow kms:Encrypt and kms:Decrypt on this key to the role that Postilion runs with.",
}


class KmsWrapping:
    """Wraps and unwraps by one KMS key; boto3 is loaded when it is first asked."""

    def __init__(self, settings: Settings, workspace: str, *, any_key: bool = False) -> None:
        """With `any_key`, whichever key wrapped a value is asked to unwrap it: for moving from one to another."""
        self._settings = settings
        self._context = {"postilion": workspace}
        self._unwrapped_by = {} if any_key else {"KeyId": settings.kms_key_id}
        self._kms: Any = None

    def wrap(self, root: bytes) -> bytes:
        """`root` under the KMS key. Raises EnvironmentFaultError with the way out."""
        answer = self._ask("encrypt", KeyId=self._settings.kms_key_id, Plaintext=root, EncryptionContext=self._context)
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes) -> bytes:
        """What `wrap` was given. Raises EnvironmentFaultError with the way out."""
        answer = self._ask("decrypt", CiphertextBlob=wrapped, EncryptionContext=self._context, **self._unwrapped_by)
        return bytes(answer["Plaintext"])

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # boto3 takes a while to load

        try:
            if self._kms is None:
                self._kms = _create_client(self._settings)
            return dict(getattr(self._kms, operation)(**arguments))
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "Unknown"))
            raise _refused(code, _WAYS_OUT.get(code, "look the code up in the documentation of AWS KMS.")) from None
        except BotoCoreError as error:
            way_out = "check the network, POSTILION_AWS_REGION and the credentials of AWS."
            raise _refused(type(error).__name__, way_out) from None


def wrapping_of(settings: Settings, workspace: str) -> KmsWrapping | None:
    """What wraps the workspace key by these settings; None when it stands plain in its file."""
    return KmsWrapping(settings, workspace) if settings.kms_key_id else None


def _create_client(settings: Settings) -> Any:
    import boto3
    from botocore.config import Config

    credentials: dict[str, str] = {}
    if settings.aws_endpoint_url.startswith("http://"):
        # AWS is never spoken to without TLS, so this is a stand-in, which checks no credentials.
        credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    # boto3's stubs know no client without credentials to spell out.
    factory: Any = boto3.session.Session(region_name=settings.aws_region).client
    return factory(
        "kms",
        endpoint_url=settings.aws_endpoint_url or None,
        config=Config(
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
        ),
        **credentials,
    )


def _refused(code: str, way_out: str) -> PostilionError:
    return EnvironmentFaultError(f"AWS KMS does not open the workspace key ({code}): {way_out}")
