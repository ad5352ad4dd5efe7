"""AWS End User Messaging (`pinpoint-sms-voice-v2`): one SMS a call; our message id returns in its `Context`."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from delivery.envelope import Envelope
from delivery.providers.aws import as_transport_error, create_client
from delivery.providers.transport import Accepted
from delivery.tables import MessageKind

_MESSAGE_TYPES = {MessageKind.MARKETING: "PROMOTIONAL", MessageKind.TRANSACTIONAL: "TRANSACTIONAL"}


class SmsTransport:
    name = "aws_sms"
    channel = "sms"

    def __init__(self, *, region: str, endpoint_url: str = "", connections: int = 8) -> None:
        self._client = create_client(
            "pinpoint-sms-voice-v2", region=region, endpoint_url=endpoint_url, connections=connections
        )

    def send(self, envelope: Envelope) -> Accepted:
        request: dict[str, Any] = {
            "DestinationPhoneNumber": envelope.recipient,
            "MessageBody": envelope.text,
            "MessageType": _MESSAGE_TYPES[envelope.kind],
            "Context": dict(envelope.tags),
        }
        if envelope.sender:
            request["OriginationIdentity"] = envelope.sender
        if ttl_s := envelope.details.get("ttl_s"):
            request["TimeToLive"] = ttl_s
        if envelope.configuration_set:
            request["ConfigurationSetName"] = envelope.configuration_set
        try:
            answer = self._client.send_text_message(**request)
        except (ClientError, BotoCoreError) as error:
            raise as_transport_error(error) from error
        return Accepted(str(answer["MessageId"]))

    def read_rate(self) -> float | None:
        """AWS publishes no account quota for SMS by API; throttling answers are obeyed instead."""
        return None
