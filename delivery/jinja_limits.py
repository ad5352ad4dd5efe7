"""What a template may do at all, and how much of it: the grammar allowed, and the meter that every loop pays.

The tree that Jinja parses is checked against a table of what may stand in it, and then rewritten so that each
iteration and each joined text is charged. Nothing is measured by the clock: the same template with the same profile
always ends alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from jinja2 import Undefined, nodes
from jinja2.visitor import NodeTransformer

from core.suggest import did_you_mean
from delivery.jinja_filters import FILTERS, LIST_FILTERS, MAX_TEXT, TESTS, UnfitValueError, as_text

MAX_ITERATIONS = 20_000  # over all loops and list filters of one rendering
MAX_RANGE = 1_000
MAX_NUMBER = 10**18

METER, CHARGE, BOUND, SINGLE, ASSETS_URL = "_meter", "_charged", "_bounded", "_single", "_assets_url"

_ALLOWED = (
    nodes.Template, nodes.Scope, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign, nodes.With,
    nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Slice,
    nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call, nodes.Getattr, nodes.Getitem, nodes.Concat,
    nodes.Compare, nodes.Operand, nodes.BinExpr, nodes.UnaryExpr,
)  # fmt: skip
_WORDS: dict[type[nodes.Node], str] = {
    nodes.Macro: "macro", nodes.CallBlock: "call", nodes.FilterBlock: "filter", nodes.Include: "include",
    nodes.Import: "import", nodes.FromImport: "from … import", nodes.Extends: "extends", nodes.Block: "block",
    nodes.AssignBlock: "set … endset", nodes.ScopedEvalContextModifier: "autoescape", nodes.NSRef: "namespace",
}  # fmt: skip
_FUNCTIONS = ("range",)


class LimitError(UnfitValueError):
    """A template asked for more than one message may cost."""


class Meter:
    """Counts what one rendering has done so far."""

    __slots__ = ("iterations",)

    def __init__(self) -> None:
        self.iterations = 0

    def charge(self, count: int) -> None:
        self.iterations += count
        if self.iterations > MAX_ITERATIONS:
            raise LimitError(f"the loops of one message may run {MAX_ITERATIONS:,} times in all, and this is more")


def charged(values: Any, meter: Meter) -> Any:
    """`values`, once the meter has been charged with all of them; a generator becomes a list."""
    if isinstance(values, Undefined):
        return values
    if not hasattr(values, "__len__"):
        values = list(islice(values, MAX_ITERATIONS + 1))
    meter.charge(len(values))
    return values


def bounded(value: Any) -> Any:
    """`value`, where no text, list or number in it has grown past what a message can hold."""
    if isinstance(value, (str, list, tuple)) and len(value) > MAX_TEXT:
        raise LimitError(f"a text is longer than {MAX_TEXT:,} characters")
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise LimitError("a number is larger than a message can need")
    return value


def small_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise LimitError(f"range may count to {MAX_RANGE:,}, and this one has {len(numbers):,} numbers")
    return numbers


def calculate(operator: str, left: Any, right: Any, function: Any) -> Any:
    """`left operator right`, refused before it can take memory or time that no message needs."""
    if operator == "%" and isinstance(left, str):
        raise LimitError("% does not format texts here: join them with ~")
    if operator == "**" and (abs(left) > MAX_NUMBER or abs(right) > 64):
        raise LimitError("a number is larger than a message can need")
    if operator == "*":
        for values, times in ((left, right), (right, left)):
            if isinstance(values, (str, list, tuple)) and isinstance(times, int) and len(values) * times > MAX_TEXT:
                raise LimitError(f"a text repeated {times:,} times is longer than {MAX_TEXT:,} characters")
    return bounded(function(left, right))


def refusals(tree: nodes.Template, *, is_text: bool) -> Iterator[tuple[int, str, str]]:
    """(line, what is wrong, the way out) for everything in `tree` that a template may not do. In plain text, an
    expression may end in `| link`, which makes a tracked link of it.
    """
    links = {id(part) for output in tree.find_all(nodes.Output) for part in output.nodes} if is_text else set()
    for node in _walk(tree):
        if not isinstance(node, _ALLOWED):
            word = _WORDS.get(type(node), type(node).__name__.lower())
            yield node.lineno, f"'{word}' is not available in templates", "use for, if, set or with"
        elif isinstance(node, nodes.Filter) and node.name == "link":
            if id(node) not in links:
                yield node.lineno, "'| link' cannot stand here", "end an expression of a plain text with it"
        elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
            yield node.lineno, f"unknown filter '{node.name}'", did_you_mean(node.name, FILTERS) or "leave it out"
        elif isinstance(node, nodes.Test) and node.name not in TESTS:
            yield node.lineno, f"unknown test '{node.name}'", did_you_mean(node.name, TESTS) or "leave it out"
        elif isinstance(node, nodes.Call) and not _is_function(node.node) and asset_named(node) is None:
            yield node.lineno, "only range(…) and asset('NAME') can be called", "use a filter, such as {{ x | upper }}"
        elif isinstance(node, nodes.For) and node.recursive:
            yield node.lineno, "a loop cannot be recursive", "write the inner loop out"


def asset_named(call: nodes.Call) -> str | None:
    """`hero.jpg` of `asset("hero.jpg")`; None for every other call."""
    if not isinstance(call.node, nodes.Name) or call.node.name != "asset" or len(call.args) != 1 or call.kwargs:
        return None
    argument = call.args[0]
    return argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else None


def _is_function(called: nodes.Expr) -> bool:
    if isinstance(called, nodes.Getattr):
        return isinstance(called.node, nodes.Name) and called.node.name == "loop" and called.attr == "cycle"
    return isinstance(called, nodes.Name) and called.name in _FUNCTIONS


def _walk(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    for child in tree.iter_child_nodes():
        yield from _walk(child)


class _Guard(NodeTransformer):
    """Puts the charge around what is iterated, the bound around what is joined, and addresses in place of assets."""

    def __init__(self, assets: Mapping[str, str]) -> None:
        self._assets = assets

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802  # jinja2 calls it by the node's name
        name = asset_named(node)
        if name is None:
            return self.generic_visit(node)
        address = nodes.Concat([nodes.Name(ASSETS_URL, "load"), nodes.Const(self._assets[name])])
        return address.set_lineno(node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  # jinja2 calls it by the node's name
        self.generic_visit(node)
        node.iter = _charged(node.iter)
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Filter:  # noqa: N802  # jinja2 calls it by the node's name
        self.generic_visit(node)
        if node.name in LIST_FILTERS and node.node is not None:
            node.node = _charged(node.node)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  # jinja2 calls it by the node's name
        self.generic_visit(node)
        node.nodes = [_single(part) for part in node.nodes]
        return _filtered(node, BOUND)

    def visit_List(self, node: nodes.List) -> nodes.List:  # noqa: N802  # jinja2 calls it by the node's name
        # Lists of lists of lists, each naming the one before twice, would be small to write and endless to read.
        self.generic_visit(node)
        node.items = [_single(item) for item in node.items]
        return node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Tuple:  # noqa: N802  # jinja2 calls it by the node's name
        self.generic_visit(node)
        if node.ctx == "load":
            node.items = [_single(item) for item in node.items]
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Pair:  # noqa: N802  # jinja2 calls it by the node's name
        self.generic_visit(node)
        node.value = _single(node.value)
        return node


def _single(node: nodes.Expr) -> nodes.Expr:
    is_literal = isinstance(node, (nodes.Const, nodes.List, nodes.Tuple, nodes.Dict))
    return node if is_literal else _filtered(node, SINGLE)


def _charged(node: nodes.Node) -> nodes.Filter:
    return _filtered(node, CHARGE, nodes.Name(METER, "load"))


def _filtered(node: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    wrapped = nodes.Filter(node, name, list(arguments), [], None, None)
    return wrapped.set_lineno(node.lineno)  # type: ignore[return-value]  # jinja2 types it as Node


def guard(tree: nodes.Template, assets: Mapping[str, str]) -> None:
    """Rewrites `tree` in place so that no loop and no text in it can grow without end, and `asset(…)` is the address
    of the asset: `assets` are their places.
    """
    _Guard(assets).visit(tree)


GUARDS = {CHARGE: charged, BOUND: bounded, SINGLE: as_text}
