"""What an import of customers would do: who is new, what changes, where rows contradict each other or what is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from core.database import batches
from customers.attribute_rows import COLUMN_ATTRIBUTES, is_personal
from customers.consent import ConsentStatus, NewConsent, consent_of
from customers.identities import resolve_each
from customers.imports import consent_words
from customers.imports.batch import Batch
from customers.imports.dry_examples import Change, Tally, masked_address, shown
from customers.imports.job import Job
from customers.imports.people import People, PeopleReader
from customers.imports.seen_rows import SeenRows
from customers.profiles import Profile, load_profiles
from customers.tables import IdentityKind, consent_entry, identity
from customers.tombstones import find_buried

_LOOKUP_BATCH = 5_000
_DIGEST = 6
_ADDRESSES = (IdentityKind.EMAIL, IdentityKind.PHONE)
_COUNTS = ("new_profiles", "changed", "unchanged", "repeated_rows", "conflicts", "two_external_ids_for_one_address")


@dataclass(frozen=True, slots=True)
class _Known:
    """Who has the identifiers of a batch now, by kind and lookup; and the external ids of those."""

    owners: Mapping[tuple[str, str], list[int]]
    external_ids: Mapping[int, set[str]]


class PeoplePreview:
    """Keeps of each person in the file: the hash of the external id, and of each value its row gave."""

    def __init__(self, job: Job, seen: SeenRows, tally: Tally) -> None:
        self._job = job
        self._seen = seen
        self._tally = tally
        self._reader = PeopleReader(job)
        self._has_withdrawals = False
        self._names = [name for name in job.mapping.columns if not name.startswith("consent.")]
        tally.counts.update(dict.fromkeys(_COUNTS, 0))

    def look(self, connection: Connection, batch: Batch) -> None:
        people = self._reader.read(batch)
        self._tally.refuse(people.refused)
        vault, now = self._job.vault, self._job.now
        resolved = resolve_each(connection, vault, people.people, now, create=False, lookups=people.lookups)
        known = [one.profile_id for one in resolved]
        owners = _owners(connection, people)
        profiles = load_profiles(connection, vault, {number for number in known if number is not None})
        names = _external_ids(connection, {owner for found in owners.values() for owner in found})
        buried = self._buried(connection, people, known)
        spoken = self._consents(connection, people)
        self._seen.load(key for place in range(len(known)) for key in self._keys(people, place).values())
        for place, number in enumerate(known):
            if place in buried:
                self._tally.counts["erased_before"] += 1
                continue
            profile = profiles.get(number) if number is not None else None
            self._row(people, place, profile, _Known(owners, names), has_news=place in spoken)

    def _row(self, people: People, place: int, profile: Profile | None, known: _Known, *, has_news: bool) -> None:
        token, is_repeated, is_shared = self._find(people, place, profile)
        if is_shared or _is_anothers(people, place, profile, known):
            self._note(people, place, "two_external_ids_for_one_address")
        given = self._given(people, place)
        against = self._compare(token, given)
        if is_repeated:
            self._tally.counts["repeated_rows"] += 1
            if against:
                earlier = "an earlier row says otherwise"
                self._note(
                    people, place, "conflicts", [(one, earlier, self._shown(one, given[one])) for one in against]
                )
            return
        if profile is None:
            self._note(people, place, "new_profiles", [(one, None, self._shown(one, given[one])) for one in given])
            return
        changes = list(self._changes(people, place, profile, known))
        if changes or has_news:
            self._note(people, place, "changed", changes)
        else:
            self._tally.counts["unchanged"] += 1

    def _note(self, people: People, place: int, what: str, changes: Sequence[Change] = ()) -> None:
        self._tally.counts[what] += 1
        if self._tally.wants(what):
            self._tally.show(people.lines[place], what, _who(people.people[place]), changes)

    # -- the same person in the file ------------------------------------------------------------------------------

    def _keys(self, people: People, place: int) -> dict[str, bytes]:
        return {kind: self._seen.hash(kind, lookup) for kind, lookup in people.lookups[place].items()}

    def _find(self, people: People, place: int, profile: Profile | None) -> tuple[bytes, bool, bool]:
        """Whom the row means within the file; whether an earlier row meant the same; whether an address is shared.

        As in `identities`: by name first, then by an address whose owner bears no other name.
        """
        keys = self._keys(people, place)
        name = keys.get(IdentityKind.EXTERNAL_ID)
        token = self._seen.hash("profile", profile.id) if profile else self._seen.get(name) if name else None
        is_shared = False
        for kind in _ADDRESSES:
            owner = self._seen.get(keys[kind]) if kind in keys else None
            if owner is None or owner == token:
                continue
            theirs = (self._seen.get(owner) or b"")[:12]
            if name is not None and theirs.strip(b"\0") and theirs != name:
                is_shared = True
            elif token is None:
                token = owner
        if token is None:
            token = self._seen.hash("line", people.lines[place])
            self._seen.put(token, b"")
        is_repeated = bool(self._seen.get(token))
        for key in keys.values():
            if self._seen.get(key) is None:
                self._seen.put(key, token)
        if name is not None or not is_repeated:
            before = self._seen.get(token) or bytes(12)
            self._seen.put(token, (name or before[:12]) + before[12:])
        return token, is_repeated, is_shared

    def _compare(self, token: bytes, given: Mapping[str, Any]) -> list[str]:
        """The values that say something else than an earlier row about the same person; the later one is kept."""
        stored = self._seen.get(token) or bytes(12)
        size = 2 + _DIGEST
        pieces = [stored[at : at + size] for at in range(12, len(stored), size)]
        before = {int.from_bytes(piece[:2], "big"): piece[2:] for piece in pieces}
        now = {self._names.index(name): self._seen.hash(value)[:_DIGEST] for name, value in given.items()}
        against = [self._names[number] for number, digest in now.items() if before.get(number, digest) != digest]
        both = before | now
        self._seen.put(
            token, stored[:12] + b"".join(number.to_bytes(2, "big") + both[number] for number in sorted(both))
        )
        return against

    # -- what is known already ------------------------------------------------------------------------------------

    def _given(self, people: People, place: int) -> dict[str, Any]:
        """What the row says: addresses and attributes."""
        accounts = people.accounts[place] if people.accounts else {}
        who = {kind.value: value for kind, value in people.people[place].items()}
        return who | people.attributes[place] | accounts

    def _changes(self, people: People, place: int, profile: Profile, known: _Known) -> Iterator[Change]:
        present = {kind: one.value for kind, one in (("email", profile.email), ("phone", profile.phone)) if one}
        present |= {"external_id": profile.external_id} if profile.external_id else {}
        for kind, lookup in people.lookups[place].items():
            if profile.id not in known.owners.get((kind, lookup), ()):
                old, new = present.get(kind), people.people[place][kind]
                yield kind, self._shown(kind, old), self._shown(kind, new)
        for name, value in people.attributes[place].items():
            old = getattr(profile, name) if name in COLUMN_ATTRIBUTES else profile.attributes.get(name)
            if old != value:
                yield name, self._shown(name, old), self._shown(name, value)

    def _shown(self, name: str, value: Any) -> str | None:
        if value is not None and name in _ADDRESSES:
            return masked_address(name, value)
        is_plain = name in COLUMN_ATTRIBUTES or name in (IdentityKind.EXTERNAL_ID, "account", "account_role")
        return shown(value, is_personal=not is_plain and is_personal(self._job.workspace, name))

    def _buried(self, connection: Connection, people: People, known: list[int | None]) -> set[int]:
        """The rows whose every identifier belonged to somebody who was erased."""
        unknown = {place: set(people.people[place].items()) for place, one in enumerate(known) if one is None}
        every = {pair for pairs in unknown.values() for pair in pairs}
        buried = find_buried(connection, self._job.vault, every)
        return {place for place, pairs in unknown.items() if pairs <= buried}

    def _consents(self, connection: Connection, people: People) -> set[int]:
        """The rows with a consent that would be new; grants that would be refused are counted."""
        job, counts = self._job, self._tally.counts
        if not people.statements and not people.consents_without_address:
            return set()
        counts["consents_without_address"] += people.consents_without_address
        entries: dict[str, tuple[NewConsent, int]] = {}
        for said in people.statements:
            entry = consent_words.entry(
                job.mapping.source, said.lookup, said.channel, said.topic, said.status, said.at, None
            )
            entries.setdefault(entry.key, (entry, said.place))
        there: set[str] = set()
        for some in batches(list(entries), _LOOKUP_BATCH):
            there.update(connection.execute(select(consent_entry.c.key).where(consent_entry.c.key.in_(some))).scalars())
        news: set[int] = set()
        for channel, topic in sorted({(entry.channel, entry.topic) for entry, _ in entries.values()}):
            those = [pair for pair in entries.values() if (pair[0].channel, pair[0].topic) == (channel, topic)]
            states = consent_of(connection, channel, topic, [entry.lookup for entry, _ in those], job.now)
            for entry, _ in those:
                if entry.status is ConsentStatus.WITHDRAWN:
                    self._has_withdrawals = True
                    self._seen.put(self._seen.hash("no", channel, topic, entry.lookup), b"\1")
            for entry, place in those:
                is_denied = states[entry.lookup] is ConsentStatus.WITHDRAWN or (
                    self._has_withdrawals
                    and self._seen.get(self._seen.hash("no", channel, topic, entry.lookup)) is not None
                )
                if entry.status is ConsentStatus.GRANTED and is_denied:
                    counts["consents_refused_because_withdrawn"] += 1
                elif entry.key not in there:
                    counts["consents"] += 1
                    news.add(place)
        return news


def _is_anothers(people: People, place: int, profile: Profile | None, known: _Known) -> bool:
    """Whether somebody else, with another name, has an address of this row already."""
    name = people.people[place].get(IdentityKind.EXTERNAL_ID)
    holders = {
        holder
        for kind in _ADDRESSES
        for holder in known.owners.get((kind, people.lookups[place].get(kind, "")), ())
        if profile is None or holder != profile.id
    }
    return name is not None and any(known.external_ids.get(holder, set()) - {name} for holder in holders)


def _owners(connection: Connection, people: People) -> dict[tuple[str, str], list[int]]:
    """Who has each identifier now, by kind and lookup."""
    found: dict[tuple[str, str], list[int]] = {}
    for kind in (IdentityKind.EXTERNAL_ID, *_ADDRESSES):
        lookups = sorted({person[kind] for person in people.lookups if kind in person})
        for some in batches(lookups, _LOOKUP_BATCH):
            query = select(identity.c.lookup, identity.c.profile_id)
            rows = connection.execute(query.where(identity.c.kind == kind.value, identity.c.lookup.in_(some)))
            for lookup, profile_id in rows:
                found.setdefault((kind, lookup), []).append(profile_id)
    return found


def _external_ids(connection: Connection, profile_ids: set[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for some in batches(sorted(profile_ids), _LOOKUP_BATCH):
        query = select(identity.c.profile_id, identity.c.lookup)
        is_name = identity.c.kind == IdentityKind.EXTERNAL_ID.value
        for profile_id, name in connection.execute(query.where(is_name, identity.c.profile_id.in_(some))):
            found.setdefault(profile_id, set()).add(name)
    return found


def _who(person: Mapping[IdentityKind, str]) -> str:
    kind, value = next(iter(person.items()))
    return value if kind == IdentityKind.EXTERNAL_ID else masked_address(kind, value)
