"""Which pieces of a rendered text stand in the template, and which are this recipient's own.

A provider that takes a template and values apart need not be sent the template's own words for each recipient. Texts
with one skeleton come from the same branches and turns of one template.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Pieces:
    """`all` make up the text; those whose identity is in `constants` are the template's."""

    all: tuple[str, ...] = field(repr=False)
    constants: AbstractSet[int] = field(repr=False)

    @cached_property
    def skeleton(self) -> tuple[str | None, ...]:
        """The template's words in their order, and None for each value between them."""
        constants = self.constants
        return tuple([piece if id(piece) in constants else None for piece in self.all])

    @cached_property
    def values(self) -> list[str]:
        """This recipient's own, in the order of the None of `skeleton`."""
        return [str(piece) for piece, word in zip(self.all, self.skeleton, strict=True) if word is None]
