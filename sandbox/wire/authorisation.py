"""Reads the SigV4 Authorization header: its shape is checked, its signature is not, and any credentials will
do.

The service a request is for stands in the credential scope, which is how one port serves them all.
"""

from __future__ import annotations

import re

from sandbox.wire.protocols import AwsError

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/\s,]+/\d{8}/[a-z0-9-]+/(?P<service>[a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}"
)


def signed_service(authorization: str | None) -> str:
    """The name of the service that the header was signed for. Raises AwsError with status 403 or 400."""
    if not authorization:
        raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    found = _HEADER.fullmatch(authorization)
    if found is None:
        raise AwsError(
            "IncompleteSignatureException",
            "The Authorization header is no AWS4-HMAC-SHA256 with Credential, SignedHeaders and Signature.",
            400,
        )
    return found["service"]
