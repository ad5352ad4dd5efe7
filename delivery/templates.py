"""Compiles a template once a version and renders it once a recipient; pure, and the only place that knows `mjml`.

Compiling masks the Jinja, lets MJML make HTML of the rest, puts the Jinja back and makes plain text beside it, with
every link numbered. Rendering only runs what was compiled. Whether a recipient may get the message, and what a link's
address looks like, others decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import mjml
from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError
from markupsafe import escape

from core.errors import ConfigError, Fault, PermanentError
from delivery.front_matter import Part, TemplateSource
from delivery.jinja_environment import RENDER_FAULTS, Program, ProgramCompiler
from delivery.jinja_filters import UnfitValueError, is_blank
from delivery.jinja_limits import ASSETS_URL, METER, Meter
from delivery.jinja_tokens import LineIndex, Meaning, Restored, Vocabulary, Words, blank_out, find_tokens
from delivery.link_rewriting import (
    LINK_FILTERS,
    LINK_WRITER,
    InvalidUrlError,
    LinkWriter,
    TemplateLink,
    WriteLink,
    find_text_links,
    static_name,
)
from delivery.mjml_after import apply_after_rules
from delivery.mjml_markup import Flaw
from delivery.mjml_masking import MaskedMjml, mask_mjml, read_mjml
from delivery.pieces import Pieces
from delivery.plain_text import write_plain_text
from delivery.template_checks import check_part
from delivery.template_includes import Expansion, Places, expand, has_includes
from delivery.template_variables import Variable

CACHED_TEMPLATES = 256

_HTML = ProgramCompiler(LINK_FILTERS, is_html=True)
_TEXT = ProgramCompiler(LINK_FILTERS, is_html=False)
_PIXEL = (
    '{% if links.pixel | default %}<img src="{{ links.pixel }}" width="1" height="1" alt="" '
    'style="display:block;border:0;width:1px;height:1px" />{% endif %}'
)
# Without a word and without a size: what follows it follows everything.
_DECOY = (
    '{% if links.decoy | default %}<a href="{{ links.decoy }}" aria-hidden="true" tabindex="-1" '
    'style="display:none;width:0;height:0;overflow:hidden;font-size:0;line-height:0;mso-hide:all"></a>{% endif %}'
)
_UNSUBSCRIBE = re.compile(r'<a\s[^<>]*href="\{\{[-+]?\s*links\.(?:unsubscribe|preferences)\b')
# MJML's default font is fetched from its maker, which would tell it who reads which mail.
_REMOTE_FONTS = re.compile(
    r"<!--\[if !mso\]><!--><link href=\"https://fonts\.googleapis\.com/.*?<!--<!\[endif\]-->", re.DOTALL
)
_COMMENT = re.compile("<!--.*?-->", re.DOTALL)
_NO_CONTROL = dict.fromkeys((*range(32), 127), " ")


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """One version of a template, ready to be rendered. `html` and `subject` are those of a mail only.

    `variables` are the dotted paths that it reads from the context, in the order of their lines.
    """

    template: str
    channel: str
    kind: str
    topic: str | None
    file: str
    content_hash: str
    links: tuple[TemplateLink, ...]
    variables: tuple[Variable, ...]
    has_unsubscribe_link: bool
    needs: tuple[tuple[str, int], ...]
    defaults: tuple[tuple[str, Any], ...]
    subject: Program | None
    preheader: Program | None
    html: Program | None
    text: Program
    html_bytes: int  # of the HTML as it stands, before anybody's values are in it
    places: Places  # where the lines that are told above and below were written


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one recipient gets. Without HTML, subject and preheader where the channel has none (empty text).

    `pieces` and `text_pieces` tell the template's own words in `html` and in `text` from the recipient's.
    """

    subject: str
    preheader: str
    html: str
    text: str
    pieces: Pieces | None = None
    text_pieces: Pieces | None = None


class RenderError(PermanentError):
    """One profile's message cannot be rendered; `line` counts in the template's file, 0 where no line is at fault.

    `partial` is the file of the partial in which the cause stands; then `line` counts in that.
    """

    def __init__(self, template: str, line: int, cause: str, partial: str = "") -> None:
        self.template, self.line, self.cause, self.partial = template, line, cause, partial
        place = f"{partial}, line {line}" if partial else f"line {line}"
        super().__init__(f"template '{template}', {place}: {cause}")


