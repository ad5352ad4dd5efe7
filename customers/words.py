"""Other systems' names in our spelling: `Product Viewed` and `productViewed` are product_viewed. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHERS = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """Small letters, digits and single underscores; may be empty."""
    return _OTHERS.sub("_", _HUMPS.sub("_", name).lower()).strip("_")
