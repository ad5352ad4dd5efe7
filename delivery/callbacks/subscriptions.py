"""Confirming a subscription with SNS by its API, so that no address out of a message is ever fetched."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from core.errors import TransientError
from core.settings import Settings
from delivery.providers.aws import create_client


def confirm_subscription(settings: Settings, topic_arn: str, token: str) -> None:
    """Tell SNS that this endpoint wants the topic; raises TransientError when SNS does not answer."""
    client = create_client("sns", region=settings.aws_region, endpoint_url=settings.aws_endpoint_url, connections=1)
    try:
        client.confirm_subscription(TopicArn=topic_arn, Token=token)
    except (ClientError, BotoCoreError) as error:
        raise TransientError(f"the subscription could not be confirmed ({type(error).__name__}).") from error
