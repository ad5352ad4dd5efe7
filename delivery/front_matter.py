"""A template file as its author wrote it: front matter checked, content untouched.

The content of a mail is MJML; below it, after a line that holds only `{# text #}`, a plain text part of its own may
follow, else one is made from the MJML. The content of every other channel is plain text. Compiling is the business
of `templates`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import Fault, has_errors
from core.located import Located, split_front_matter
from core.schema_check import check_schema
from core.suggest import did_you_mean
from delivery.template_enclosures import NO_ENCLOSURES, Enclosures

ROOTS = ("profile", "entry", "steps", "vars", "offers", "links", "campaign", "workspace", "items")

_TEXT_LINE = re.compile(r"^\{# text #\}[ \t]*\n", re.MULTILINE)
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")


@dataclass(frozen=True, slots=True)
class Part:
    """Text of the file with the line on which it begins."""

    text: str
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class TemplateSource:
    """One template. `body` is MJML for the channel `email`, else plain text; `text` is the mail's own plain text part,
    where it has one. `content_hash` is the SHA-256 of the file, line ends and trailing white space aside, and of what
    it brings along.
    """

    template: str
    channel: str
    kind: str
    topic: str | None
    sender: str | None
    subject: Part
    preheader: Part
    needs: tuple[tuple[str, int], ...]
    defaults: tuple[tuple[str, Any], ...]
    note: str
    body: Part
    text: Part | None
    file: str
    content_hash: str
    enclosures: Enclosures = field(default=NO_ENCLOSURES, repr=False)
    address: tuple[tuple[str, str], ...] = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TemplateSource):
            return NotImplemented
        return (self.file, self.content_hash) == (other.file, other.content_hash)

    def __hash__(self) -> int:
        return hash((self.file, self.content_hash))


def parse_template(
    text: str, file: str, enclosures: Enclosures = NO_ENCLOSURES
) -> tuple[TemplateSource | None, list[Fault]]:
    """The template in `text`, and what is wrong with its front matter; `file` is the name that faults carry.

    `enclosures` may hold more than it needs.
    """
    written = text.replace("\r\n", "\n").replace("\r", "\n")
    split, faults = split_front_matter(written.encode("utf-8", "surrogatepass"), file)
    if split is None:
        return None, faults
    faults += check_schema(split.head, "template")
    if has_errors(faults):
        return None, sorted(faults)
    head: Mapping[str, Any] = split.head.data
    faults += _faults_of_head(split.head)
    body, own_text = _split_text(split.body, split.body_line) if head["channel"] == "email" else (split.body, None)
    if not body.strip():
        faults.append(Fault(file, split.body_line, 1, "E101", "the template is empty", "write its content below"))
    if has_errors(faults):
        return None, sorted(faults)
    source = TemplateSource(
        template=head["template"],
        channel=head["channel"],
        kind=head.get("kind", "marketing"),
        topic=head.get("topic"),
        sender=head.get("sender"),
        subject=_part(split.head, "subject"),
        preheader=_part(split.head, "preheader"),
        needs=tuple((path, split.head.value_at(("needs", at)).line) for at, path in enumerate(head.get("needs", ()))),
        defaults=tuple(head.get("defaults", {}).items()),
        note=head.get("note", ""),
        body=Part(body, split.body_line),
        text=own_text,
        file=file,
        content_hash=_hash(written, enclosures.used_by(written)),
        enclosures=enclosures,
        address=tuple(head.get("address", {}).items()),
    )
    return source, sorted(faults)


def _faults_of_head(head: Located) -> list[Fault]:
    faults = []
    if head.data["channel"] == "email" and not str(head.data.get("subject", "")).strip():
        faults.append(head.fault("E101", (), "a mail needs a subject", "add 'subject: …'"))
    if head.data["channel"] == "letter" and "address" not in head.data:
        faults.append(
            head.fault("E101", (), "a letter needs an address", "add `address: {name: name, street: street}`")
        )
    paths: list[tuple[tuple[str | int, ...], str]] = [
        *((("needs", at), path) for at, path in enumerate(head.data.get("needs", ()))),
        *((("defaults", path), path) for path in head.data.get("defaults", {})),
    ]
    for place, path in paths:
        root = path.partition(".")[0]
        if not _PATH.match(path) or root not in ROOTS:
            hint = did_you_mean(root, ROOTS) or f"begin it with one of {', '.join(ROOTS)}"
            faults.append(head.fault("E123", place, f"'{path}' is no variable of a template", hint, at_key=True))
    return faults


def _split_text(body: str, line: int) -> tuple[str, Part | None]:
    match = _TEXT_LINE.search(body)
    if match is None:
        return body, None
    own_text = Part(body[match.end() :], line + body.count("\n", 0, match.end()))
    return body[: match.start()], own_text if own_text.text.strip() else None


def _part(head: Located, key: str) -> Part:
    return Part(head.data.get(key, "").strip(), head.value_at((key,)).line)


def _hash(written: str, enclosed: Enclosures) -> str:
    normalised = "\n".join(line.rstrip() for line in written.removeprefix("\ufeff").rstrip().split("\n"))
    brought = [*enclosed.partials.items(), *enclosed.assets.items()]
    if brought:
        normalised += "".join(f"\n{len(part)}:{part}" for pair in brought for part in pair)
    return hashlib.sha256(normalised.encode("utf-8", "surrogatepass")).hexdigest()