@lru_cache(maxsize=CACHED_TEMPLATES)
def compile_template(source: TemplateSource) -> CompiledTemplate:
    """The compiled form of `source`; the same content is compiled once a process.

    Raises `ConfigError` with every fault, located in the file, or in that of a partial.
    """
    expanded, places = expand_template(source)
    try:
        return _compile_mail(expanded, places) if source.channel == "email" else _compile_text(expanded, places)
    except ConfigError as error:
        raise ConfigError({places.trace(fault) for fault in error.faults}) from None


def expand_template(source: TemplateSource) -> tuple[TemplateSource, Places]:
    """`source` with its partials in it, and where its places were written; raises `ConfigError`."""
    if not has_includes(source.body.text) and not (source.text and has_includes(source.text.text)):
        return source, Places(source.file)
    expansion = Expansion(source.enclosures.partials, source.body.line)
    expand(source.body.text, expansion, source.file, source.body.line, is_text=source.channel != "email")
    expanded = replace(source, body=Part(expansion.take(), source.body.line))
    if source.text is not None:
        expansion.write("\n", source.file, (source.text.line, 1), "")
        first_line = expansion.line
        expansion.take()
        expand(source.text.text, expansion, source.file, source.text.line, is_text=True)
        expanded = replace(expanded, text=Part(expansion.take(), first_line))
    if expansion.faults:
        raise ConfigError(expansion.faults)
    return expanded, Places(source.file, tuple(expansion.stretches))


def _compile_mail(source: TemplateSource, places: Places) -> CompiledTemplate:
    body, lines = source.body, LineIndex(source.body.text, source.body.line)
    mjml_source = read_mjml(body.text, lines)
    vocabulary = Vocabulary(Words(source.content_hash[:8]), lines)
    masked = mask_mjml(mjml_source, vocabulary, has_preheader=bool(source.preheader.text))
    texts = [source.text] if source.text is not None else []
    parts = [source.subject, source.preheader, Part(mjml_source.text, body.line)]
    misplaced = {flaw.offset for flaw in masked.flaws if flaw.code == "E173"}
    flaws = [flaw for flaw in masked.flaws if flaw.code != "E170" or flaw.offset not in misplaced]
    variables = _check(source, parts, texts, [_located(flaw, source.file, lines) for flaw in flaws])

    html = _run_mjml(source, masked)
    links = [found.link for found in masked.links.values()]
    if source.text is not None:
        own_text, links = _mask_text(source, source.text, links)
    else:
        block_words = vocabulary.words.block_pattern
        own_text = vocabulary.restore(write_plain_text(html, block_words), is_html=False)
    pixel = vocabulary.add(Meaning(_PIXEL + _DECOY, "", 0))
    whole = vocabulary.restore(html.replace("</body>", f"{pixel}</body>"), is_html=True)
    return _compiled(
        source,
        links,
        variables,
        has_unsubscribe_link=_UNSUBSCRIBE.search(_COMMENT.sub("", whole.source)) is not None,
        html=_program(source, _HTML, whole),
        html_bytes=len(vocabulary.words.pattern.sub("", html).encode()),
        text=_program(source, _TEXT, own_text),
        places=places,
    )


def _compile_text(source: TemplateSource, places: Places) -> CompiledTemplate:
    variables = _check(source, [], [source.body], [])
    text, links = _mask_text(source, source.body, [])
    return _compiled(
        source,
        links,
        variables,
        has_unsubscribe_link=False,
        html=None,
        html_bytes=0,
        text=_program(source, _TEXT, text),
        places=places,
    )


def _compiled(
    source: TemplateSource, links: list[TemplateLink], variables: list[Variable], **parts: Any
) -> CompiledTemplate:
    is_mail = source.channel == "email"
    return CompiledTemplate(
        template=source.template,
        channel=source.channel,
        kind=source.kind,
        topic=source.topic,
        file=source.file,
        content_hash=source.content_hash,
        links=tuple(links),
        variables=tuple(variables),
        needs=source.needs,
        defaults=source.defaults,
        subject=_head(source, source.subject) if is_mail else None,
        preheader=_head(source, source.preheader) if is_mail and source.preheader.text else None,
        **parts,
    )


