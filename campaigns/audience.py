"""The frozen audience of a launch: who is in it, what each one gets, or why somebody gets nothing.

Everybody whom the campaign is for becomes a row. The filters that are known beforehand (address, suppression, consent,
the workspace's own holdout, the zone of a local send) come first and the campaign's holdout last, so that those who are
held out differ from the others by chance alone. Delivery asks again before each attempt.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from campaigns.definition import Campaign
from campaigns.habits import find_habits
from campaigns.message_policy import policy_document
from campaigns.moments import BEST_TIME, best_moment, next_clock
from campaigns.readiness import Route
from campaigns.schedule import NoTimezone, Occurrence, due_for_zone
from campaigns.tables import audience_member
from campaigns.variants import Arm, choose_arm, is_held_out, lay_out, variant_seed
from core.database import insert_ignore
from core.durations import add_calendar
from core.ids import derived_id
from core.vault import Vault
from core.zones import find_zone
from customers.consent import ConsentStatus, consent_of
from customers.suppression import find_suppressed
from customers.tables import IdentityKind, identity, profile
from customers.workspace import Workspace
from delivery.best_time import Habits
from delivery.facts import is_globally_held_out
from delivery.outbox import NewMessage, enqueue
from delivery.policy import Reason
from delivery.tables import MessageKind, OriginKind
from segments.compiling.compiler import Reach, compile_rule
from segments.definition import load_segments, rules_of

MISSED = "missed"  # the moment of a local send had passed for good in the profile's zone
HELD_OUT = "held_out"

# Which address a channel needs, or at least binds its consent to (delivery.facts.address_of).
_ADDRESSES = {
    "email": IdentityKind.EMAIL,
    "letter": IdentityKind.EMAIL,
    "sms": IdentityKind.PHONE,
    "voice": IdentityKind.PHONE,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the members of one launch have in common."""

    launch_id: str
    campaign: Campaign
    workspace: Workspace
    occurrence: Occurrence
    launched_at: datetime
    routes: Mapping[str, Route]
    arms: Sequence[Arm]
    policies: Mapping[str, Mapping[str, Any]]  # by channel

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.workspace.timezone)


@dataclass(slots=True)
class Tally:
    """What was frozen so far; `queued` counts messages by the instant before pacing. Plain data in the launch's row."""

    counts: Counter[str] = field(default_factory=Counter)
    queued: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Tally:
        return cls(Counter(document.get("members", {})), Counter(document.get("queued", {})))

    def as_document(self) -> dict[str, Any]:
        return {"members": dict(self.counts), "queued": dict(self.queued)}


