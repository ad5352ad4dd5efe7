"""The table of errors: what AWS answers, and what is done about it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from delivery.providers.aws import as_transport_error
from delivery.providers.transport import Reaction


def answered(code: str, *, status: int = 400, text: str = "", reason: str = "") -> ClientError:
    answer = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer | ({"Reason": reason} if reason else {}), "Send")  # type: ignore[arg-type] # as AWS has it


@pytest.mark.parametrize(
    ("error", "reaction"),
    [
        (EndpointConnectionError(endpoint_url="https://ses"), Reaction.RETRY),
        (ReadTimeoutError(endpoint_url="https://ses"), Reaction.UNKNOWN),
        (answered("TooManyRequestsException", status=429), Reaction.SLOW_DOWN),
        (answered("LimitExceededException"), Reaction.SLOW_DOWN),
        (answered("ThrottlingException"), Reaction.SLOW_DOWN),
        (answered("TooManyRequestsException", text="Daily message quota exceeded."), Reaction.WAIT_FOR_QUOTA),
        (answered("SendingPausedException"), Reaction.PAUSE_CHANNEL),
        (answered("ConfigurationSetSendingPausedException"), Reaction.PAUSE_CHANNEL),
        (answered("AccountSuspendedException"), Reaction.STOP),
        (answered("MailFromDomainNotVerifiedException"), Reaction.PAUSE_SENDER),
        (answered("NotFoundException", status=404), Reaction.PAUSE_SENDER),
        (answered("MessageRejected"), Reaction.REJECT),
        (answered("BadRequestException"), Reaction.REJECT),
        (answered("ExpiredToken", status=403), Reaction.RETRY),
        (answered("ExpiredTokenException", status=403), Reaction.RETRY),
        (answered("InvalidSignatureException", status=403, text="Signature expired: 1 < 2"), Reaction.RETRY),
        (answered("InvalidSignatureException", status=403, text="Signature not yet current"), Reaction.RETRY),
        (answered("InvalidSignatureException", status=403, text="does not match"), Reaction.PAUSE_CHANNEL),
        (answered("AccessDeniedException", status=403), Reaction.PAUSE_CHANNEL),
        (answered("Whatever", status=500), Reaction.UNKNOWN),
        (answered("Whatever", status=503), Reaction.UNKNOWN),
        (answered("Whatever", status=403), Reaction.PAUSE_CHANNEL),
        (answered("Whatever", status=418), Reaction.REJECT),
        (answered("ConflictException", reason="DESTINATION_PHONE_NUMBER_OPTED_OUT"), Reaction.OPT_OUT),
        (answered("ConflictException", reason="NO_ORIGINATION_IDENTITIES_FOUND"), Reaction.PAUSE_SENDER),
        (answered("ConflictException", reason="DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION"), Reaction.REJECT),
        (answered("ValidationException", reason="DESTINATION_COUNTRY_BLOCKED"), Reaction.REJECT),
        (
            answered("ServiceQuotaExceededException", reason="MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"),
            Reaction.PAUSE_CHANNEL,
        ),
        (answered("ServiceQuotaExceededException", reason="DAILY_DESTINATION_CALL_LIMIT"), Reaction.REJECT),
    ],
)
def test_every_error_has_its_reaction_when_aws_answers_it(error: Exception, reaction: Reaction) -> None:
    told = as_transport_error(error)
    assert told.reaction is reaction
    assert len(told.code) <= 100  # as the ledger keeps it


def test_the_reason_stands_in_the_code_when_there_is_one() -> None:
    told = as_transport_error(answered("ConflictException", reason="DESTINATION_PHONE_NUMBER_OPTED_OUT"))
    assert told.code == "ConflictException: DESTINATION_PHONE_NUMBER_OPTED_OUT"
