"""What all AWS transports share: the client without boto3's own retries, and the meaning of its errors.

botocore's retries send a mail again whose reply was lost (up to five copies); only errors that prove non-acceptance are
retried, and by the worker.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    "Throttled": Reaction.SLOW_DOWN,  # SNS
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
    "ConflictException: DESTINATION_PHONE_NUMBER_OPTED_OUT": Reaction.OPT_OUT,
    "ConflictException: NO_ORIGINATION_IDENTITIES_FOUND": Reaction.PAUSE_SENDER,
    "ConflictException: MESSAGE_TYPE_MISMATCH": Reaction.PAUSE_SENDER,
    "ConflictException: NUMBER_CAPABILITIES_MISMATCH": Reaction.PAUSE_SENDER,
    "ConflictException: RESOURCE_NOT_ACTIVE": Reaction.PAUSE_SENDER,
    "ServiceQuotaExceededException: DAILY_DESTINATION_CALL_LIMIT": Reaction.REJECT,  # of this one number
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
# AWS is never spoken to without TLS, so an address without it is a stand-in: it checks no credentials, and a machine
# that only tries things out has none (boto3 would look for some at the address of EC2's metadata).
_STAND_IN = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
USER_AGENT = "postilion"  # boto3 would compose its own anew for each call, which is a sixth of its work
_SERVER_FAULT = 500
_NOT_ALLOWED = (401, 403)
_DAY_IS_OVER = "Daily message quota exceeded"
# A signature that is refused for its time: the clock or the credentials are being renewed.
_OUT_OF_TIME = ("Signature expired", "Signature not yet current")


def create_client(
    service: str,
    *,
    region: str,
    endpoint_url: str,
    connections: int,
    read_timeout_s: int = 30,
    checks_parameters: bool = True,
) -> Any:
    """A boto3 client that makes each call exactly once.

    Where a request always has the same shape, `checks_parameters` may be off: the service checks what is in it.
    """
    session = boto3.session.Session(region_name=region)
    credentials = dict(_STAND_IN) if endpoint_url.startswith("http://") else {}
    config = Config(
        retries={"total_max_attempts": 1},
        max_pool_connections=connections,
        connect_timeout=5,
        read_timeout=read_timeout_s,
        tcp_keepalive=True,
        parameter_validation=checks_parameters,
        user_agent=USER_AGENT,
    )
    # boto3's stubs type every service apart; the name comes from our own three callers.
    factory: Any = session.client
    return factory(service, endpoint_url=endpoint_url or None, config=config, **credentials)


def find_credentials(endpoint_url: str) -> Any:
    """What signs requests, as boto3 finds it and renews it; None where there is nothing."""
    given: Any = _STAND_IN if endpoint_url.startswith("http://") else {}
    return boto3.session.Session(**given).get_credentials()


def as_transport_error(error: Exception) -> TransportError:
    """What a boto3 exception says about the message."""
    if isinstance(error, ClientError):
        return as_told(error.response)
    if isinstance(error, ParamValidationError):  # boto3 itself refused, so nothing went out
        return TransportError(Reaction.REJECT, type(error).__name__)
    if isinstance(error, _NOT_ACCEPTED):
        return TransportError(Reaction.RETRY, type(error).__name__)
    if isinstance(error, BotoCoreError):
        return TransportError(Reaction.UNKNOWN, type(error).__name__)
    return TransportError(Reaction.UNKNOWN, type(error).__name__)


def as_told(answer: Mapping[str, Any]) -> TransportError:
    """What an error document says; the services for text messages and calls give a reason beside the code."""
    told = answer.get("Error", {})
    code, text, reason = str(told.get("Code", "Unknown")), str(told.get("Message", "")), answer.get("Reason")
    exact = f"{code}: {reason}" if reason else code
    if _DAY_IS_OVER in text:
        return TransportError(Reaction.WAIT_FOR_QUOTA, exact)
    if any(words in text for words in _OUT_OF_TIME):
        return TransportError(Reaction.RETRY, exact)
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return TransportError(_REACTIONS.get(exact) or _REACTIONS.get(code) or _reaction_to_status(status), exact)


def _reaction_to_status(status: int) -> Reaction:
    """What to do about an error whose name is not in the table."""
    if status >= _SERVER_FAULT:
        return Reaction.UNKNOWN
    # What we may not do is no fault of the message.
    return Reaction.PAUSE_CHANNEL if status in _NOT_ALLOWED else Reaction.REJECT
