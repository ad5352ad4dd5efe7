"""A suggested mapping as YAML: one remark a line, and what could not be decided as lines to uncomment.

What is written can be imported as it is, or says beside the line what is missing. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from customers.imports.column_names import OPTED_IN, OPTED_IN_AT, OPTED_OUT_AT, SMS_OPTED_IN, plain_name
from customers.imports.column_values import Look, Seen
from customers.imports.fields import FIELDS, ImportKind
from customers.words import snake_case
from customers.workspace import Workspace

_PLAIN = re.compile(r"[A-Za-z_À-ÿ][\w À-ÿ.()/-]*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "none", "~"})
_REMARK_COLUMN = 44
_KINDS: Mapping[Look, str] = {
    Look.NUMBER: "number",
    Look.DECIMAL_COMMA: "number",
    Look.DATE: "date",
    Look.INSTANT: "instant",
}
# Words in a column's name that make it somebody's own, whatever it holds.
_PERSONAL = frozenset(
    {
        "name",
        "birthday",
        "birth",
        "city",
        "address",
        "street",
        "postcode",
        "zip",
        "ip",
        "latitude",
        "longitude",
        "phone",
    }
    | {"email", "fax", "url", "website", "linkedin", "twitter", "facebook", "gender", "sex", "salary", "tax", "vat"}
)
_TRUTHS = frozenset({"true", "false", "yes", "no"})
_SPECIAL = frozenset({OPTED_IN, OPTED_IN_AT, OPTED_OUT_AT, SMS_OPTED_IN})


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`fields` are the columns that were found, by field; `columns` everything that the file has."""

    kind: ImportKind
    file: str
    row_count: int
    source: str
    fields: Mapping[str, str]
    columns: Mapping[str, Seen]
    delimiter: str | None = None
    encoding: str | None = None


def write_yaml(suggestion: Suggestion, workspace: Workspace) -> str:
    """The commented mapping; it ends with a line end."""
    lines = [*_head(suggestion, workspace), "columns:"]
    lines += _column_lines(suggestion, workspace)
    lines += _missing(suggestion, workspace)
    lines += _remaining(suggestion, workspace)
    return "\n".join(lines) + "\n"


def _head(suggestion: Suggestion, workspace: Workspace) -> Iterator[str]:
    rows = f"{suggestion.row_count:,} {'row' if suggestion.row_count == 1 else 'rows'}"
    yield f"# Suggested from the first {rows} of {suggestion.file}. Read every line and correct it; then try it:"
    yield f"#   postilion import {suggestion.kind} {suggestion.file} --dry-run"
    yield f"import: {suggestion.kind}"
    yield _noted(f"source: {suggestion.source}", "keeps its ids apart from those of other systems")
    if suggestion.encoding is not None:
        yield f"encoding: {suggestion.encoding}"
    if suggestion.delimiter is not None:
        yield f"delimiter: {json.dumps(suggestion.delimiter)}"
    looks = {seen.look for seen in suggestion.columns.values()}
    if Look.DECIMAL_COMMA in looks:
        yield _noted('decimal: ","', "1.234,56 is one thousand two hundred")
    if looks & {Look.INSTANT, Look.DATE}:
        yield _noted(f"timezone: {workspace.timezone}", "of times that name no zone")
    numbers = FIELDS[suggestion.kind].numbers & {"unit_price", "amount", "price"}
    if numbers and "currency" not in suggestion.fields:
        yield _noted(f"currency: {workspace.currency}", "no column names one")


def _column_lines(suggestion: Suggestion, workspace: Workspace) -> Iterator[str]:
    is_people = suggestion.kind is ImportKind.PROFILES
    for field, column in suggestion.fields.items():
        seen = suggestion.columns[column]
        if is_people and field in _SPECIAL:
            continue
        line = f"{field}: {_spec(column, seen)}"
        if is_people and field not in FIELDS[suggestion.kind].known and field not in workspace.attributes:
            continue  # among the remaining ones, with the line for workspace.yaml
        yield _noted(f"  {line}", _remark(seen))
    if is_people:
        yield from _consent_lines(suggestion, workspace)
    for field, value in _constants(suggestion, workspace):
        if field not in suggestion.fields:
            yield _noted(f"  {field}: {{value: {value}}}", "no column says so: the same for every row")


