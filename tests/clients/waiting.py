"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable

_TIMEOUT_S = 40.0


def wait_until(is_done: Callable[[], bool], tell: Callable[[], str]) -> None:
    """Returns once `is_done`; fails with what `tell` says when that takes too long."""
    until = time.monotonic() + _TIMEOUT_S
    while not is_done():
        assert time.monotonic() < until, tell()
        time.sleep(0.05)
