"""Events in the shape of the event specification (identify, track, page, screen), or as plain columns, become the log.

`Product Viewed` is product_viewed, a page is page_viewed. `identify` says who a visitor is and sets attributes; it is
no event. A row without an id of its own is known by its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from core.errors import InputError
from core.ids import derived_id
from customers.addresses import normalise
from customers.attribute_rows import write_attributes
from customers.identities import Linking, Resolved, resolve_each
from customers.imports.changes import note_attributes
from customers.imports.job import Job, Outcome, SimpleImporter
from customers.imports.rows import Parsed, Parser, RowParser, identifier_parser, instant_parser, text_parser
from customers.imports.sources import Batch, Refused
from customers.imports.values import RefusedError
from customers.log import NewEvent, append_events
from customers.profiles import check_attributes
from customers.tables import IdentityKind
from customers.words import snake_case

_IDENTITIES = (IdentityKind.EXTERNAL_ID, IdentityKind.EMAIL, IdentityKind.PHONE, IdentityKind.VISITOR)
_FIXED_NAMES = {"page": "page_viewed", "screen": "screen_viewed"}


@dataclass(frozen=True, slots=True)
class Said:
    """One good row; `name` is that of the event, None for `identify`, which has `traits` instead."""

    parsed: Parsed
    name: str | None
    person: dict[IdentityKind, str]
    traits: dict[str, Any]


class EventImporter(SimpleImporter):
    def __init__(self, job: Job) -> None:
        super().__init__(job)
        parsers: dict[str, Parser | None] = {
            "type": text_parser("unknown_type", 20),
            "message_id": text_parser("wrong_message_id", 150),
            "name": text_parser("wrong_name", 100),
            "occurred_at": instant_parser(job, job.mapping.columns["occurred_at"]),
            "properties": None,
            "traits": None,
            **{kind.value: identifier_parser(kind, job.workspace.country) for kind in _IDENTITIES},
        }
        self._parser = RowParser(job, parsers)

    def read(self, batch: Batch) -> tuple[list[Said], list[Refused]]:
        """What the good rows say, and the others."""
        records, refused = self._parser.records(batch)
        said = []
        for parsed in records:
            try:
                name = _event_name(parsed.record)
                properties = _document(parsed.record.get("properties"), "wrong_properties")
                person = _person(parsed.record)
                traits = self._traits(parsed.record, person) if name is None else {}
            except RefusedError as reason:
                refused.append(parsed.refused(reason.reason))
                continue
            parsed.record["properties"] = properties
            said.append(Said(parsed, name, person, traits))
        return said, refused

    def import_batch(self, connection: Connection, batch: Batch) -> Outcome:
        said, refused = self.read(batch)
        outcome = Outcome(refused=refused)
        rows = [(one.parsed, one.name) for one in said]
        people = [one.person for one in said]
        linking = [Linking.STRONG if one.name is None else Linking.WEAK for one in said]
        traits = {one.parsed.line: one.traits for one in said if one.name is None}
        resolved = resolve_each(
            connection, self.job.vault, people, self.job.now, linking=linking, batch_id=self.job.batch_id
        )
        self._write(connection, rows, resolved, traits, outcome)
        return outcome

    def _write(
        self,
        connection: Connection,
        rows: list[tuple[Parsed, str | None]],
        resolved: list[Resolved],
        traits: Mapping[int, dict[str, Any]],
        outcome: Outcome,
    ) -> None:
        events: list[NewEvent] = []
        attributes: dict[int, dict[str, Any]] = {}
        tellers: list[tuple[Resolved, bool]] = []  # identify rows, and whether their traits say more than earlier ones
        for (parsed, name), one in zip(rows, resolved, strict=True):
            outcome.details["erased_before"] += one.is_buried
            if name is not None:
                events.append(self._event(parsed, name, one.profile_id))
                continue
            if one.profile_id is None:
                continue
            known = attributes.setdefault(one.profile_id, {})
            told = {key: value for key, value in traits[parsed.line].items() if known.get(key) != value}
            known.update(told)
            tellers.append((one, bool(told)))
        job = self.job
        changed = write_attributes(connection, job.vault, job.workspace, attributes, job.now, batch_id=job.batch_id)
        note_attributes(connection, job.vault, job.batch_id, changed)
        event_count = append_events(connection, job.vault, job.workspace, events, job.now, batch_id=job.batch_id)
        news_count = sum(one.is_news or (told and one.profile_id in changed) for one, told in tellers)
        outcome.imported_count = event_count + news_count
        outcome.unchanged_count = len(rows) - outcome.imported_count
        outcome.details.update(events=event_count, identified=len(tellers), profiles_changed=len(changed))

    def _event(self, parsed: Parsed, name: str, profile_id: int | None) -> NewEvent:
        record, source = parsed.record, self.job.mapping.source
        key = record.get("message_id") or derived_id("event", *parsed.cells)
        return NewEvent(
            name=name,
            occurred_at=record["occurred_at"],
            source=source,
            key=f"{source}:{key}",
            profile_id=profile_id,
            properties=record["properties"],
            is_historical=self.job.mapping.is_historical,
        )

    def _traits(self, record: Mapping[str, Any], person: dict[IdentityKind, str]) -> dict[str, Any]:
        """The attributes that an `identify` sets; addresses among the traits go to `person`."""
        traits = {
            snake_case(name): value
            for name, value in _document(record.get("traits"), "wrong_traits").items()
            if value is not None
        }
        for kind in (IdentityKind.EMAIL, IdentityKind.PHONE):
            address = traits.pop(kind.value, None)
            if address and kind not in person:
                try:
                    person[kind] = normalise(kind, str(address), self.job.workspace.country)
                except InputError:
                    raise RefusedError(f"wrong_{kind}") from None
        try:
            return check_attributes(self.job.workspace, traits)
        except InputError:
            raise RefusedError("wrong_traits") from None


def _event_name(record: Mapping[str, Any]) -> str | None:
    kind = (record.get("type") or "track").lower()
    if kind == "identify":
        return None
    if kind in _FIXED_NAMES:
        name = _FIXED_NAMES[kind]
    elif kind == "track":
        name = snake_case(record.get("name") or "")
    else:
        raise RefusedError("unknown_type")
    if not name:
        raise RefusedError("missing_name")
    if record["occurred_at"] is None:
        raise RefusedError("missing_date")
    return name


def _person(record: Mapping[str, Any]) -> dict[IdentityKind, str]:
    person = {kind: record[kind] for kind in _IDENTITIES if record.get(kind) is not None}
    if not person:
        raise RefusedError("missing_identity")
    return person


def _document(value: Any, reason: str) -> dict[str, Any]:
    """A document as it is, or as JSON text in a cell."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise RefusedError(reason) from None
    # PostgreSQL holds no NUL, which JSON writes as an escape.
    if not isinstance(value, dict) or b"\\u0000" in msgspec.json.encode(value):
        raise RefusedError(reason)
    return value
