"""What SES says of an account: may it send, which identities are verified, where its events go. Sends nothing.

Needs `ses:GetAccount`, `ses:GetEmailIdentity` and `ses:GetConfigurationSetEventDestinations`. Raises TransportError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from delivery.providers.aws import as_transport_error, create_client

# Nobody was reached, or nobody may ask: no fault of the account.
NOT_REACHED = frozenset(
    {
        "ConnectTimeoutError",
        "CredentialRetrievalError",
        "EndpointConnectionError",
        "NoCredentialsError",
        "ProxyConnectionError",
        "ReadTimeoutError",
    }
)
_MISSING = "NotFoundException"
_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class SendingAccount:
    """`enforcement` is HEALTHY, PROBATION or SHUTDOWN; a limit of -1 is none."""

    is_sending_enabled: bool
    reaches_everybody: bool
    enforcement: str
    max_24_hours: float
    sent_24_hours: float
    max_rate: float


@dataclass(frozen=True, slots=True)
class SenderIdentity:
    """A domain or an address; `dkim_tokens` name the three records that its DNS must have."""

    name: str
    is_verified: bool
    dkim_status: str
    dkim_tokens: tuple[str, ...]
    mail_from_domain: str | None
    mail_from_status: str | None


class SesAccount:
    """One account in one region, or the sandbox at `endpoint_url`."""

    def __init__(self, *, region: str, endpoint_url: str = "") -> None:
        self._client = create_client(
            "sesv2", region=region, endpoint_url=endpoint_url, connections=1, read_timeout_s=_TIMEOUT_S
        )

    def get_account(self) -> SendingAccount:
        answer = self._ask("get_account")
        quota = answer.get("SendQuota") or {}
        return SendingAccount(
            bool(answer.get("SendingEnabled")),
            bool(answer.get("ProductionAccessEnabled")),
            str(answer.get("EnforcementStatus", "HEALTHY")),
            float(quota.get("Max24HourSend", 0)),
            float(quota.get("SentLast24Hours", 0)),
            float(quota.get("MaxSendRate", 0)),
        )

    def find_identity(self, address: str) -> SenderIdentity | None:
        """The identity under which `address` sends: its domain, or else itself; None where neither is known."""
        for name in (address.rpartition("@")[2].lower(), address):
            answer = self._find("get_email_identity", EmailIdentity=name)
            if answer is not None:
                dkim, mail_from = answer.get("DkimAttributes") or {}, answer.get("MailFromAttributes") or {}
                return SenderIdentity(
                    name,
                    bool(answer.get("VerifiedForSendingStatus")),
                    str(dkim.get("Status", "NOT_STARTED")),
                    tuple(dkim.get("Tokens") or ()),
                    mail_from.get("MailFromDomain"),
                    mail_from.get("MailFromDomainStatus"),
                )
        return None

    def find_reported_events(self, configuration_set: str) -> frozenset[str] | None:
        """The event types that a configuration set reports (SEND, BOUNCE …); None where there is no such set."""
        name = {"ConfigurationSetName": configuration_set}
        answer = self._find("get_configuration_set_event_destinations", **name)
        if answer is None:
            return None
        enabled = [one for one in answer.get("EventDestinations") or () if one.get("Enabled")]
        return frozenset(kind for one in enabled for kind in one.get("MatchingEventTypes") or ())

    def list_topics_of(self, configuration_set: str) -> frozenset[str]:
        """The SNS topics to which a configuration set reports; none where there is no such set."""
        answer = self._find("get_configuration_set_event_destinations", ConfigurationSetName=configuration_set) or {}
        enabled = [one for one in answer.get("EventDestinations") or () if one.get("Enabled")]
        return frozenset(str(one["SnsDestination"]["TopicArn"]) for one in enabled if one.get("SnsDestination"))

    def _find(self, operation: str, **arguments: str) -> dict[str, Any] | None:
        try:
            return self._ask(operation, **arguments)
        except _MissingError:
            return None

    def _ask(self, operation: str, **arguments: str) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == _MISSING:
                raise _MissingError from None
            raise as_transport_error(error) from error
        except BotoCoreError as error:
            raise as_transport_error(error) from error
        return answer


class _MissingError(Exception):
    """Nothing there is called so."""
