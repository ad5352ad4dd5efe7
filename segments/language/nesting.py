"""Segments inside segments: the order in which they depend on each other, circles, and inlining."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import ConflictError, NotFoundError
from core.located import KeyPath
from core.suggest import did_you_mean
from segments.language.references import ReferenceKind, iter_references
from segments.language.rules import Leaf, Rule, SegmentRule, iter_leaves, replace_leaves


def find_circle(slug: str, rules: Mapping[str, Rule]) -> list[str] | None:
    """The shortest-lived proof that `slug` contains itself: `[a, b, a]`; None when it does not."""
    ways = [[slug]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for inner in sorted(_inner(way[-1], rules)):
            if inner == slug:
                return [*way, slug]
            if inner not in seen:
                seen.add(inner)
                ways.append([*way, inner])
    return None


def place_of_circle(circle: list[str], rule: Rule) -> KeyPath:
    """Where `rule`, that of the first in `circle`, names the second."""
    inner = (one for one in iter_references(rule) if one.kind is ReferenceKind.SEGMENT)
    return next(one.path for one in inner if one.name == circle[1])


def in_order(rules: Mapping[str, Rule]) -> list[str]:
    """Every segment after those that it contains, otherwise by name. Raises ConflictError for a circle."""
    ordered: dict[str, None] = {}

    def visit(slug: str, above: tuple[str, ...]) -> None:
        if slug in above:
            raise _circular([*above[above.index(slug) :], slug])
        for inner in sorted(_inner(slug, rules)):
            if inner not in ordered:
                visit(inner, (*above, slug))
        ordered[slug] = None

    for slug in sorted(rules):
        visit(slug, ())
    return list(ordered)


def with_inner(slug: str, rules: Mapping[str, Rule]) -> list[str]:
    """`slug` and every segment that it contains, at whatever depth, each once."""
    found = [slug]
    for one in found:
        found += [inner for inner in sorted(_inner(one, rules)) if inner not in found]
    return found


def inline(rule: Rule, rules: Mapping[str, Rule], above: tuple[str, ...] = ()) -> Rule:
    """`rule` with every nested segment replaced by its own rule.

    Raises NotFoundError for a segment that is not in `rules`, ConflictError for a circle.
    """

    def replacement(leaf: Leaf) -> Rule:
        if not isinstance(leaf, SegmentRule):
            return leaf
        if leaf.slug in above:
            raise _circular([*above[above.index(leaf.slug) :], leaf.slug])
        if leaf.slug not in rules:
            hint = did_you_mean(leaf.slug, rules)
            raise NotFoundError(f"there is no segment '{leaf.slug}'{': ' + hint if hint else ''}.")
        return inline(rules[leaf.slug], rules, (*above, leaf.slug))

    return replace_leaves(rule, replacement)


def _inner(slug: str, rules: Mapping[str, Rule]) -> set[str]:
    if slug not in rules:
        return set()
    return {leaf.slug for leaf in iter_leaves(rules[slug]) if isinstance(leaf, SegmentRule) and leaf.slug in rules}


def _circular(way: list[str]) -> ConflictError:
    return ConflictError(f"segments contain each other: {' → '.join(way)}. Take one of them out of the other.")
