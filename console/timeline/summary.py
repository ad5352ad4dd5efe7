"""Who a customer is at this moment: names, addresses, consents, orders, segments, journeys and open tasks.

Everything personal is opened, because it is for a person who is allowed to read it, or for somebody's own system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from core.errors import NotFoundError
from core.vault import Vault
from customers.account_tables import account, account_member
from customers.consent import WHOLE_CHANNEL, ConsentStatus, consent_of
from customers.profiles import Address, get_profile
from customers.suppression import find_suppressed
from customers.tables import ProfileStatus, consent_entry, customer_order, identity, profile
from customers.task_tables import task
from customers.workspace import Workspace
from journeys.tables import EnrolmentStatus, enrolment
from segments.tables import membership

_OPEN_TASKS = ("open", "in_progress")
_CHANNEL_OF = {"email": "email", "phone": "sms"}


@dataclass(frozen=True, slots=True)
class Identifier:
    kind: str
    value: str = field(repr=False)
    suppressed: str | None = None  # why nothing is sent to it


@dataclass(frozen=True, slots=True)
class Consent:
    """The state for one channel and topic; `since` and `source` are those of the entry that decided."""

    channel: str
    topic: str
    topic_name: str
    status: ConsentStatus
    since: datetime | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Orders:
    """Returns are subtracted from `total` (minor units) and do not count; who only returned has no instants."""

    currency: str
    count: int
    total: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Passage:
    journey: str
    step: str | None
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class OpenTask:
    id: str
    kind: str
    title: str = field(repr=False)
    team: str | None
    assignee: str | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Membership:
    """One account of the customer's."""

    key: str
    name: str
    role: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Of an erased or merged profile only `id`, `status` and `merged_into` say something."""

    id: int
    status: ProfileStatus
    merged_into: int | None
    objected_at: datetime | None
    created_at: datetime
    timezone: str | None = None
    country: str | None = None
    locale: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    identifiers: Sequence[Identifier] = ()
    consents: Sequence[Consent] = ()
    orders: Sequence[Orders] = ()
    segments: Sequence[str] = ()
    journeys: Sequence[Passage] = ()
    tasks: Sequence[OpenTask] = ()
    accounts: Sequence[Membership] = ()

    @property
    def name(self) -> str:
        """What to call the customer: the name where one is known, else an address, else the number."""
        parts = [str(self.attributes[key]) for key in ("first_name", "last_name") if self.attributes.get(key)]
        if parts:
            return " ".join(parts)
        return next((one.value for one in self.identifiers if one.kind != "visitor"), f"Profile {self.id}")


def summarise(connection: Connection, vault: Vault, workspace: Workspace, profile_id: int, now: datetime) -> Summary:
    """Raises NotFoundError when there is no such profile."""
    row = connection.execute(select(profile).where(profile.c.id == profile_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no profile {profile_id}: check the number.")
    status = ProfileStatus(row.status)
    if status in (ProfileStatus.ERASED, ProfileStatus.MERGED):
        return Summary(row.id, status, row.merged_into, row.objected_at, row.created_at)
    person = get_profile(connection, vault, profile_id)
    addresses = {kind: found for kind in ("email", "phone") if (found := getattr(person, kind)) is not None}
    return Summary(
        id=row.id,
        status=status,
        merged_into=row.merged_into,
        objected_at=row.objected_at,
        created_at=row.created_at,
        timezone=row.timezone,
        country=row.country,
        locale=row.locale,
        attributes=dict(sorted(person.attributes.items())),
        identifiers=_identifiers(connection, vault, profile_id),
        consents=_consents(connection, workspace, addresses, now),
        orders=_orders(connection, profile_id),
        segments=connection.scalars(
            select(membership.c.segment).where(membership.c.profile_id == profile_id).order_by(membership.c.segment)
        ).all(),
        journeys=_journeys(connection, profile_id),
        tasks=_tasks(connection, vault, profile_id),
        accounts=_accounts(connection, profile_id),
    )


def _identifiers(connection: Connection, vault: Vault, profile_id: int) -> list[Identifier]:
    """The newest first of each kind, which is the one that is written to."""
    query = select(identity).where(identity.c.profile_id == profile_id).order_by(identity.c.kind, identity.c.id.desc())
    found = []
    for row in connection.execute(query):
        value, suppressed = row.lookup, None
        if row.sealed is not None:
            value = vault.open(row.origin_profile_id or row.profile_id, f"identity.{row.kind}", row.sealed)
            suppressed = find_suppressed(connection, _CHANNEL_OF[row.kind], [row.lookup]).get(row.lookup)
        found.append(Identifier(row.kind, value, suppressed))
    return found


def _consents(
    connection: Connection, workspace: Workspace, addresses: Mapping[str, Address], now: datetime
) -> list[Consent]:
    """Each channel that the customer can be reached by, with each topic; what needs no consent, only if withdrawn."""
    states = []
    for kind, address in addresses.items():
        channel = _CHANNEL_OF[kind]
        for slug, topic in workspace.topics.items():
            status = consent_of(connection, channel, slug, [address.lookup], now)[address.lookup]
            if topic.kind != "marketing" and status is not ConsentStatus.WITHDRAWN:
                continue
            since, source = _decider(connection, address.lookup, channel, slug, status)
            states.append(Consent(channel, slug, topic.name, status, since, source))
    return states


def _decider(
    connection: Connection, lookup: str, channel: str, topic: str, status: ConsentStatus
) -> tuple[datetime | None, str | None]:
    entry = consent_entry.c
    query = (
        select(entry.occurred_at, entry.source)
        .where(
            entry.lookup == lookup,
            entry.channel == channel,
            entry.topic.in_([topic, WHOLE_CHANNEL]),
            entry.status == status.value,
        )
        .order_by(entry.occurred_at.desc(), entry.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return (row.occurred_at, row.source) if row else (None, None)


def _orders(connection: Connection, profile_id: int) -> list[Orders]:
    order = customer_order.c
    placed = order.kind == "order"
    query = (
        select(
            order.currency,
            func.count().filter(placed),
            func.sum(order.total),
            func.min(order.placed_at).filter(placed),
            func.max(order.placed_at).filter(placed),
        )
        .where(order.profile_id == profile_id)
        .group_by(order.currency)
        .order_by(order.currency)
    )
    return [
        Orders(currency, count, int(total), first, last)
        for currency, count, total, first, last in connection.execute(query)
    ]


def _journeys(connection: Connection, profile_id: int) -> list[Passage]:
    run = enrolment.c
    query = select(run.journey, run.step, run.entered_at).where(
        run.profile_id == profile_id, run.status == EnrolmentStatus.ACTIVE.value
    )
    return [Passage(*row) for row in connection.execute(query.order_by(run.journey, run.entered_at))]


def _tasks(connection: Connection, vault: Vault, profile_id: int) -> list[OpenTask]:
    query = select(task).where(task.c.profile_id == profile_id, task.c.status.in_(_OPEN_TASKS))
    rows = connection.execute(query.order_by(task.c.created_at)).all()
    return [
        OpenTask(
            row.id,
            row.kind,
            vault.open(row.origin_profile_id or row.profile_id, "task.title", row.sealed_title),
            row.team,
            row.assignee,
            row.due_at,
        )
        for row in rows
    ]


def _accounts(connection: Connection, profile_id: int) -> list[Membership]:
    query = (
        select(account.c.key, account.c.name, account_member.c.role)
        .join(account_member, account_member.c.account_id == account.c.id)
        .where(account_member.c.profile_id == profile_id, account_member.c.until.is_(None))
        .order_by(account.c.name)
    )
    return [Membership(*row) for row in connection.execute(query)]
