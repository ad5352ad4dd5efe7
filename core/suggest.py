"""The nearest known word to one that was mistyped."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: object, known: Iterable[object]) -> str | None:
    """The known word that `word` was most likely meant to be, or None when none is near. Case is not held
    against it.
    """
    by_lower = {str(candidate).lower(): str(candidate) for candidate in sorted(map(str, known))}
    close = get_close_matches(str(word).lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """The hint of a fault: "did you mean 'x'?", or nothing."""
    candidate = nearest(word, known)
    return f"did you mean '{candidate}'?" if candidate is not None else ""
