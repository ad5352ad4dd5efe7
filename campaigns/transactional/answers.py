"""What the transactional API answers to a request: taken, or not taken with the reason in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Problem(StrEnum):
    """Why a request was not taken; asking again in the same words does not help."""

    KEY_REUSED = "key_reused"
    ERASED = "erased"
    TEMPLATE = "template"
    MISSING = "missing"
    NOBODY = "nobody"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is durable: `due`, or `skipped` at once with its reason. The same whenever the call is repeated."""

    id: str
    status: str
    reason: str | None = None
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was stored. `missing` are the template's needs that nobody supplied."""

    problem: Problem
    message: str
    missing: tuple[str, ...] = ()


Answer = Accepted | Refused
