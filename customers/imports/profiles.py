"""Rows of customers become profiles: identities, attributes and consents, all personal data sealed.

Two rows of one person (the same external id or address) become one profile; attribute by attribute the later row wins,
and where it says something else than the earlier one that is counted as `conflicting_values`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from core.errors import InputError
from core.zones import find_zone
from customers.addresses import normalise
from customers.attributes import coerce
from customers.consent import ConsentStatus, NewConsent, import_consents
from customers.countries import find_country
from customers.identities import Resolved, lookup_of, resolve_each
from customers.imports import consent_words, values
from customers.imports.fields import consent_pairs
from customers.imports.job import Job, Outcome, SimpleImporter
from customers.imports.mapping import Column
from customers.imports.rows import Parsed, Parser, RowParser, identifier_parser, instant_parser
from customers.imports.sources import Batch
from customers.imports.values import Memo, RefusedError
from customers.profiles import set_attributes_of_all
from customers.tables import IdentityKind
from customers.workspace import AttributeSpec, ValueKind

_UNDECLARED = AttributeSpec(ValueKind.TEXT)
_IDENTITIES = (IdentityKind.EXTERNAL_ID, IdentityKind.EMAIL, IdentityKind.PHONE)


class ProfileImporter(SimpleImporter):
    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._consents = consent_pairs(job.mapping.columns)
        self._attributes = [
            name for name in job.mapping.columns if name not in _IDENTITIES and not name.startswith("consent.")
        ]
        self._parser = RowParser(job, {name: self._parser_of(name) for name in job.mapping.columns})
        self._numbers = Memo(lambda pair: _phone(*pair))

    def import_batch(self, connection: Connection, batch: Batch) -> Outcome:
        records, refused = self._parser.records(batch)
        outcome = Outcome(refused=refused)
        rows, people = [], []
        for parsed in records:
            person = self._person(parsed)
            if isinstance(person, str):
                outcome.refused.append(parsed.refused(person))
            else:
                rows.append(parsed)
                people.append(person)
        resolved = resolve_each(connection, self.job.vault, people, self.job.now)
        news = {parsed.line for parsed, one in zip(rows, resolved, strict=True) if one.is_news}
        news |= self._set_attributes(connection, rows, resolved, outcome)
        news |= self._record_consents(connection, rows, people, resolved, outcome)
        outcome.imported_count = len(news)
        outcome.unchanged_count = len(rows) - len(news)
        return outcome

    def _parser_of(self, name: str) -> Parser:
        column = self.job.mapping.columns[name]
        if name.startswith("consent."):
            return instant_parser(self.job, column) if name.endswith(".at") else consent_words.status
        if name == IdentityKind.PHONE:
            return values.text  # its country may stand in another column
        if name in _IDENTITIES:
            return identifier_parser(name)
        if name == "timezone":
            return _timezone
        if name == "country":
            return _country
        return _attribute_parser(self.job, name, column)

    def _person(self, parsed: Parsed) -> dict[IdentityKind, str] | str:
        """The row's identifiers, or why it is refused."""
        record = parsed.record
        person = {kind: record[kind] for kind in _IDENTITIES if record.get(kind) is not None}
        if IdentityKind.PHONE in person:
            region = record.get("country") or self.job.workspace.country
            number = self._numbers[person[IdentityKind.PHONE], region]
            if isinstance(number, values.Reason):
                return number
            person[IdentityKind.PHONE] = number
        if not person:
            return "missing_identity"
        for channel, topic in self._consents:
            name = f"consent.{channel}.{topic}"
            if record[name] is not None and record[f"{name}.at"] is None:
                return "missing_consent_date"
        return person

    def _set_attributes(
        self, connection: Connection, rows: Sequence[Parsed], resolved: Sequence[Resolved], outcome: Outcome
    ) -> set[int]:
        """The lines that changed something."""
        merged: dict[int, dict[str, Any]] = {}
        telling: dict[int, list[int]] = {}
        for parsed, one in zip(rows, resolved, strict=True):
            assert one.profile_id is not None
            given = {name: parsed.record[name] for name in self._attributes if parsed.record[name] is not None}
            known = merged.setdefault(one.profile_id, {})
            changed = {name: value for name, value in given.items() if known.get(name) != value}
            outcome.details["conflicting_values"] += sum(name in known for name in changed)
            known.update(changed)
            if changed:
                telling.setdefault(one.profile_id, []).append(parsed.line)
        changed_ids = set_attributes_of_all(connection, self.job.vault, self.job.workspace, merged, self.job.now)
        outcome.details["profiles"] += len(changed_ids.union(*[{one.profile_id} for one in resolved if one.is_news]))
        return {line for profile_id in changed_ids for line in telling.get(profile_id, ())}

    def _record_consents(
        self,
        connection: Connection,
        rows: Sequence[Parsed],
        people: Sequence[Mapping[IdentityKind, str]],
        resolved: Sequence[Resolved],
        outcome: Outcome,
    ) -> set[int]:
        """The lines that brought a consent that was new."""
        line_of: dict[str, int] = {}
        entries: list[NewConsent] = []
        for parsed, person, one in zip(rows, people, resolved, strict=True):
            for channel, topic in self._consents:
                name = f"consent.{channel}.{topic}"
                state: ConsentStatus | None = parsed.record[name]
                address = person.get(consent_words.address_kind(channel))
                if state is None or address is None:
                    outcome.details["consents_without_address"] += state is not None
                    continue
                lookup = lookup_of(self.job.vault, consent_words.address_kind(channel), address)
                at = parsed.record[f"{name}.at"]
                entry = consent_words.entry(self.job.mapping.source, lookup, channel, topic, state, at, one.profile_id)
                entries.append(entry)
                line_of.setdefault(entry.key, parsed.line)
        imported = import_consents(connection, entries, self.job.now)
        outcome.details["consents"] += len(imported.new)
        outcome.details["grants_after_withdrawal"] += len(imported.denied)
        return {line_of[key] for key in imported.new}


def _attribute_parser(job: Job, name: str, column: Column) -> Parser:
    kind = job.workspace.attributes.get(name, _UNDECLARED).kind
    wrong = {
        ValueKind.NUMBER: "wrong_number",
        ValueKind.BOOLEAN: "wrong_boolean",
        ValueKind.DATE: "impossible_date",
        ValueKind.INSTANT: "impossible_date",
    }.get(kind, f"wrong_{name}")
    read_instant = instant_parser(job, column)

    def parse(cell: Any) -> Any:
        if values.text(cell) is None:
            return None
        if kind is ValueKind.DATE:
            cell = values.day(cell, column.format)
        elif kind is ValueKind.INSTANT:
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
