"""SNS `Publish` straight to a number: the way to send an SMS for accounts without End User Messaging.

SNS takes no context along, so nothing comes back about the message but the answer to the call. Our id is not in it.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from delivery.envelope import Envelope
from delivery.providers.aws import as_transport_error, create_client
from delivery.providers.transport import Accepted
from delivery.tables import MessageKind

_SMS_TYPES = {MessageKind.MARKETING: "Promotional", MessageKind.TRANSACTIONAL: "Transactional"}


class SnsSmsTransport:
    name = "sns_sms"
    channel = "sms"

    def __init__(self, *, region: str, endpoint_url: str = "", connections: int = 8) -> None:
        self._client = create_client("sns", region=region, endpoint_url=endpoint_url, connections=connections)

    def send(self, envelope: Envelope) -> Accepted:
        attributes = {"AWS.SNS.SMS.SMSType": _text(_SMS_TYPES[envelope.kind])}
        if envelope.sender:
            # A number is an origination number, a word is a sender id.
            name = "AWS.MM.SMS.OriginationNumber" if envelope.sender.startswith("+") else "AWS.SNS.SMS.SenderID"
            attributes[name] = _text(envelope.sender)
        try:
            answer = self._client.publish(
                PhoneNumber=envelope.recipient, Message=envelope.text, MessageAttributes=attributes
            )
        except (ClientError, BotoCoreError) as error:
            raise as_transport_error(error) from error
        return Accepted(str(answer["MessageId"]))

    def read_rate(self) -> float | None:
        """SNS publishes no account quota for SMS by API; throttling answers are obeyed instead."""
        return None


def _text(value: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value}
