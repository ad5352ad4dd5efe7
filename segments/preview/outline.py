"""A rule as lines of words, and how two rules differ in them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import ndiff

from segments.language.rules import AllOf, Leaf, Not, Rule
from segments.language.wording import describe


def outline(rule: Rule) -> list[str]:
    """One condition a line, those inside a combinator two spaces further in."""
    return list(_lines(rule, 0))


def differences(before: Rule, after: Rule) -> list[str]:
    """Lines that begin with `- ` (went), `+ ` (came) or two spaces (stayed); empty when nothing changed."""
    lines = [line for line in ndiff(outline(before), outline(after)) if not line.startswith("?")]
    return lines if any(line[0] in "+-" for line in lines) else []


def _lines(rule: Rule, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(rule, Leaf):
        yield f"{indent}{describe(rule)}"
        return
    parts = (rule.rule,) if isinstance(rule, Not) else rule.rules
    yield indent + ("not" if isinstance(rule, Not) else "all of" if isinstance(rule, AllOf) else "any of")
    for part in parts:
        yield from _lines(part, depth + 1)