def _check(source: TemplateSource, parts: list[Part], texts: list[Part], faults: list[Fault]) -> list[Variable]:
    """The variables that the parts read; raises `ConfigError` with their faults and those already found."""
    assets = source.enclosures.assets
    checked = [check_part(part, source.file, _TEXT.parse, assets, is_text=False) for part in parts]
    checked += [check_part(text, source.file, _TEXT.parse, assets, is_text=True) for text in texts]
    found = {*faults, *(fault for part in checked for fault in part.faults)}
    if found:
        raise ConfigError(found)
    with_default = {path for path, _ in source.defaults}
    variables = {
        replace(variable, is_optional=variable.is_optional or variable.path in with_default)
        for part in checked
        for variable in part.variables
    }
    return sorted(variables, key=lambda variable: (variable.line, variable.path))


def _located(flaw: Flaw, file: str, lines: LineIndex) -> Fault:
    line, column, end = lines.line(flaw.offset), lines.column(flaw.offset), lines.end_column(flaw.offset)
    return Fault(file, line, column, flaw.code, flaw.message, flaw.hint, end)


def _run_mjml(source: TemplateSource, masked: MaskedMjml) -> str:
    """The HTML of the masked MJML; raises `ConfigError` when MJML refuses it, or drops a token or a link."""
    try:
        html = mjml.mjml2html(masked.text)
    except ValueError as error:
        message, hint = f"MJML cannot read the template: {error}", "write the part that it names anew"
        raise ConfigError([Fault(source.file, source.body.line, 1, "E170", message, hint, 1)]) from None
    html = apply_after_rules(_resolve_prefixes(_REMOTE_FONTS.sub("", html), masked, source.file), masked.after_rules)
    hint = "it stands where MJML needs a fixed value or keeps nothing: write the value out, or move it into the text"
    flaws = [
        Flaw(meaning.offset, "E173", f"'{_first_line(meaning.source)}' would not reach the mail", hint)
        for meaning in masked.vocabulary.lost(html)
    ]
    if flaws:
        raise ConfigError(_located(flaw, source.file, masked.vocabulary.lines) for flaw in flaws)
    return html


def _resolve_prefixes(html: str, masked: MaskedMjml, file: str) -> str:
    """MJML makes sharing buttons by writing an address of its own before the author's: the two are one link."""
    resolved: set[int] = set()

    def resolve(match: re.Match[str]) -> str:
        prefix, word, number = match[1], match[2], int(match[3])
        if number not in masked.links:
            return match.group()
        if number not in resolved:
            resolved.add(number)
            try:
                masked.links[number] = found = masked.links[number].behind(prefix)
            except InvalidUrlError as error:
                message = f"behind MJML's '{prefix[:40]}', {error}"
                flaw = Flaw(masked.links[number].start, "E174", message, "begin it with https://")
                raise ConfigError([_located(flaw, file, masked.vocabulary.lines)]) from None
            masked.vocabulary.meanings[number] = found.meaning
        return f'href="{word}"'

    return re.sub(rf'href="(https?://[^"]*?)({masked.vocabulary.words.pattern.pattern})"', resolve, html)


def _mask_text(source: TemplateSource, part: Part, known: list[TemplateLink]) -> tuple[Restored, list[TemplateLink]]:
    """The Jinja of a plain text with its links numbered after the `known` ones, and all the links."""
    lines = LineIndex(part.text, part.line)
    tokens = find_tokens(part.text, lines)
    try:
        found = find_text_links(part.text, blank_out(part.text, tokens), tokens, known)
    except InvalidUrlError as error:
        raise ConfigError([Fault(source.file, part.line, 1, "E174", str(error), "begin it with https://")]) from None
    vocabulary, pieces, at = Vocabulary(Words(source.content_hash[:8]), lines), [], 0
    places = {link.start: (link.end, link.meaning) for link in found}
    for token in tokens:
        places.setdefault(token.start, (token.end, Meaning(token.source, token.source, token.start)))
    for start, (end, meaning) in sorted(places.items()):
        if start >= at:
            pieces += [part.text[at:start], vocabulary.add(meaning)]
            at = end
    links = {link.number: link for link in (*known, *(found_link.link for found_link in found))}
    return vocabulary.restore("".join([*pieces, part.text[at:]]).strip() + "\n", is_html=False), list(links.values())


def _head(source: TemplateSource, part: Part) -> Program:
    return _program(source, _TEXT, Restored(part.text, (part.line,)))


