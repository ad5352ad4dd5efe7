"""What a sandbox can be started with. Everything has a default that suits a laptop; nothing is read from
the environment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SignatureVersion = Literal["1", "2"]


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The options of one sandbox.

    - `folder`: where mail and the signing key are kept; without it everything is forgotten at the end.
    - `certificates`: where the certificate of the notifications is written, under the name that
      `SigningCertURL` ends in.
    - `feedback_url`: http(s) endpoint that is subscribed to the events of `configuration_set` (mail and SMS).
    - `max_send_rate`: recipients a second; `max_24_hour_send`: recipients in any 24 hours. -1 means
      unlimited.
    - `burst_seconds`: how many seconds' worth of `max_send_rate` may go at once.
    - `latency_ms`: added to every sending call. `event_delay_ms`: time between two events of one message.
    - `seed`: decides which calls misbehave when a probability is set.
    - `signature_version`: of new topics; 1 is SHA1, 2 is SHA256.
    - `escape_values`: whether `{{value}}` of an inline template is HTML-escaped in the HTML part.
    - `confirm_on_ack`: a 2xx answer to a SubscriptionConfirmation confirms it. AWS does not do this; it is
      for receivers that cannot reach the sandbox themselves.
    """

    folder: Path | None = None
    certificates: Path | None = None
    feedback_url: str = ""
    configuration_set: str = "postilion"
    max_send_rate: float = 500.0
    max_24_hour_send: float = 1_000_000.0
    burst_seconds: float = 0.25
    latency_ms: int = 0
    event_delay_ms: int = 0
    seed: int = 0
    signature_version: SignatureVersion = "2"
    escape_values: bool = True
    confirm_on_ack: bool = False
    region: str = "eu-central-1"
    account_id: str = "000000000000"

    @property
    def topic_arn(self) -> str:
        """The topic that `feedback_url` is subscribed to: what a receiver has to believe."""
        return f"arn:aws:sns:{self.region}:{self.account_id}:{self.topic_name}"

    @property
    def topic_name(self) -> str:
        return f"{re.sub('[^A-Za-z0-9_-]', '-', self.configuration_set)}-feedback"
