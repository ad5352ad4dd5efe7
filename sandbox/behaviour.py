"""How the sandbox misbehaves, and the seeded dice that say which call is hit.

A probability of 1 hits every call, 0 none. The n-th throw for one misbehaviour has the same result for the
same seed, so a test that lost a reply loses it again.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from core.errors import InputError

Probability = Annotated[float, Meta(ge=0, le=1)]


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The misbehaviour in force; applies to the calls that send something, and to what the account says of itself."""

    latency_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    throttle: Probability = 0.0
    """Refuse with TooManyRequestsException."""
    paused: bool = False
    """Refuse with SendingPausedException."""
    suspended: bool = False
    """Refuse with AccountSuspendedException."""
    reject: Probability = 0.0
    """Refuse with MessageRejected."""
    unverified: tuple[str, ...] = ()
    """Domains of senders that are refused with MailFromDomainNotVerifiedException."""
    trial: bool = False
    """GetAccount says that the account is new and reaches verified addresses only."""
    drop_reply: Probability = 0.0
    """Accept and store, then close the connection without a reply."""
    error_before: Probability = 0.0
    """Answer 500 without accepting."""
    error_after: Probability = 0.0
    """Accept and store, then answer 500."""
    duplicate: Probability = 0.0
    """Deliver a notification twice."""
    reorder: Probability = 0.0
    """Hold a notification back so that later ones overtake it."""


PROBABILITIES = (
    "throttle",
    "reject",
    "drop_reply",
    "error_before",
    "error_after",
    "duplicate",
    "reorder",
)


def changed(behaviour: Behaviour, changes: dict[str, Any]) -> Behaviour:
    """`behaviour` with the given fields replaced; true and false stand for 1 and 0. Raises InputError."""
    given = {
        name: float(value) if name in PROBABILITIES and isinstance(value, bool) else value
        for name, value in changes.items()
    }
    try:
        return msgspec.convert(msgspec.structs.asdict(behaviour) | given, Behaviour)
    except msgspec.ValidationError as error:
        raise InputError(
            f"This is no behaviour: {error}; known are {', '.join(Behaviour.__struct_fields__)}."
        ) from error


class Dice:
    """Reproducible throws, counted for each label on its own."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._thrown: Counter[str] = Counter()

    def falls(self, label: str, probability: float) -> bool:
        if probability <= 0:
            return False
        self._thrown[label] += 1
        throw = f"{self._seed}:{label}:{self._thrown[label]}".encode()
        return int.from_bytes(blake2b(throw, digest_size=8).digest(), "big") < probability * 2**64
