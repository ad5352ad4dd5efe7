"""Published templates, compiled once a version, with what a message needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import Connection

from core.definitions import Published, find_definition, get_definition
from core.errors import ConfigError
from delivery.front_matter import TemplateSource, parse_template
from delivery.system_mails import find_built_in
from delivery.template_enclosures import enclosures_of
from delivery.templates import CACHED_TEMPLATES, CompiledTemplate, compile_template

_OFFERS = "offers"
_UNNAMED = frozenset({"items", "offers"})


@dataclass(frozen=True, slots=True)
class PublishedTemplate:
    """One version of a template. `offers` are those it shows, `needed_offers` those without which it is nothing."""

    slug: str
    version: int
    source: TemplateSource
    compiled: CompiledTemplate
    offers: frozenset[str]
    needed_offers: frozenset[str]

    @property
    def reads_unnamed_offers(self) -> bool:
        """Whether it shows the campaign's offer without naming it: `items`, or `offers` as a whole."""
        return any(variable.path in _UNNAMED for variable in self.compiled.variables)


def load_template(connection: Connection, slug: str, version: int | None = None) -> PublishedTemplate:
    """The version asked for, or the one in force; without one, the template that comes with the program.

    Raises NotFoundError when it is not published, ConfigError when this release cannot compile it.
    """
    built_in = find_built_in(slug)
    if built_in is not None:
        return _compiled(_Version.of(find_definition(connection, "template", slug, version or None) or built_in))
    return _compiled(_Version.of(get_definition(connection, "template", slug, version)))


@dataclass(frozen=True, slots=True)
class _Version:
    """A published version, told from others without comparing what it holds."""

    slug: str
    version: int
    content_hash: str
    published: Published = field(compare=False, repr=False)

    @classmethod
    def of(cls, published: Published) -> _Version:
        return cls(published.slug, published.version, published.content_hash, published)


@lru_cache(maxsize=CACHED_TEMPLATES)
def _compiled(of: _Version) -> PublishedTemplate:
    published = of.published
    source, faults = parse_template(published.source, published.file, enclosures_of(published.document))
    if source is None:
        raise ConfigError(faults)
    compiled = compile_template(source)
    needed = frozenset(filter(None, (_offer_in(path) for path, _line in compiled.needs)))
    shown = frozenset(filter(None, (_offer_in(variable.path) for variable in compiled.variables)))
    return PublishedTemplate(of.slug, of.version, source, compiled, shown | needed, needed)


def _offer_in(path: str) -> str | None:
    """`cross_sell` of `offers.cross_sell.items`."""
    root, _, rest = path.partition(".")
    return rest.partition(".")[0] or None if root == _OFFERS else None
