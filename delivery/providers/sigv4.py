"""Signs one request as AWS wants it: Signature Version 4, header form, with everything in the header signed. Pure.

The protocol: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. What comes out
is byte for byte what botocore's `SigV4Auth` writes; the key of a day is derived once.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_END: Final = "aws4_request"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """One set of credentials; `token` is that of a session, empty for those of a user."""

    access_key: str
    secret_key: str
    token: str = ""


def sign(
    credentials: Credentials,
    *,
    region: str,
    service: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    at: datetime,
) -> dict[str, str]:
    """The headers that a POST of `body` to `path` (without a query) has to carry beside `headers`.

    `headers` are those to be signed, the host among them; `at` is in UTC.
    """
    moment = at.strftime("%Y%m%dT%H%M%SZ")
    added = {"X-Amz-Date": moment}
    if credentials.token:
        added["X-Amz-Security-Token"] = credentials.token
    signed = sorted((name.lower(), " ".join(value.split())) for name, value in {**headers, **added}.items())
    names = ";".join(name for name, _ in signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed)
    request = f"POST\n{quote(path, safe='/~')}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{moment[:8]}/{region}/{service}/{_END}"
    to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = _key(credentials.secret_key, moment[:8], region, service)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    added["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return added


@lru_cache(maxsize=8)
def _key(secret_key: str, day: str, region: str, service: str) -> bytes:
    """The key of one day, which signs nothing else."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, _END):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
