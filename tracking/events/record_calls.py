"""Takes the calls of one request into the customer view: people, attributes, events, orders.

Each call is checked before anything is written, so that one that makes no sense leaves no trace but its reason. The
same call sent twice changes nothing: events and orders are known by their key, identifications by their message id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import structs
from sqlalchemy import Connection

from core.database import insert_ignore
from core.errors import InputError
from core.vault import Vault
from customers.log import NewEvent, append_events
from customers.orders import NewOrder, record_orders
from customers.profiles import check_attributes
from customers.stated import Statement, learn_statements
from customers.tables import IdentityKind, event_key
from customers.workspace import Workspace
from tracking.events.aliases import known_previous, propose_aliases
from tracking.events.event_mapping import ORDER_COMPLETED, event_name, read_traits, to_event, to_order
from tracking.events.event_spec import Call, CallKind, Left
from tracking.events.group_calls import Joining, Remark, join_accounts
from tracking.events.people import Owner, Person, Resolved, Trust, read_person, resolve_people
from tracking.events.quarantine import keep_refused
from tracking.events.write_keys import WriteKey

_TOGETHER: Final = timedelta(seconds=1)


class CallBatch(msgspec.Struct, frozen=True):
    """The readable calls of one request with their places in it, who posted them, and what could not be read."""

    calls: tuple[tuple[int, Call], ...]
    posted_by: WriteKey
    received_at: datetime
    unreadable: tuple[Left, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """How many calls were taken, which were left out, and what was passed over within those that were taken."""

    accepted: int
    left: tuple[Left, ...] = ()
    remarks: tuple[str, ...] = ()


class _Checked(msgspec.Struct, frozen=True):
    index: int
    call: Call
    person: Person
    meaning: NewEvent | NewOrder | None  # None for identify and alias
    said_to_be: str | None = None  # a known user whom an alias takes for the same person


def record_calls(connection: Connection, vault: Vault, workspace: Workspace, batch: CallBatch) -> Taken:
    """Store the calls of one request in their order; those that cannot be taken go into quarantine."""
    return record_all_calls(connection, vault, workspace, [batch])[0]


def record_all_calls(
    connection: Connection, vault: Vault, workspace: Workspace, batches: Sequence[CallBatch]
) -> list[Taken]:
    """`record_calls` for many requests, in their order: those of one sender that came together are stored together."""
    answers = []
    for together in _gather(batches):
        calls = [call for batch in together for _, call in batch.calls]
        merged = CallBatch(tuple(enumerate(calls)), together[0].posted_by, together[-1].received_at)
        left, remarks = _record(connection, vault, workspace, merged)
        for batch, taken in zip(together, _apart(together, left, remarks), strict=True):
            refused = [*batch.unreadable, *taken.left]
            keep_refused(connection, vault, batch.posted_by.name, refused, batch.received_at)
            answers.append(taken)
    return answers


def _apart(batches: Sequence[CallBatch], left: Sequence[Left], remarks: Sequence[Remark]) -> list[Taken]:
    """What became of each request, whose calls were numbered through to be stored together."""
    places = [(number, index) for number, batch in enumerate(batches) for index, _ in batch.calls]
    left_of: list[list[Left]] = [[] for _ in batches]
    said_of: list[list[str]] = [[] for _ in batches]
    for one in left:
        number, index = places[one.index]
        left_of[number].append(structs.replace(one, index=index))
    for place, words in remarks:
        said_of[places[place][0]].append(words)
    return [
        Taken(len(batch.calls) - len(mine), tuple(mine), tuple(said))
        for batch, mine, said in zip(batches, left_of, said_of, strict=True)
    ]


def _gather(batches: Sequence[CallBatch]) -> Iterator[list[CallBatch]]:
    """Neighbours of one sender that were received within a second, so that they may share the instant of the last."""
    together: list[CallBatch] = []
    for batch in batches:
        if together and (
            batch.posted_by != together[0].posted_by
            or not timedelta() <= batch.received_at - together[0].received_at <= _TOGETHER
            or batch.received_at < together[-1].received_at
        ):
            yield together
            together = []
        together.append(batch)
    if together:
        yield together


def _record(
    connection: Connection, vault: Vault, workspace: Workspace, batch: CallBatch
) -> tuple[list[Left], list[Remark]]:
    """Store the calls; answers which were left out, and what was passed over within the others."""
    checked: list[_Checked] = []
    left: list[Left] = []
    users = known_previous(connection, [call for _, call in batch.calls])
    for index, call in batch.calls:
        try:
            checked.append(_check(vault, workspace, index, call, batch.posted_by, users))
        except InputError as error:
            left.append(Left(index, str(error), msgspec.json.encode(call).decode()))
    resolved = resolve_people(connection, vault, [item.person for item in checked], batch.received_at)
    profile_ids = [owner.profile_id for owner in resolved.owners]
    remarks = [(item.index, words) for item in checked for words in item.person.refused]
    remarks += _learn_attributes(connection, vault, workspace, checked, resolved, batch)
    remarks += join_accounts(connection, _joinings(checked, profile_ids), batch.received_at)
    _store(connection, vault, workspace, checked, resolved.owners, batch)
    aliases = [
        (item.said_to_be, profile_id)
        for item, profile_id in zip(checked, profile_ids, strict=True)
        if item.said_to_be is not None and profile_id is not None
    ]
    propose_aliases(connection, aliases, batch.received_at)
    return left, remarks


def _check(
    vault: Vault, workspace: Workspace, index: int, call: Call, posted_by: WriteKey, users: Collection[str]
) -> _Checked:
    person = read_person(vault, call, posted_by.kind, workspace.country)
    if call.kind is CallKind.IDENTIFY:
        return _Checked(index, call, person, None)
    if call.kind is CallKind.ALIAS:
        if call.previous_id is None or call.user_id is None:
            raise InputError("an alias names a previousId and a userId.")
        previous = call.previous_id.strip()
        if previous not in users or IdentityKind.EXTERNAL_ID not in person.identifiers:
            return _Checked(index, call, person, None)
        if person.trust is not Trust.FULL:
            raise InputError("its previousId is a known user: a public key says nothing about who is whom.")
        named = {IdentityKind.EXTERNAL_ID: person.identifiers[IdentityKind.EXTERNAL_ID]}
        return _Checked(index, call, structs.replace(person, identifiers=named), None, said_to_be=previous)
    if call.kind is CallKind.TRACK and event_name(call) == ORDER_COMPLETED:
        return _Checked(index, call, person, to_order(call, posted_by.name, workspace.currency))
    return _Checked(index, call, person, to_event(call, posted_by.name))


def _joinings(checked: Sequence[_Checked], profile_ids: Sequence[int | None]) -> list[Joining]:
    return [
        Joining(item.index, item.call, item.meaning.key, profile_id, item.person.trust)
        for item, profile_id in zip(checked, profile_ids, strict=True)
        if item.call.kind is CallKind.GROUP and item.meaning is not None
    ]


def _learn_attributes(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    checked: Sequence[_Checked],
    resolved: Resolved,
    batch: CallBatch,
) -> list[Remark]:
    """Set what new identifications say about people; answers what did not fit."""
    identified = [
        (item, owner)
        for item, owner in zip(checked, resolved.owners, strict=True)
        if item.call.kind is CallKind.IDENTIFY and owner.profile_id is not None
    ]
    source = batch.posted_by.name
    keys = [{"key": f"{source}:{item.call.key}", "received_at": batch.received_at} for item, _ in identified]
    new = {key for (key,) in insert_ignore(connection, event_key, keys, returning=["key"])}
    said: list[Statement] = []
    remarks: list[Remark] = []
    for item, owner in identified:
        key, values = f"{source}:{item.call.key}", {}
        if key not in new or owner.profile_id is None:
            continue
        new.discard(key)
        for name, value in read_traits(item.call.traits).attributes.items():
            try:
                values.update(check_attributes(workspace, {name: value}))
            except InputError as error:
                remarks.append((item.index, str(error)))
        is_claimed = item.person.trust is Trust.NEW_PEOPLE_ONLY
        at = item.call.occurred_at
        said.append(Statement(owner.profile_id, owner.visitor_id, at, key, is_claimed, values))
    learn_statements(connection, vault, workspace, said, batch.received_at, restated=resolved.restated)
    return remarks


def _store(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    checked: Sequence[_Checked],
    owners: Sequence[Owner],
    batch: CallBatch,
) -> None:
    meanings = [
        replace(item.meaning, profile_id=owner.profile_id, visitor_id=owner.visitor_id)
        for item, owner in zip(checked, owners, strict=True)
        if item.meaning is not None
    ]
    events = [meaning for meaning in meanings if isinstance(meaning, NewEvent)]
    orders = [meaning for meaning in meanings if isinstance(meaning, NewOrder)]
    append_events(connection, vault, workspace, events, batch.received_at)
    record_orders(connection, vault, workspace, orders, source=batch.posted_by.name, received_at=batch.received_at)
