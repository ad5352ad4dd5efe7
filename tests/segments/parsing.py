"""Rules and matchers from data that is right: any fault fails the test."""

from __future__ import annotations

from typing import Any

import pytest

from core.located import KeyPath
from segments.language.parser import parse_conditions
from segments.language.rules import Rule


def refuse(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
    pytest.fail(f"{code} {message} {hint} at {path}")


def parse(data: Any) -> Rule:
    return parse_conditions(data, refuse)
