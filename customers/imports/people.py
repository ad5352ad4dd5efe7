"""Rows about customers, read column by column: who is meant, which attributes and consents are stated.

Nothing here asks the database, so that one batch is read while the one before it is written. Names a row's first wrong
cell as the reason why it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.errors import InputError
from core.zones import find_zone
from customers.addresses import normalise
from customers.attributes import coerce
from customers.consent import ConsentStatus
from customers.countries import find_country
from customers.imports import consent_words, values
from customers.imports.batch import Batch, Refused
from customers.imports.drafts import Draft
from customers.imports.fields import ACCOUNT_FIELDS, consent_pairs
from customers.imports.job import Job
from customers.imports.mapping import Column
from customers.imports.members import read_account_key, read_account_role
from customers.imports.rows import Parser, identifier_parser, instant_parser, text_parser
from customers.imports.values import Memo, Reason, RefusedError
from customers.tables import IdentityKind
from customers.workspace import AttributeSpec, ValueKind

_IDENTITIES = (IdentityKind.EXTERNAL_ID, IdentityKind.EMAIL, IdentityKind.PHONE)
_SEALED_KINDS = (IdentityKind.EMAIL, IdentityKind.PHONE)
_UNDECLARED = AttributeSpec(ValueKind.TEXT)
_SHORT = 1_000  # plain text that is not longer needs no further look

Person = dict[IdentityKind, str]
_Values = list[Any]


@dataclass(slots=True)  # not frozen: it is made by the hundred thousand, and freezing doubles its price
class Statement:
    """What the row at `place` says about one consent."""

    place: int
    channel: str
    topic: str
    status: ConsentStatus
    at: datetime
    lookup: str


@dataclass(slots=True)
class People:
    """The good rows of a batch, in step with each other; `lookups` are the blind indexes of the identifiers."""

    refused: list[Refused]
    lines: Sequence[int]
    people: list[Person]
    lookups: list[Person]
    attributes: list[dict[str, Any]]
    accounts: list[dict[str, Any]] = field(default_factory=list)  # empty where no account is mapped
    statements: list[Statement] = field(default_factory=list)
    consents_without_address: int = 0
    drafts: list[Draft] = field(default_factory=list)  # of all rows, or of none


class PeopleReader:
    """Reads the batches of one job; remembers what cells came to."""

    def __init__(self, job: Job) -> None:
        self._job = job
        columns = job.mapping.columns
        self._memos = {name: Memo(self._parser_of(name)) for name in columns}
        self._numbers = Memo(lambda pair: _phone(*pair))
        self._pairs = consent_pairs(columns)
        self._accounts = [name for name in ACCOUNT_FIELDS if name in columns]
        apart = {*_IDENTITIES, *self._accounts}
        self._attributes = [name for name in columns if name not in apart and not name.startswith("consent.")]
        self._index = {kind: job.vault.indexer(kind) for kind in _SEALED_KINDS}

    def read(self, batch: Batch) -> People:
        height = len(batch.rows)
        cells: list[tuple[Any, ...]] = list(zip(*batch.rows, strict=True))
        parsed = {name: self._parse(name, cells, height) for name in self._job.mapping.columns}
        wrong: dict[int, Reason] = {}
        for column in parsed.values():
            _note_reasons(column, wrong)
        if IdentityKind.PHONE in parsed:
            parsed[IdentityKind.PHONE] = self._phones(parsed, wrong)
        people = _people(parsed, height)
        for place, person in enumerate(people):
            if not person:
                wrong.setdefault(place, Reason("missing_identity"))
        for name in self._consent_names():
            for place, (state, at) in enumerate(zip(parsed[name], parsed[f"{name}.at"], strict=True)):
                if state is not None and at is None:
                    wrong.setdefault(place, Reason("missing_consent_date"))
        refused = [*batch.malformed, *(Refused(batch.lines[at], why, batch.rows[at]) for at, why in wrong.items())]
        lines: Sequence[int] = batch.lines
        if wrong:
            good = [place for place in range(height) if place not in wrong]
            parsed = {name: [column[place] for place in good] for name, column in parsed.items()}
            people = [people[place] for place in good]
            lines = [batch.lines[place] for place in good]
        return self._people(parsed, people, lines, refused)

    def _people(
        self, parsed: Mapping[str, _Values], people: list[Person], lines: Sequence[int], refused: list[Refused]
    ) -> People:
        email, phone = (self._index[kind] for kind in _SEALED_KINDS)
        lookups = []
        for person in people:
            found = dict(person)
            if IdentityKind.EMAIL in found:
                found[IdentityKind.EMAIL] = email(found[IdentityKind.EMAIL])
            if IdentityKind.PHONE in found:
                found[IdentityKind.PHONE] = phone(found[IdentityKind.PHONE])
            lookups.append(found)
        read = People(refused, lines, people, lookups, _documents(parsed, self._attributes, len(lines)))
        if self._accounts:
            read.accounts = _documents(parsed, self._accounts, len(lines))
        for (channel, topic), name in zip(self._pairs, self._consent_names(), strict=True):
            kind = consent_words.address_kind(channel)
            for place, (state, at) in enumerate(zip(parsed[name], parsed[f"{name}.at"], strict=True)):
                if state is None:
                    continue
                lookup = lookups[place].get(kind)
                if lookup is None:
                    read.consents_without_address += 1
                else:
                    read.statements.append(Statement(place, channel, topic, state, at, lookup))
        return read

    def _consent_names(self) -> list[str]:
        return [f"consent.{channel}.{topic}" for channel, topic in self._pairs]

    def _parse(self, name: str, cells: Sequence[tuple[Any, ...]], height: int) -> _Values:
        memo, column = self._memos[name], self._job.mapping.columns[name]
        if column.column is None:
            return [memo[column.value]] * height
        if not height:
            return []
        of_column = cells[self._job.columns.index(column.column)]
        try:
            return [memo[cell] for cell in of_column]
        except TypeError:  # a list or a document where text was due
            return [Reason(f"wrong_{name}") if isinstance(cell, (list, dict)) else memo[cell] for cell in of_column]

    def _phones(self, parsed: Mapping[str, _Values], wrong: dict[int, Reason]) -> _Values:
        """Numbers in their one spelling; a number without a country is of the row's country or of the workspace's."""
        words, home = parsed[IdentityKind.PHONE], self._job.workspace.country
        regions = parsed.get("country") or [None] * len(words)
        numbers = [
            None if word is None or place in wrong else self._numbers[word, region or home]
            for place, (word, region) in enumerate(zip(words, regions, strict=True))
        ]
        _note_reasons(numbers, wrong)
        return numbers

    def _parser_of(self, name: str) -> Parser:
        column = self._job.mapping.columns[name]
        if name.startswith("consent."):
            return instant_parser(self._job, column) if name.endswith(".at") else consent_words.status
        if name == IdentityKind.PHONE:
            return values.text  # its country may stand in another column
        if name in _IDENTITIES:
            return identifier_parser(name)
        if name == "account":
            return read_account_key
        if name == "account_role":
            return read_account_role
        if name in ACCOUNT_FIELDS:
            return text_parser(f"wrong_{name}", 200)
        if name == "timezone":
            return _timezone
        if name == "country":
            return _country
        if name == "locale":
            return text_parser("wrong_locale", 20)
        return _attribute_parser(self._job, name, column)


def _note_reasons(column: _Values, wrong: dict[int, Reason]) -> None:
    if Reason not in set(map(type, column)):
        return
    for place, value in enumerate(column):
        if type(value) is Reason:
            wrong.setdefault(place, value)


def _people(parsed: Mapping[str, _Values], height: int) -> list[Person]:
    kinds = [kind for kind in _IDENTITIES if kind in parsed]
    columns = [parsed[kind] for kind in kinds]
    if not kinds:
        return [{} for _ in range(height)]
    return [
        {kind: value for kind, value in zip(kinds, row, strict=True) if value is not None}
        for row in zip(*columns, strict=True)
    ]


def _documents(parsed: Mapping[str, _Values], names: Sequence[str], height: int) -> list[dict[str, Any]]:
    if not names:
        return [{} for _ in range(height)]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in zip(*(parsed[name] for name in names), strict=True)
    ]


def _attribute_parser(job: Job, name: str, column: Column) -> Parser:
    kind = job.workspace.attributes.get(name, _UNDECLARED).kind
    wrong = {
        ValueKind.NUMBER: "wrong_number",
        ValueKind.BOOLEAN: "wrong_boolean",
        ValueKind.DATE: "impossible_date",
        ValueKind.INSTANT: "impossible_date",
    }.get(kind, f"wrong_{name}")
    read_instant = instant_parser(job, column)
    today = job.now.date()

    def parse(cell: Any) -> Any:
        word = values.text(cell)
        if word is None:
            return None
        if kind is ValueKind.DATE:
            is_birthday = name == "birthday"
            return values.birthday(cell, column.format, today) if is_birthday else values.day(cell, column.format)
        if kind is ValueKind.TEXT and type(cell) is str and word.isascii() and len(word) < _SHORT:
            return word
        if kind is ValueKind.INSTANT:
            cell = read_instant(cell)
        elif kind is ValueKind.NUMBER:
            cell = float(values.number(cell, wrong, column.scale) or 0)
        try:
            return coerce(kind, cell)
        except InputError:
            raise RefusedError(wrong) from None

    return parse


def _timezone(cell: Any) -> str | None:
    name = values.text(cell)
    if name is not None and find_zone(name) is None:
        raise RefusedError("unknown_timezone")
    return name


def _country(cell: Any) -> str | None:
    name = values.text(cell)
    code = find_country(name) if name is not None else None
    if name is not None and code is None:
        raise RefusedError("unknown_country")
    return code


def _phone(text: str, region: str | None) -> str:
    try:
        return normalise(IdentityKind.PHONE, text, region)
    except InputError:
        raise RefusedError("wrong_phone") from None
