"""What a condition can look at in SQL: columns, members of a JSON document, reckoned numbers, sealed values.

A subject answers two questions: does it exist, and does some element of it pass a test. An element shows its value
once for each kind; a kind that it can never have is None. Every answer is true or false, never NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy import ColumnElement, case, false, func, literal, select, true

from segments.compiling.dialects import (
    day_of,
    exists_in,
    instant_of,
    number_in,
    number_of,
    other_elements_in,
    some_element,
    text_in,
    text_of,
    truth_in,
    truth_of,
)

Predicate = ColumnElement[bool]


@dataclass(frozen=True)  # no slots: what is derived is kept
class Element:
    """One plain value, as the kinds it can be."""

    number: ColumnElement[Any] | None = None
    text: ColumnElement[str] | None = None
    truth: ColumnElement[bool] | None = None
    micros: ColumnElement[int] | None = None

    @cached_property
    def instant(self) -> ColumnElement[int] | None:
        """Microseconds since 1970."""
        return self.micros if self.text is None else instant_of(self.text)

    @cached_property
    def day(self) -> ColumnElement[str] | None:
        return None if self.text is None else day_of(self.text)


class Subject(Protocol):
    @property
    def exists(self) -> Predicate: ...

    def some(self, test: Callable[[Element], Predicate]) -> Predicate:
        """Whether the value, or one element of a list, passes `test`."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """A column or an expression of one known kind; one that cannot be NULL is always there."""

    element: Element
    column: ColumnElement[Any] | None

    @property
    def exists(self) -> Predicate:
        return true() if self.column is None else self.column.is_not(None)

    def some(self, test: Callable[[Element], Predicate]) -> Predicate:
        return test(self.element) if self.column is None else definite(test(self.element))


@dataclass(frozen=True, slots=True)
class Member:
    """What stands under a key of a JSON object: of any kind, or a list."""

    document: ColumnElement[Any]
    key: str

    @property
    def exists(self) -> Predicate:
        return exists_in(self.document, self.key)

    def some(self, test: Callable[[Element], Predicate]) -> Predicate:
        document, key = self.document, self.key
        plain = test(Element(number_in(document, key), text_in(document, key), truth_in(document, key)))
        element = other_elements_in(document, key)
        passes = test(Element(number_of(element), text_of(element), truth_of(element)))
        return some_element(document, key, plain, select(literal(1)).select_from(element).where(passes).exists())


def definite(predicate: Predicate) -> Predicate:
    """`predicate`, with false for NULL."""
    return func.coalesce(predicate, false())


def one_if(predicate: Predicate, value: ColumnElement[Any] | None = None) -> ColumnElement[Any]:
    """`value` (1 without one) where `predicate` holds, else NULL: what an aggregate passes over."""
    return case((predicate, literal(1) if value is None else value))
