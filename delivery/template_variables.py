"""Which variables a template reads, and on which line: what `postilion check` compares with what is on offer.

Names that the template gives itself (`for`, `set`, `with`) are its own affair. What follows a loop's variable is not
traced back to the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import nodes

from core.suggest import did_you_mean
from delivery.front_matter import ROOTS

_BUILT_IN = frozenset({"loop", "range", "asset"})
_ASKS_WHETHER_DEFINED = frozenset({"defined", "undefined"})


@dataclass(frozen=True, slots=True, order=True)
class Variable:
    """A dotted path that is read on `line` of the file; `is_optional` where the template copes without it."""

    path: str
    line: int
    is_optional: bool


def find_variables(tree: nodes.Template, first_line: int) -> list[Variable]:
    """The variables that `tree`, parsed from a text that begins on `first_line`, reads from outside; each line once."""
    own = _given_names(tree) | _BUILT_IN
    found = {
        Variable(path, line + first_line - 1, is_optional)
        for path, line, is_optional in _read(tree, frozenset())
        if path.partition(".")[0] not in own
    }
    return sorted(found, key=lambda variable: (variable.line, variable.path))


def misnamed(tree: nodes.Template) -> Iterator[tuple[int, str, str]]:
    """(line, what is wrong, the way out) for names that nobody gives, and for roots that are overwritten."""
    own = _given_names(tree)
    for name in tree.find_all(nodes.Name):
        if name.ctx != "load" and name.name in ROOTS:
            yield name.lineno, f"'{name.name}' cannot be given another value", "choose another name"
        elif name.ctx == "load" and name.name not in own and name.name not in _BUILT_IN and name.name not in ROOTS:
            hint = did_you_mean(name.name, [*ROOTS, *own]) or f"variables begin with {', '.join(ROOTS)}"
            yield name.lineno, f"unknown variable '{name.name}'", hint


def _given_names(tree: nodes.Template) -> frozenset[str]:
    return frozenset(name.name for name in tree.find_all(nodes.Name) if name.ctx != "load")


def _read(node: nodes.Node, safe: frozenset[str], *, is_optional: bool = False) -> Iterator[tuple[str, int, bool]]:
    path = _path(node)
    if path is not None:
        yield path, node.lineno, is_optional or path in safe
    elif isinstance(node, nodes.If):
        yield from _read(node.test, safe)
        guarded = safe | {path for path, _, is_asked in _read(node.test, frozenset()) if is_asked}
        for child in (*node.body, *node.elif_, *node.else_):
            yield from _read(child, guarded)
    elif isinstance(node, nodes.Filter) and node.name == "default" and node.node is not None:
        yield from _read(node.node, safe, is_optional=True)
        for argument in node.args:
            yield from _read(argument, safe)
    elif isinstance(node, nodes.Test) and node.name in _ASKS_WHETHER_DEFINED:
        yield from _read(node.node, safe, is_optional=True)
    else:
        for child in node.iter_child_nodes():
            yield from _read(child, safe)


def _path(node: nodes.Node) -> str | None:
    """`profile.first_name` for that chain of names, else None."""
    if isinstance(node, nodes.Name):
        return node.name if node.ctx == "load" else None
    if isinstance(node, nodes.Getattr):
        key: object = node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        key = node.arg.value
    else:
        return None
    parent = _path(node.node)
    return f"{parent}.{key}" if parent is not None and isinstance(key, str) else None
