"""The list of transports: one a channel, made from the settings."""

from __future__ import annotations

from collections.abc import Mapping

from core.settings import Settings
from delivery.providers.transport import Transport


def create_transports(settings: Settings) -> Mapping[str, Transport]:
    """A transport for each channel that can be sent over, by channel. Imports boto3, which takes a while."""
    from delivery.providers.ses import SesTransport
    from delivery.providers.sms import SmsTransport

    region, endpoint, connections = settings.aws_region, settings.aws_endpoint_url, settings.worker_count
    transports: list[Transport] = [
        SesTransport(region=region, endpoint_url=endpoint, connections=connections),
        SmsTransport(region=region, endpoint_url=endpoint, connections=connections),
    ]
    return {transport.channel: transport for transport in transports}