def _program(source: TemplateSource, compiler: ProgramCompiler, restored: Restored) -> Program:
    """The program of Jinja that was sound before MJML moved it; what it spoilt is told as a fault."""
    try:
        return compiler.compile(restored.source, restored.line_of, source.enclosures.assets)
    except TemplateSyntaxError as error:
        line, message = restored.line_of(error.lineno), f"this tag does not survive MJML: {error.message}"
    except (SyntaxError, RecursionError):
        line, message = source.body.line, "loops or conditions are nested too deeply"
    hint = "put each tag and its end around whole elements"
    raise ConfigError([Fault(source.file, line, 1, "E173", message, hint, 1)])


def _first_line(source: str) -> str:
    return source.partition("\n")[0][:60]


def render(
    compiled: CompiledTemplate, context: Mapping[str, Any], write_link: WriteLink, *, assets_url: str = ""
) -> Rendered:
    """The message of one recipient.

    `context` holds plain data (dict, list, text, numbers, dates) under the roots `profile entry steps offers links
    campaign items`; with `links.pixel` a mail gets the open pixel, with `links.decoy` the link that nobody sees.
    `write_link(number, url)` answers the address that stands in the message for that link of `compiled.links`; `url` is
    None where the template knows it, else this recipient's own, absolute http(s) and checked. Assets lie below
    `assets_url`. Raises `RenderError`.
    """
    values = _values(compiled, context)
    values[ASSETS_URL] = f"{assets_url.rstrip('/')}/"
    values[LINK_WRITER] = LinkWriter(write_link)
    addresses = {static_name(link.number): write_link(link.number, None) for link in compiled.links if link.url}
    in_text = values | addresses
    subject = preheader = html = ""
    pieces = None
    if compiled.subject is not None:
        subject = values["_subject"] = _one_line(_run(compiled, compiled.subject, in_text))
        if not subject:
            raise RenderError(compiled.template, 0, "the subject is empty")
    if compiled.preheader is not None:
        preheader = values["_preheader"] = _one_line(_run(compiled, compiled.preheader, in_text))
    if compiled.html is not None:
        in_html = values | {name: escape(address) for name, address in addresses.items()}
        html, pieces = _run_in_pieces(compiled, compiled.html, in_html)
    written, text_pieces = _run_in_pieces(compiled, compiled.text, in_text)
    text = written.strip() if compiled.html is None else f"{written.strip()}\n"
    return Rendered(subject, preheader, html, text, pieces, text_pieces if written == text else None)


def _values(compiled: CompiledTemplate, context: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `context` in which the defaults stand where something is missing, and the meter of this rendering."""
    values = dict(context)
    for path, value in compiled.defaults:
        if is_blank(_find(values, path)):
            *parents, key = path.split(".")
            level = values
            for parent in parents:
                inner = level.get(parent)
                level[parent] = level = dict(inner) if isinstance(inner, Mapping) else {}
            level[key] = value
    for path, line in compiled.needs:
        if _find(values, path) is None:
            raise RenderError(compiled.template, line, f"'{path}' is needed and missing")
    values[METER] = Meter()
    return values


def _find(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _run(compiled: CompiledTemplate, program: Program, values: dict[str, Any]) -> str:
    return _run_in_pieces(compiled, program, values)[0]


def _run_in_pieces(compiled: CompiledTemplate, program: Program, values: dict[str, Any]) -> tuple[str, Pieces]:
    try:
        return program.run_in_pieces(values)
    except (TemplateError, *RENDER_FAULTS) as error:
        line = program.line_of(error.__traceback__) or 0
        file, written_line, _column, via = compiled.places.find(line)
        partial = file if via else ""
        raise RenderError(compiled.template, written_line, _cause(compiled, line, error), partial) from error


def _cause(compiled: CompiledTemplate, line: int, error: Exception) -> str:
    """One sentence that names no personal value."""
    if isinstance(error, UndefinedError):
        paths = [
            v.path for v in compiled.variables if v.line == line and f"'{v.path.rpartition('.')[2]}'" in str(error)
        ]
        return f"'{paths[0]}' is missing and has no default" if paths else str(error)
    if isinstance(error, (UnfitValueError, TemplateError, TypeError)):
        return str(error)
    return f"a value does not fit here ({type(error).__name__})"


def _one_line(text: str) -> str:
    """`text` without line ends and control characters, which would begin a new header."""
    return " ".join(text.translate(_NO_CONTROL).split())
