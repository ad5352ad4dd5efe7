"""The sandbox in which templates are parsed, checked, compiled and run.

It knows expressions and loops, and neither MJML nor links. A template reaches plain data only: mapping keys and list
positions, never a method or an attribute of Python, so that `entry.items` is the event's and not a method of `dict`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any

from jinja2 import StrictUndefined, Template, nodes
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from delivery.jinja_filters import FILTERS, TESTS, as_text
from delivery.jinja_limits import GUARDS, LimitError, calculate, guard, small_range
from delivery.pieces import Pieces

MAX_OUTPUT = 1_000_000  # characters of one rendered part
_CHUNKS = 64  # that are joined before their length is looked at; each is bounded itself
_FILENAME = "<template>"
RENDER_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Missing(StrictUndefined):
    """A value that is not there: every use is an error but `| default(…)`, `is defined`, and naming what is inside."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return f"'{self._undefined_name}' is missing"


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict:
            value = obj.get(attribute)
            return value if value is not None else Missing(obj=obj, name=attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, LoopContext):
            return super().getattr(obj, argument)
        if isinstance(obj, Missing):
            return obj
        if isinstance(obj, Mapping) or isinstance(argument, (int, slice)):
            try:
                value = obj[argument]
            except (LookupError, TypeError):
                value = None
            if value is not None:
                return value
        return Missing(obj=obj, name=str(argument))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return calculate(operator, left, right, self.binop_table[operator])


def _environment(extra_filters: Mapping[str, Callable[..., Any]], *, is_html: bool) -> TemplateEnvironment:
    environment = TemplateEnvironment(
        autoescape=is_html, undefined=Missing, finalize=as_text, keep_trailing_newline=True, cache_size=0
    )
    environment.globals = {"range": small_range}
    environment.filters = {**FILTERS, **GUARDS, **extra_filters}
    environment.tests = dict(TESTS)
    return environment


@dataclass(frozen=True, slots=True)
class Program:
    """Compiled Jinja of one part of a message."""

    template: Template
    constants: AbstractSet[int] = frozenset()

    def run(self, values: dict[str, Any]) -> str:
        """`run_in_pieces` for whoever wants the text alone."""
        return self.run_in_pieces(values)[0]

    def run_in_pieces(self, values: dict[str, Any]) -> tuple[str, Pieces]:
        """The rendered part, and which pieces of it are the template's own.

        `values` holds the context roots and a `Meter` as `_meter`. Raises jinja2's errors, `LimitError`, and what
        `RENDER_FAULTS` lists.
        """
        template, size, chunks = self.template, 0, []
        stream = template.root_render_func(template.new_context(values))
        while some := list(islice(stream, _CHUNKS)):
            chunks += some
            size += sum(map(len, some))
            if size > MAX_OUTPUT:
                raise LimitError(f"the message is longer than {MAX_OUTPUT:,} characters")
        return "".join(chunks), Pieces(tuple(chunks), self.constants)

    def line_of(self, traceback: TracebackType | None) -> int | None:
        """The line of the file at which an error arose while this program ran."""
        line = None
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == _FILENAME:
                line = self.template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return line


class ProgramCompiler:
    """Parses and compiles for one kind of output; `extra_filters` are for generated code, not for authors."""

    def __init__(self, extra_filters: Mapping[str, Callable[..., Any]], *, is_html: bool) -> None:
        self._environment = _environment(extra_filters, is_html=is_html)

    def parse(self, source: str) -> nodes.Template:
        """The tree of `source`, with a line on every node; raises `TemplateSyntaxError`."""
        tree = self._environment.parse(source)
        _number(tree, 1, lambda line: line)
        return tree

    def compile(self, source: str, line_of: Callable[[int], int], assets: Mapping[str, str]) -> Program:
        """The program of `source`; `line_of` maps its lines to those of the file that errors shall name, `assets` the
        names of assets to their places.
        """
        tree = self._environment.parse(source)
        _number(tree, 1, line_of)
        guard(tree, assets)
        code = self._environment.compile(tree, name="template", filename=_FILENAME)
        template = Template.from_code(self._environment, code, self._environment.globals)
        # What is escaped is written out at once, and need not be marked as escaped; the code imports one that marks.
        template.root_render_func.__globals__["escape"] = _escape
        written = template.root_render_func.__code__.co_consts
        return Program(template, frozenset(id(one) for one in written if isinstance(one, str)))


def _escape(value: Any) -> str:
    """As `markupsafe.escape`, but that what needs no escaping stays the plain text that it is."""
    if type(value) is Markup:
        return value
    if type(value) is str and not ("&" in value or "<" in value or ">" in value or '"' in value or "'" in value):
        return value
    return escape(value)


def _number(node: nodes.Node, line: int, line_of: Callable[[int], int]) -> None:
    # Jinja leaves some of its own nodes without a line: they stand where their parent does.
    line = getattr(node, "lineno", None) or line
    node.lineno = line_of(line)
    for child in node.iter_child_nodes():
        _number(child, line, line_of)