def _consent_lines(suggestion: Suggestion, workspace: Workspace) -> Iterator[str]:
    """Consent is taken over only where the file says both what was agreed to and when."""
    fields, columns = suggestion.fields, suggestion.columns
    topic = _topic(workspace)
    given, at, left = fields.get(OPTED_IN), fields.get(OPTED_IN_AT), fields.get(OPTED_OUT_AT)
    field = f"consent.email.{topic}"
    if left is not None:
        yield _noted(f"  {field}: {{value: withdrawn}}", f"the column '{left}' says that these people left")
        yield _noted(f"  {field}.at: {_spec(left, columns[left])}", _remark(columns[left]))
    elif given is not None and at is not None:
        yield _noted(f"  {field}: {_spec(given, columns[given])}", _words(columns[given]))
        yield _noted(f"  {field}.at: {_spec(at, columns[at])}", _remark(columns[at]))
    elif at is not None:
        yield _noted(f"  {field}: {{value: granted}}", "CHECK: only if every row of this file agreed")
        yield _noted(f"  {field}.at: {_spec(at, columns[at])}", _remark(columns[at]))
    elif given is not None:
        yield "  # Consent needs to know when it was given. If you can say so for all rows, write the day here:"
        yield _noted(f"  # {field}: {_spec(given, columns[given])}", _words(columns[given]))
        yield f'  # {field}.at: {{value: "2020-01-31"}}'
    else:
        yield "  # No column says who agreed to what: these people will be known, and nobody will be written to."
    sms = fields.get(SMS_OPTED_IN)
    if sms is not None:
        yield _noted(f"  # consent.sms.{topic}: {_spec(sms, columns[sms])}", _words(columns[sms]))
        yield f"  # consent.sms.{topic}.at: name the column with its day"


def _missing(suggestion: Suggestion, workspace: Workspace) -> Iterator[str]:
    constants = {field for field, _ in _constants(suggestion, workspace)}
    for group in FIELDS[suggestion.kind].required:
        if not any(name in suggestion.fields or name in constants for name in group):
            yield f"  # {' or '.join(group)}: missing, and {suggestion.kind} need it: name its column"


def _remaining(suggestion: Suggestion, workspace: Workspace) -> Iterator[str]:
    """The columns that nobody reads; those that could be attributes with their line for workspace.yaml."""
    known = FIELDS[suggestion.kind].known | frozenset(workspace.attributes) | _spoken(suggestion.fields)
    used = {column for field, column in suggestion.fields.items() if field in known or field in workspace.attributes}
    by_column = {column: field for field, column in suggestion.fields.items()}
    rest = {name: seen for name, seen in suggestion.columns.items() if name not in used}
    empty = [name for name, seen in rest.items() if not seen.filled]
    filled = {name: seen for name, seen in rest.items() if seen.filled}
    if filled and suggestion.kind is ImportKind.PROFILES:
        names = _attribute_names(filled, by_column, workspace)
        yield ""
        yield "# Not used. To keep one as an attribute, take the # from its line and move it up among the columns …"
        for column, seen in filled.items():
            yield _noted(f"#  {names[column]}: {_spec(column, seen)}", _remark(seen))
        yield "# … and declare it in workspace.yaml, under `attributes:`, before `postilion apply`:"
        for column, seen in filled.items():
            yield f"#  {names[column]}: {{{_declaration(names[column], seen)}}}"
    elif filled:
        yield ""
        yield "# Not used:"
        for column, seen in filled.items():
            yield _noted(f"#  {_scalar(column)}", _remark(seen))
    if empty:
        yield ""
        yield f"# Empty: {', '.join(map(_scalar, empty))}"


