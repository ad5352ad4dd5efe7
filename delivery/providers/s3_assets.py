"""Assets in a bucket of Amazon S3, for several machines or with a content delivery network in front."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from core.errors import EnvironmentFaultError, InputError
from delivery.assets import CACHE_CONTROL, Asset
from delivery.providers.aws import create_client

_NOT_THERE = ("404", "NoSuchKey", "NotFound")


class S3Store:
    """Keeps assets in the bucket and below the prefix of `url`, `s3://bucket/prefix`.

    The bucket's policy has to let everybody read them; no access list is set on any of them.
    """

    def __init__(self, url: str, *, region: str, endpoint_url: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise InputError(f"POSTILION_ASSETS_URL is {url!r}: write s3://BUCKET or s3://BUCKET/PREFIX.")
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._client: Any = create_client("s3", region=region, endpoint_url=endpoint_url, connections=4)

    def publish(self, asset: Asset) -> bool:
        key = f"{self._prefix}/{asset.place}" if self._prefix else asset.place
        try:
            if self._is_there(key):
                return False
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=asset.content,
                ContentType=asset.content_type,
                CacheControl=CACHE_CONTROL,
            )
        except (ClientError, BotoCoreError) as error:
            cause = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            raise EnvironmentFaultError(
                f"{asset.name} could not be published to s3://{self._bucket} ({cause}): "
                "check the bucket's name, its region and that s3:PutObject and s3:ListBucket are allowed."
            ) from error
        return True

    def _is_there(self, key: str) -> bool:
        try:
            self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_THERE:
                return False
            raise
        return True
