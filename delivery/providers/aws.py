"""What all AWS transports share: the client without boto3's own retries, and the meaning of its errors.

botocore's retries send a mail again whose reply was lost (up to five copies); only errors that prove non-acceptance are
retried, and by the worker.
"""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    SSLError,
)

from delivery.providers.transport import Reaction, TransportError

_REACTIONS = {
    "TooManyRequestsException": Reaction.SLOW_DOWN,
    "ThrottlingException": Reaction.SLOW_DOWN,
    "Throttling": Reaction.SLOW_DOWN,
    "LimitExceededException": Reaction.SLOW_DOWN,
    "SendingPausedException": Reaction.PAUSE_CHANNEL,
    "ConfigurationSetSendingPausedException": Reaction.PAUSE_CHANNEL,
    "ServiceQuotaExceededException": Reaction.PAUSE_CHANNEL,
    "AccountSuspendedException": Reaction.STOP,
    "MailFromDomainNotVerifiedException": Reaction.PAUSE_SENDER,
    "NotFoundException": Reaction.PAUSE_SENDER,
    "ResourceNotFoundException": Reaction.PAUSE_SENDER,
    "MessageRejected": Reaction.REJECT,
    "BadRequestException": Reaction.REJECT,
    "ValidationException": Reaction.REJECT,
    "ConflictException": Reaction.REJECT,
    "AccessDeniedException": Reaction.PAUSE_CHANNEL,
    "ExpiredTokenException": Reaction.RETRY,
    "ExpiredToken": Reaction.RETRY,
    "RequestExpired": Reaction.RETRY,
    "RequestTimeTooSkewed": Reaction.RETRY,
    "InvalidSignatureException": Reaction.PAUSE_CHANNEL,
    "UnrecognizedClientException": Reaction.PAUSE_CHANNEL,
}
# The body never went out.
_NOT_ACCEPTED = (
    EndpointConnectionError,
    ConnectTimeoutError,
    ProxyConnectionError,
    SSLError,
    NoCredentialsError,
    CredentialRetrievalError,
)
_SERVER_FAULT = 500
_NOT_ALLOWED = (401, 403)
_DAY_IS_OVER = "Daily message quota exceeded"


def create_client(service: str, *, region: str, endpoint_url: str, connections: int, read_timeout_s: int = 30) -> Any:
    """A boto3 client that makes each call exactly once."""
    session = boto3.session.Session(region_name=region)
    credentials: dict[str, str] = {}
    if endpoint_url.startswith("http://"):
        # AWS is never spoken to without TLS, so this is a stand-in: it checks no credentials, and a machine that only
        # tries things out has none (boto3 would look for some at the address of EC2's metadata).
        credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    config = Config(
        retries={"total_max_attempts": 1},
        max_pool_connections=connections,
        connect_timeout=5,
        read_timeout=read_timeout_s,
        tcp_keepalive=True,
    )
    # boto3's stubs type every service apart; the name comes from our own three callers.
    factory: Any = session.client
    return factory(service, endpoint_url=endpoint_url or None, config=config, **credentials)


def as_transport_error(error: Exception) -> TransportError:
    """What a boto3 exception says about the message."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", "Unknown"))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if _DAY_IS_OVER in str(error.response.get("Error", {}).get("Message", "")):
            return TransportError(Reaction.WAIT_FOR_QUOTA, code)
        return TransportError(_REACTIONS.get(code) or _reaction_to_status(status), code)
    if isinstance(error, ParamValidationError):  # boto3 itself refused, so nothing went out
        return TransportError(Reaction.REJECT, type(error).__name__)
    if isinstance(error, _NOT_ACCEPTED):
        return TransportError(Reaction.RETRY, type(error).__name__)
    if isinstance(error, BotoCoreError):
        return TransportError(Reaction.UNKNOWN, type(error).__name__)
    return TransportError(Reaction.UNKNOWN, type(error).__name__)


def _reaction_to_status(status: int) -> Reaction:
    """What to do about an error whose name is not in the table."""
    if status >= _SERVER_FAULT:
        return Reaction.UNKNOWN
    # What we may not do is no fault of the message.
    return Reaction.PAUSE_CHANNEL if status in _NOT_ALLOWED else Reaction.REJECT
