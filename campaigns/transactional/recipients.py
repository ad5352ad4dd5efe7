"""Who the requests of one batch are for: known people, and guests who are made from their address.

A guest's address is unverified and has agreed to nothing. An address of somebody who was erased makes nobody: to be
known again takes a fresh opt-in, which an order is not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from campaigns.message_context import profile_context
from campaigns.transactional.answers import Problem, Refused
from campaigns.transactional.request import Recipient, Submission
from campaigns.transactional.routes import ApiRoute
from core.errors import InputError
from core.runtime import Runtime
from core.vault import Vault
from customers.addresses import normalise
from customers.identities import resolve_each
from customers.ownership import survivors_of
from customers.profiles import find_profile, load_profiles
from customers.tables import IdentityKind, ProfileStatus, profile
from customers.tombstones import Identifier, find_buried
from customers.workspace import Workspace

_ERASED = Refused(
    Problem.ERASED,
    "this belonged to somebody who was erased on request: record their fresh opt-in first, with "
    "`postilion privacy readmit`.",
)
_NOBODY = Refused(Problem.NOBODY, "nobody is known by that: add the address to write to, and the person is made.")
_KINDS = {"email": IdentityKind.EMAIL, "sms": IdentityKind.PHONE, "voice": IdentityKind.PHONE}

Person = Mapping[IdentityKind, str]


@dataclass(frozen=True, slots=True)
class Found:
    """`pinned` is the address that the request names for the template's channel, in its one spelling."""

    profile_id: int
    pinned: str | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    route: ApiRoute
    person: Person  # normalised
    profile_id: int | None

    @property
    def pinned(self) -> str | None:
        kind = _KINDS.get(self.route.channel)
        return self.person.get(kind) if kind else None


def find_recipients(
    connection: Connection, runtime: Runtime, workspace: Workspace, asked: Sequence[tuple[Submission, ApiRoute]]
) -> list[Found | Refused]:
    """Who each request is for, or why nobody is; guests are made, once nothing else stands against it."""
    wanted: list[_Wanted | Refused] = [_read(one.request.to, route, workspace) for one, route in asked]
    buried = _buried(connection, runtime.vault, {one for each in wanted for one in _identifiers(each)})
    wanted = [_ERASED if buried.intersection(_identifiers(each)) else each for each in wanted]
    return _resolve(connection, runtime, _with_needs(connection, runtime, wanted), create=True)


def _read(to: Recipient, route: ApiRoute, workspace: Workspace) -> _Wanted | Refused:
    given = {
        IdentityKind.EXTERNAL_ID: to.external_id,
        IdentityKind.EMAIL: to.email,
        IdentityKind.PHONE: to.phone,
    }
    try:
        person = {kind: normalise(kind, value, workspace.country) for kind, value in given.items() if value}
    except InputError as error:
        return Refused(Problem.ADDRESS, str(error))
    return _Wanted(route, person, to.profile_id)


def _identifiers(one: _Wanted | Refused) -> set[tuple[IdentityKind, str]]:
    return set() if isinstance(one, Refused) else set(one.person.items())


def _with_needs(
    connection: Connection, runtime: Runtime, wanted: Sequence[_Wanted | Refused]
) -> list[_Wanted | Refused]:
    """Refuses those whose template needs what their profile lacks, before anybody is made."""
    needy = [place for place, one in enumerate(wanted) if isinstance(one, _Wanted) and one.route.asks_of("profile")]
    checked = list(wanted)
    if not needy:
        return checked
    known = _resolve(connection, runtime, [wanted[place] for place in needy], create=False)
    ids = {found.profile_id for found in known if isinstance(found, Found)}
    profiles = load_profiles(connection, runtime.vault, sorted(ids))
    for place, found in zip(needy, known, strict=True):
        one = wanted[place]
        assert isinstance(one, _Wanted)
        own = profile_context(profiles[found.profile_id]) if isinstance(found, Found) else {}
        missing = one.route.missing("profile", {**own, **{kind.value: value for kind, value in one.person.items()}})
        if missing:
            text = f"the template {one.route.template!r} needs what the profile lacks: {', '.join(missing)}."
            checked[place] = Refused(Problem.MISSING, text, missing)
    return checked


def _resolve(
    connection: Connection, runtime: Runtime, wanted: Sequence[_Wanted | Refused], *, create: bool
) -> list[Found | Refused]:
    """The profile of each; with `create` a person whose address is given is made."""
    answers: list[Found | Refused | None] = [one if isinstance(one, Refused) else None for one in wanted]
    open_places = [(place, one) for place, one in enumerate(wanted) if isinstance(one, _Wanted)]
    for makes in (True, False):
        group = [(at, one) for at, one in open_places if not one.profile_id and makes is _makes(one, create=create)]
        people = [one.person for _, one in group]
        resolved = resolve_each(connection, runtime.vault, people, runtime.clock.now(), create=makes) if group else []
        for (place, one), found in zip(group, resolved, strict=True):
            answers[place] = Found(found.profile_id, one.pinned) if found.profile_id else _NOBODY
    numbered = {place: one.profile_id for place, one in open_places if one.profile_id}
    standing = _standing(connection, set(numbered.values()))
    for place, number in numbered.items():
        answers[place] = standing.get(number, _NOBODY)
    return [answer for answer in answers if answer is not None]


def _makes(one: _Wanted, *, create: bool) -> bool:
    return create and one.pinned is not None


def _standing(connection: Connection, ids: set[int]) -> dict[int, Found | Refused]:
    """Who stands for our own numbers after merges; nothing can be sealed for somebody whose key was destroyed."""
    survivors = survivors_of(connection, ids)
    query = select(profile.c.id).where(
        profile.c.id.in_(sorted(survivors.values())), profile.c.status == ProfileStatus.ERASED
    )
    erased = set(connection.execute(query).scalars())
    return {asked: _ERASED if number in erased else Found(number, None) for asked, number in survivors.items()}


def _buried(connection: Connection, vault: Vault, identifiers: Collection[Identifier]) -> frozenset[Identifier]:
    """Those that belonged to somebody who was erased, and to nobody since."""
    marked = find_buried(connection, vault, identifiers)
    living = {
        (kind, value)
        for kind, value in marked
        if find_profile(connection, vault, kind, value) is not None  # shared with somebody who stayed
    }
    return marked - living
