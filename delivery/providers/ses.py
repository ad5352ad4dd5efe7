"""Amazon SES v2: `SendEmail` with simple content, so that no MIME is built here.

The message id travels as the tag `mid`, by which Send, Delivery and Bounce events find their row; only event
destinations of a configuration set carry tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from delivery.envelope import Envelope
from delivery.providers.aws import as_transport_error, create_client
from delivery.providers.transport import Accepted, SendQuota


class SesTransport:
    name = "ses"
    channel = "email"

    def __init__(self, *, region: str, endpoint_url: str = "", connections: int = 8) -> None:
        self._client = create_client(
            "sesv2", region=region, endpoint_url=endpoint_url, connections=connections, checks_parameters=False
        )

    def send(self, envelope: Envelope) -> Accepted:
        try:
            answer = self._client.send_email(**request_of(envelope))
        except (ClientError, BotoCoreError) as error:
            raise as_transport_error(error) from error
        return Accepted(str(answer["MessageId"]))

    def read_rate(self) -> float | None:
        return self.read_quota().rate

    def read_quota(self) -> SendQuota:
        try:
            quota = self._client.get_account()["SendQuota"]
        except (ClientError, BotoCoreError) as error:
            raise as_transport_error(error) from error
        return quota_of(quota)


def quota_of(quota: Mapping[str, Any]) -> SendQuota:
    """`SendQuota` of GetAccount, in which -1 is unlimited."""
    rate, day = float(quota["MaxSendRate"]), float(quota["Max24HourSend"])
    left = max(0, int(day - float(quota.get("SentLast24Hours", 0))))
    return SendQuota(None if rate < 0 else rate, None if day < 0 else left)


def request_of(envelope: Envelope) -> dict[str, Any]:
    """The arguments of SendEmail (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)."""
    request: dict[str, Any] = {
        "FromEmailAddress": envelope.sender,
        "Destination": {"ToAddresses": [envelope.recipient]},
        "Content": {
            "Simple": {
                "Subject": {"Data": envelope.subject, "Charset": "UTF-8"},
                "Body": {
                    "Html": {"Data": envelope.html, "Charset": "UTF-8"},
                    "Text": {"Data": envelope.text, "Charset": "UTF-8"},
                },
                "Headers": [{"Name": name, "Value": value} for name, value in envelope.headers.items()],
            }
        },
        "EmailTags": [{"Name": name, "Value": value} for name, value in envelope.tags.items()],
    }
    if envelope.reply_to:
        request["ReplyToAddresses"] = [envelope.reply_to]
    if envelope.configuration_set:
        request["ConfigurationSetName"] = envelope.configuration_set
    return request
