"""A script as it is served: its bytes, packed too, and the hashes by which browsers and caches know it. Pure."""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """`digest` is the part of the script's own address that changes whenever the script does; `integrity` is what a
    page says of it (Subresource Integrity, W3C).
    """

    body: bytes
    packed: bytes
    digest: str
    integrity: str


@cache
def load_script(package: str, file: str) -> Script:
    """The script that lies in one of our packages."""
    body = files(package).joinpath(file).read_bytes()
    return Script(
        body,
        gzip.compress(body, 9, mtime=0),
        hashlib.sha256(body).hexdigest()[:16],
        "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode(),
    )
