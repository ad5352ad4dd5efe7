"""Conditions on consent: the state of a profile's addresses for one channel and topic.

A profile with several addresses counts as granted when one of them is; otherwise as denied when one of them is. Who is
which is worked out once for a rule and joined, because a look-up for each profile goes through the history each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CTE, Select, and_, false, not_, select, true

from customers.consent import denied_lookups, granted_lookups
from customers.tables import IdentityKind, consent_entry, identity
from segments.compiling.values import Predicate
from segments.language.rules import ConsentAnswer, ConsentRule

ADDRESS_OF: Mapping[str, IdentityKind] = {
    "email": IdentityKind.EMAIL,
    "letter": IdentityKind.EMAIL,
    "sms": IdentityKind.PHONE,
    "voice": IdentityKind.PHONE,
}
CHANNELS = frozenset(ADDRESS_OF)


@dataclass(frozen=True, slots=True)
class _Group:
    """The people with an address in one state."""

    channel: str
    topic: str
    answer: ConsentAnswer


class Consents:
    """The groups of people that `rules` ask about; `tables` has one for each, to be outer-joined by `profile_id`."""

    def __init__(self, rules: Iterable[ConsentRule], now: datetime, batch: Sequence[int] | None) -> None:
        groups = dict.fromkeys(group for rule in rules for group in _groups(rule))
        self._tables = {
            group: _people(group, now, batch).cte(f"{group.answer}_{number}")
            for number, group in enumerate(groups, start=1)
        }

    @property
    def tables(self) -> list[CTE]:
        return list(self._tables.values())

    def predicate(self, rule: ConsentRule) -> Predicate:
        """Exactly one of granted, denied and unknown holds for a profile; without an address it is unknown."""
        groups = _groups(rule)
        if not groups:
            return true() if rule.answer is ConsentAnswer.UNKNOWN else false()
        granted, *denied = [self._tables[group].c.profile_id.is_not(None) for group in groups]
        if rule.answer is ConsentAnswer.GRANTED:
            return granted
        return and_(not_(granted), *(denied if rule.answer is ConsentAnswer.DENIED else map(not_, denied)))


def _groups(rule: ConsentRule) -> list[_Group]:
    """Whom one has to know of; nobody for a channel that has no consent."""
    if rule.channel not in ADDRESS_OF:
        return []
    answers = [ConsentAnswer.GRANTED] if rule.answer is ConsentAnswer.GRANTED else list(_KNOWN)
    return [_Group(rule.channel, rule.topic, answer) for answer in answers]


_KNOWN = {ConsentAnswer.GRANTED: granted_lookups, ConsentAnswer.DENIED: denied_lookups}


def _people(group: _Group, now: datetime, batch: Sequence[int] | None) -> Select[tuple[int]]:
    address = identity.c
    lookups = _KNOWN[group.answer](group.channel, group.topic, now)
    kind = ADDRESS_OF[group.channel].value
    if batch is None:
        people = select(address.profile_id).where(address.kind == kind)
    else:
        # The history of a few people, not of everybody. SQLite would walk its index of all addresses of a kind; the
        # concatenation leaves it only the index by profile.
        people = select(address.profile_id).where(address.kind.concat("") == kind, address.profile_id.in_(batch))
        lookups = lookups.where(consent_entry.c.lookup.in_(people.with_only_columns(address.lookup)))
    return people.where(address.lookup.in_(lookups)).group_by(address.profile_id)