def _spoken(fields: Mapping[str, str]) -> frozenset[str]:
    """The fields of consent that have become lines."""
    left = {OPTED_OUT_AT} if OPTED_OUT_AT in fields else {OPTED_IN, OPTED_IN_AT} & set(fields)
    return frozenset(left | ({SMS_OPTED_IN} & set(fields)))


def _attribute_names(
    columns: Mapping[str, Seen], by_column: Mapping[str, str], workspace: Workspace
) -> Mapping[str, str]:
    """A name for each column that no other one has."""
    taken = {*workspace.attributes, *FIELDS[ImportKind.PROFILES].known}
    names = {}
    for place, column in enumerate(columns, start=1):
        name = by_column.get(column) or snake_case(column) or f"column_{place}"
        name = name if name[0].isalpha() else f"column_{name}"
        while name in taken:
            name += "_2"
        taken.add(name)
        names[column] = name
    return names


def _declaration(name: str, seen: Seen) -> str:
    is_truth = bool(seen.words) and _TRUTHS.issuperset(word.lower() for word in seen.words)
    kind = "boolean" if is_truth else _KINDS.get(seen.look, "text")
    is_plain = not _PERSONAL.intersection(name.split("_")) and (
        kind in ("number", "instant", "boolean") or _are_labels(seen.words)
    )
    return f"kind: {kind}" if is_plain else f"kind: {kind}, personal: true"


def _are_labels(words: tuple[str, ...]) -> bool:
    """Whether the few different cells of a column are names of something that many people share."""
    return bool(words) and all(len(word) <= 30 and "{" not in word and "@" not in word for word in words)


def _constants(suggestion: Suggestion, workspace: Workspace) -> tuple[tuple[str, str], ...]:
    """What a file of this kind often leaves unsaid."""
    match suggestion.kind:
        case ImportKind.CONSENTS:
            return (("channel", "email"), ("topic", _topic(workspace)))
        case ImportKind.EVENTS if "name" not in suggestion.fields:
            return (("type", "track"),)
        case ImportKind.LISTS:
            return (("list", "newsletter"),)
        case ImportKind.SUPPRESSIONS:
            return (("reason", _reason(suggestion)),)
    return ()


def _topic(workspace: Workspace) -> str:
    return next((name for name, one in workspace.topics.items() if one.kind == "marketing"), "marketing")


def _reason(suggestion: Suggestion) -> str:
    """Why the addresses of this file are stopped, told by what its instant is called."""
    name = plain_name(suggestion.fields.get("occurred_at", ""))
    return "bounced" if re.search("clean|bounce", name) else "opted_out" if "unsub" in name else "manual"


def _spec(column: str, seen: Seen) -> str:
    if seen.layout is None:
        return _scalar(column)
    return f"{{column: {_scalar(column, inside=True)}, format: {json.dumps(seen.layout)}}}"


def _remark(seen: Seen) -> str:
    if seen.other_layout is not None:
        return f"{seen}; CHECK: {_order(seen.layout)} or {_order(seen.other_layout)}? No day above 12 tells"
    return str(seen)


def _order(layout: str | None) -> str:
    first = re.findall(r"%([dmbByY])", layout or "")
    words = {"d": "day", "m": "month", "b": "month", "B": "month", "y": "year", "Y": "year"}
    return "/".join(words[letter] for letter in first)


def _words(seen: Seen) -> str:
    shown = [word for word in seen.words if len(word) <= 20 and "@" not in word]
    return f"{seen}: {', '.join(shown)}" if shown else str(seen)


def _scalar(text: str, *, inside: bool = False) -> str:
    """`text` as YAML: bare where that is safe."""
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS and text == text.strip()
    if is_plain and not (inside and re.search(r"[,{}\[\]]", text)):
        return text
    return json.dumps(text, ensure_ascii=False)


def _noted(line: str, remark: str) -> str:
    return f"{line:<{_REMARK_COLUMN}} # {remark}"
