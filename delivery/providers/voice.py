"""AWS End User Messaging (`pinpoint-sms-voice-v2`): one call in which a voice of Amazon Polly reads the text aloud."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from delivery.envelope import Envelope
from delivery.providers.aws import as_transport_error, create_client
from delivery.providers.transport import Accepted


class VoiceTransport:
    name = "aws_voice"
    channel = "voice"

    def __init__(self, *, region: str, endpoint_url: str = "", connections: int = 8) -> None:
        self._client = create_client(
            "pinpoint-sms-voice-v2", region=region, endpoint_url=endpoint_url, connections=connections
        )

    def send(self, envelope: Envelope) -> Accepted:
        """Ask for the call; `details` may name the `voice`. The text is never read as SSML: it holds people's words."""
        request: dict[str, Any] = {
            "DestinationPhoneNumber": envelope.recipient,
            "OriginationIdentity": envelope.sender,
            "MessageBody": envelope.text,
            "MessageBodyTextType": "TEXT",
            "Context": dict(envelope.tags),
        }
        if voice := envelope.details.get("voice"):
            request["VoiceId"] = voice
        if ttl_s := envelope.details.get("ttl_s"):
            request["TimeToLive"] = ttl_s
        if envelope.configuration_set:
            request["ConfigurationSetName"] = envelope.configuration_set
        try:
            answer = self._client.send_voice_message(**request)
        except (ClientError, BotoCoreError) as error:
            raise as_transport_error(error) from error
        return Accepted(str(answer["MessageId"]))

    def read_rate(self) -> float | None:
        """AWS publishes no account quota for calls by API; throttling answers are obeyed instead."""
        return None
