"""Events in the shape of the event specification (identify, track, page, screen), or as plain columns, become the log.

`Product Viewed` is product_viewed, a page is page_viewed. `identify` says who a visitor is and sets attributes; it is
no event. A row without an id of its own is known by its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from core.errors import InputError
from core.ids import derived_id
from customers.addresses import normalise
from customers.identities import Linking, Resolved, resolve_each
from customers.imports.job import Job, Outcome, SimpleImporter
from customers.imports.rows import Parsed, Parser, RowParser, identifier_parser, instant_parser, text_parser
from customers.imports.sources import Batch
from customers.imports.values import RefusedError
from customers.log import NewEvent, append_events
from customers.profiles import check_attributes, set_attributes_of_all
from customers.tables import IdentityKind
from customers.words import snake_case

_IDENTITIES = (IdentityKind.EXTERNAL_ID, IdentityKind.EMAIL, IdentityKind.PHONE, IdentityKind.VISITOR)
_FIXED_NAMES = {"page": "page_viewed", "screen": "screen_viewed"}


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

    def import_batch(self, connection: Connection, batch: Batch) -> Outcome:
        records, refused = self._parser.records(batch)
        outcome = Outcome(refused=refused)
        rows: list[tuple[Parsed, str | None]] = []  # with the name of the event, None for identify
        people, linking = [], []
        traits: dict[int, dict[str, Any]] = {}
        for parsed in records:
            try:
                name = _event_name(parsed.record)
                properties = _document(parsed.record.get("properties"), "wrong_properties")
                person = _person(parsed.record)
                if name is None:
                    traits[parsed.line] = self._traits(parsed.record, person)
            except RefusedError as reason:
                outcome.refused.append(parsed.refused(reason.reason))
                continue
            parsed.record["properties"] = properties
            rows.append((parsed, name))
            people.append(person)
            linking.append(Linking.STRONG if name is None else Linking.WEAK)
        resolved = resolve_each(connection, self.job.vault, people, self.job.now, linking=linking)
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
            assert one.profile_id is not None
            if name is not None:
                events.append(self._event(parsed, name, one.profile_id))
                continue
            known = attributes.setdefault(one.profile_id, {})
            told = {key: value for key, value in traits[parsed.line].items() if known.get(key) != value}
            known.update(told)
            tellers.append((one, bool(told)))
        changed = set_attributes_of_all(connection, self.job.vault, self.job.workspace, attributes, self.job.now)
        event_count = append_events(connection, self.job.vault, self.job.workspace, events, self.job.now)
        news_count = sum(one.is_news or (told and one.profile_id in changed) for one, told in tellers)
        outcome.imported_count = event_count + news_count
        outcome.unchanged_count = len(rows) - outcome.imported_count
        outcome.details.update(events=event_count, identified=len(tellers), profiles_changed=len(changed))

    def _event(self, parsed: Parsed, name: str, profile_id: int) -> NewEvent:
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
