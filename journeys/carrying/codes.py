"""Voucher codes of the people in journeys: drawn with an offer, and put back when nobody got to see them.

A code belongs to the enrolment that drew it. It is with its person for good once a message has taken it along, or once
a step has written it elsewhere: into an event, an attribute, a task, another journey or a call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from campaigns.webhook_calls import WEBHOOK
from journeys.answers import Scene
from journeys.tables import EnrolmentStatus, enrolment
from journeys.transition import (
    CreateTask,
    EmitEvent,
    EnqueueMessage,
    Enrolment,
    SetAttributes,
    StartJourney,
    Transition,
)
from recommender.codes.drawing import Draw, draw_codes, draw_id
from recommender.codes.returning import hand_over_codes, settle_codes
from recommender.offer_definition import Offer
from recommender.tables import offer_code

SAMPLE: Final = "SAMPLE-CODE"  # what a trial run sees in place of a code

_BATCH = 1_000


def draw_for(
    connection: Connection, scene: Scene, asking: Sequence[tuple[Enrolment, Offer]], *, records: bool
) -> dict[int, tuple[str, datetime | None]]:
    """The code of each enrolment and until when it is good, by the enrolment's id; nobody whose pool is empty.

    Without `records` everybody gets a sample.
    """
    if not records:
        return {owner.id: (SAMPLE, offer.code_ends_at(scene.now)) for owner, offer in asking}
    draws = {
        owner.id: (Draw(offer.pool, offer.slug, owner.uid, owner.profile_id), offer)
        for owner, offer in asking
        if offer.pool is not None
    }
    drawn = draw_codes(connection, scene.vault, [draw for draw, _ in draws.values()], scene.now)
    found = {}
    for number, (draw, offer) in draws.items():
        got = drawn.get(draw.id)
        ends_at = offer.code_ends_at(got.drawn_at) if got is not None else None
        if got is not None and (ends_at is None or scene.now < ends_at):
            found[number] = (got.code, ends_at)
    return found


def follow_codes(connection: Connection, scene: Scene, transitions: Sequence[Transition]) -> None:
    """Note the codes that steps wrote elsewhere, and put back those of who is through and never got theirs."""
    offering = _offering(scene, transitions)
    concerned = [item for item in transitions if (item.enrolment.journey, item.enrolment.version) in offering]
    handed = {draw for item in concerned for draw in _handed_over(item)}
    if handed:
        hand_over_codes(connection, handed, scene.now)
    through = [item.enrolment.uid for item in concerned if item.enrolment.status is EnrolmentStatus.ENDED]
    if through:
        settle_codes(connection, through, scene.now)


def settle_open_codes(connection: Connection, now: datetime) -> int:
    """Put back what was drawn by runs that ended meanwhile, and whose message came to nothing; answers how many.

    For what ends outside a step: a message that is skipped, a profile that is erased. It costs what is still open.
    """
    of = offer_code.c
    query = (
        select(of.owner)
        .join(enrolment, enrolment.c.uid == of.owner)
        .where(of.draw_id.is_not(None), of.given_at.is_(None), enrolment.c.status == EnrolmentStatus.ENDED.value)
        .distinct()
    )
    returned, last = 0, ""
    while True:
        owners = list(connection.execute(query.where(of.owner > last).order_by(of.owner).limit(_BATCH)).scalars())
        returned += settle_codes(connection, owners, now) if owners else 0
        if len(owners) < _BATCH:
            return returned
        last = owners[-1]


def _offering(scene: Scene, transitions: Sequence[Transition]) -> set[tuple[str, int]]:
    """The journeys among them, each in its version, that have an `offer` step: the others drew no codes."""
    versions = {(item.enrolment.journey, item.enrolment.version) for item in transitions}
    journeys = {key: scene.catalogue.journeys.get(key) for key in versions}
    return {
        key
        for key, journey in journeys.items()
        if journey is not None and any(step.verb.name == "offer" for step in journey.by_id.values())
    }


def _handed_over(item: Transition) -> Iterator[str]:
    written = [text for effect in item.effects for text in _written(effect)]
    if not written:
        return
    codes: dict[str, list[str]] = defaultdict(list)
    for result in item.enrolment.results.values():
        if isinstance(result, Mapping) and result.get("code"):
            codes[str(result["code"])].append(str(result["offer"]))
    for code, offers in codes.items():
        if any(code in text for text in written):
            yield from (draw_id(offer, item.enrolment.uid) for offer in offers)


def _written(effect: Any) -> Iterator[str]:
    """What a step writes where it stays, as text."""
    if isinstance(effect, SetAttributes):
        yield _text(effect.values)
    elif isinstance(effect, EmitEvent):
        yield _text(effect.properties)
    elif isinstance(effect, StartJourney):
        yield _text(effect.entry)
    elif isinstance(effect, CreateTask):
        yield f"{effect.title}\n{effect.body}"
    elif isinstance(effect, EnqueueMessage) and effect.channel == WEBHOOK:
        yield _text(effect.context.get(WEBHOOK))


def _text(values: Any) -> str:
    return msgspec.json.encode(values, enc_hook=str).decode()