@dataclass(frozen=True, slots=True)
class _Person:
    id: int
    zone: ZoneInfo | None
    lookups: Mapping[str, str]  # by channel


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What becomes of one person: due at an instant, or not, with the reason.

    `asked_at` is when the campaign reaches the person; the message lapses from then on where the hour is chosen.
    """

    person: _Person
    route: Route
    due_at: datetime | None
    reason: str | None
    asked_at: datetime | None = None


def plan_launch(
    campaign: Campaign,
    workspace: Workspace,
    routes: Mapping[str, Route],
    occurrence: Occurrence,
    launch_id: str,
    launched_at: datetime,
) -> Plan:
    policies = {
        channel: policy_document(
            channel,
            quiet_hours=campaign.quiet_hours,
            limits=campaign.limits,
            windows=campaign.windows,
            closed=campaign.closed,
            ignores_quiet_hours=campaign.ignores_quiet_hours,
            ignores_limits=campaign.ignores_limits,
        )
        for channel in {route.channel for route in routes.values()}
    }
    arms = lay_out([(variant.name, variant.weight) for variant in campaign.variants])
    return Plan(launch_id, campaign, workspace, occurrence, launched_at, routes, arms, policies)


def select_audience(connection: Connection, vault: Vault, plan: Plan, *, after: int) -> Sequence[int]:
    """The ids above `after` of everybody whom the campaign is for, in order: eight bytes a person, one query."""
    query = compile_rule(
        plan.campaign.audience,
        now=plan.launched_at,
        workspace=plan.workspace,
        segments=rules_of(load_segments(connection)),
        vault=vault,
        reach=_reach(plan),
    )
    ids = array("q")
    for some in connection.execute(query.where(profile.c.id > after)).scalars().partitions(10_000):
        ids.extend(some)
    return ids


def _reach(plan: Plan) -> Reach:
    """What concerns a contract, such as a recall, also reaches those who objected to marketing."""
    is_service = all(route.kind is MessageKind.TRANSACTIONAL for route in plan.routes.values())
    return Reach.SERVICE if is_service else Reach.MARKETING


def freeze_batch(
    connection: Connection, vault: Vault, plan: Plan, profile_ids: Sequence[int], tally: Tally, now: datetime
) -> None:
    """Write one batch of members and their messages; those that are there already stay as they are."""
    members, messages = [], []
    verdicts = _judge(connection, plan, _people(connection, profile_ids))
    for verdict in _at_their_hour(connection, plan, verdicts):
        message = _message(plan, verdict, _paced(plan, tally, verdict.due_at)) if verdict.due_at else None
        if message is not None:
            messages.append(message)
        tally.counts[verdict.reason or "message"] += 1
        members.append(
            {
                "launch_id": plan.launch_id,
                "profile_id": verdict.person.id,
                "is_holdout": verdict.reason == HELD_OUT,
                "variant": message.variant if message else None,
                "message_id": message.id if message else None,
                "reason": None if verdict.reason == HELD_OUT else verdict.reason,
            }
        )
    enqueue(connection, vault, messages, now)
    insert_ignore(connection, audience_member, members)


def _people(connection: Connection, profile_ids: Sequence[int]) -> list[_Person]:
    zones = connection.execute(select(profile.c.id, profile.c.timezone).where(profile.c.id.in_(profile_ids)))
    timezones = dict(zones.tuples().all())
    kinds = sorted({kind.value for kind in _ADDRESSES.values()})
    query = select(identity.c.profile_id, identity.c.kind, identity.c.lookup).where(
        identity.c.profile_id.in_(profile_ids), identity.c.kind.in_(kinds)
    )
    lookups: dict[int, dict[str, str]] = defaultdict(dict)
    own_last = (identity.c.origin_profile_id.is_(None), identity.c.id)
    for row in connection.execute(query.order_by(*own_last)):  # of several the newest own one, as composing does
        for channel, kind in _ADDRESSES.items():
            if kind == row.kind:
                lookups[row.profile_id][channel] = row.lookup
    return [
        _Person(number, find_zone(timezones[number] or ""), lookups.get(number, {}))
        for number in profile_ids
        if number in timezones
    ]


def _judge(connection: Connection, plan: Plan, people: Sequence[_Person]) -> list[_Verdict]:
    """What becomes of each one: every filter is asked, and after them the holdout."""
    campaign = plan.campaign
    by_variant: dict[str, list[_Person]] = defaultdict(list)
    for person in people:
        by_variant[choose_arm(plan.arms, variant_seed(campaign.slug), person.id)].append(person)
    verdicts = []
    for name, group in by_variant.items():
        route = plan.routes[name]
        refused = _refused(connection, plan, route, group)
        for person in group:
            due_at, reason = (None, refused[person.id]) if person.id in refused else _due(plan, person)
            if due_at is not None and is_held_out(campaign.slug, campaign.holdout, person.id):
                due_at, reason = None, HELD_OUT
            verdicts.append(_Verdict(person, route, due_at, reason))
    return sorted(verdicts, key=lambda verdict: verdict.person.id)


def _refused(connection: Connection, plan: Plan, route: Route, people: Sequence[_Person]) -> dict[int, str]:
    """The first filter that stands against each one, in the order in which delivery asks."""
    lookups = sorted({person.lookups[route.channel] for person in people if route.channel in person.lookups})
    suppressed = find_suppressed(connection, route.channel, lookups)
    is_marketing = route.kind is MessageKind.MARKETING
    consents = consent_of(connection, route.channel, route.topic, lookups, plan.launched_at) if is_marketing else {}
    refused: dict[int, str] = {}
    for person in people:
        lookup = person.lookups.get(route.channel)
        if lookup is None:
            refused[person.id] = Reason.NO_ADDRESS
        elif lookup in suppressed:
            refused[person.id] = Reason.SUPPRESSED
        elif is_marketing and consents.get(lookup) is not ConsentStatus.GRANTED:
            refused[person.id] = Reason.CONSENT
        elif is_marketing and is_globally_held_out(plan.workspace, person.id):
            refused[person.id] = Reason.HOLDOUT
    return refused


def _due(plan: Plan, person: _Person) -> tuple[datetime | None, str | None]:
    """When somebody is due, or the reason why never."""
    send = plan.campaign.send
    if plan.occurrence.wall is None or send is None:
        return max(plan.occurrence.launch_at, plan.launched_at), None
    if person.zone is None and send.no_timezone is NoTimezone.SKIP:
        return None, Reason.NO_TIMEZONE
    due_at = due_for_zone(send, plan.occurrence, person.zone or plan.zone, plan.launched_at)
    return due_at, None if due_at is not None else MISSED


def _at_their_hour(connection: Connection, plan: Plan, verdicts: Sequence[_Verdict]) -> list[_Verdict]:
    """The verdicts with the hour of each person, where the campaign says `send_at`."""
    send_at = plan.campaign.send_at
    if send_at is None:
        return list(verdicts)
    reached = [verdict.person.id for verdict in verdicts if verdict.due_at is not None]
    habits = find_habits(connection, reached, plan.zone, plan.launched_at) if send_at == BEST_TIME else {}
    return [_at_own_hour(plan, verdict, habits) for verdict in verdicts]


def _at_own_hour(plan: Plan, verdict: _Verdict, habits: Mapping[int, Habits]) -> _Verdict:
    send_at, at, person = plan.campaign.send_at, verdict.due_at, verdict.person
    if at is None:
        return verdict
    if isinstance(send_at, time):
        return replace(verdict, due_at=next_clock(at, send_at, person.zone or plan.zone))
    channel = verdict.route.channel
    due_at = best_moment(
        at,
        habits[person.id],
        person.zone,
        plan.zone,
        policy=plan.policies[channel],
        workspace=plan.workspace,
        channel=channel,
        expires_after=plan.campaign.expires_after,
    )
    return replace(verdict, due_at=due_at, asked_at=at)


def _paced(plan: Plan, tally: Tally, due_at: datetime) -> datetime:
    """`due_at` spread out by the campaign's own pace."""
    key = due_at.isoformat()
    place = tally.queued[key]
    tally.queued[key] += 1
    pace = plan.campaign.throttle
    return due_at + pace.per * place // pace.messages if pace else due_at


def _message(plan: Plan, verdict: _Verdict, due_at: datetime) -> NewMessage:
    campaign, person, route = plan.campaign, verdict.person, verdict.route
    expires_after = campaign.expires_after
    return NewMessage(
        id=derived_id(plan.launch_id, person.id, route.channel),
        profile_id=person.id,
        channel=route.channel,
        topic=route.topic,
        template=route.template,
        origin_kind=OriginKind.CAMPAIGN,
        origin=campaign.slug,
        origin_id=plan.launch_id,
        due_at=due_at,
        kind=route.kind,
        sender=route.sender,
        variant=route.variant or None,
        priority=campaign.priority,
        expires_at=(
            add_calendar(verdict.asked_at or due_at, expires_after, person.zone or plan.zone) if expires_after else None
        ),
        policy=plan.policies[route.channel],
    )
