"""Holds what came out of the demo against what was planted, and against what the simulated people really did."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import sqrt
from pathlib import Path

from sqlalchemy import Connection, distinct, func, select

from campaigns.tables import audience_member, launch
from core.runtime import Runtime
from customers.tables import IdentityKind, customer_event, identity
from delivery.tables import MessageStatus, message
from examples.journey_proof import came_to_the_doors, count_journeys, share_allowed
from examples.shop.recipients import Tally
from examples.shop.shoppers import Deed
from examples.shop.truth import Truth
from journeys.steps.holdout import HELD_OUT
from journeys.tables import assignment
from recommender.published import find_published
from recommender.tables import association_rule
from segments.membership import members
from tracking.classify import HUMAN
from tracking.tables import engagement_event

_LAPSED = "lapsed"
_HELD_OUT = 10.0  # percent, as the file of win_back says
_ENOUGH_CHURNERS = 0.95
_ROUNDING = 1e-4
_TOLERANCE = 0.05  # of what people really did
_Z_99 = 2.576


class Check(Enum):
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that had to come out: `planted` and `found` in words."""

    what: str
    planted: str
    found: str
    verdict: Check


def check_against_truth(
    runtime: Runtime, tally: Tally, truth: Truth | None, campaign: str, data: Path, deeds: Sequence[Deed] = ()
) -> list[Finding]:
    """Every comparison that can be made; without a truth only those against what the recipients did."""
    with runtime.database.read() as connection:
        findings = [_nothing_twice(connection), *_engagement(connection, tally)]
        if truth is not None:
            findings = [
                _rules(connection, truth),
                _churners(connection, truth),
                _rejects(data, truth),
                *findings,
                _lift(connection, truth, campaign, tally),
                *_journeys(connection, deeds),
            ]
    return findings


def _rules(connection: Connection, truth: Truth) -> Finding:
    """A planted rule must come out with exactly the figures that the generator counted."""
    published = find_published(connection)
    rows = connection.execute(
        select(association_rule).where(association_rule.c.rule_set_id == (published.id if published else -1))
    )
    mined = {(row.antecedent[0], row.consequent): row for row in rows if len(row.antecedent) == 1}
    exact = [
        rule
        for rule in truth.rules
        if (row := mined.get((rule.antecedent, rule.consequent))) is not None
        and row.basket_count == rule.basket_count
        and abs(row.confidence - rule.confidence) < _ROUNDING
        and abs(row.lift - rule.lift) < _ROUNDING
    ]
    return Finding(
        "association rules, with their exact figures",
        f"{len(truth.rules)}",
        f"{len(exact)}",
        _verdict(len(exact) == len(truth.rules)),
    )


def _churners(connection: Connection, truth: Truth) -> Finding:
    """Who stopped buying is among the lapsed, consent to mail aside."""
    planted = {churner.external_id for churner in truth.churners}
    planted &= _external_ids(connection, members(connection, "newsletter"))
    lapsed = _external_ids(connection, _ever_in(connection, _LAPSED))
    found = len(planted & lapsed)
    return Finding(
        "people who stopped buying, among those who may get mail",
        f"{len(planted)}",
        f"{found} in the segment {_LAPSED}",
        _verdict(found >= _ENOUGH_CHURNERS * len(planted)),
    )


def _ever_in(connection: Connection, segment: str) -> list[int]:
    """Everybody who entered a segment at any time: a purchase during the demo ends a membership."""
    rows = connection.execute(
        select(customer_event.c.profile_id, customer_event.c.properties).where(
            customer_event.c.name == "segment_entered"
        )
    )
    return [row.profile_id for row in rows if row.properties.get("segment") == segment]


def _rejects(data: Path, truth: Truth) -> Finding:
    """Every row that was made wrong on purpose was rejected, and no other."""
    planted = {
        (file, line)
        for file, reasons in truth.dirt_lines.items()
        for reason, lines in reasons.items()
        if reason != "duplicate_row"
        for line in lines
    }
    found = set()
    for rejects in (data.parent / "state" / "rejects").glob("*.csv"):
        with rejects.open(newline="", encoding="utf-8") as file:
            source = f"{rejects.stem.rpartition('-')[0]}{'.jsonl' if rejects.stem.endswith('events') else '.csv'}"
            found |= {(source, int(row["line"])) for row in csv.DictReader(file)}
    return Finding(
        "wrong rows rejected, and none but these", f"{len(planted):,}", f"{len(found):,}", _verdict(found == planted)
    )


def _nothing_twice(connection: Connection) -> Finding:
    rows = connection.execute(
        select(message.c.status, func.count(), func.count(distinct(message.c.provider_id))).group_by(message.c.status)
    ).all()
    sent = next((row for row in rows if row.status == MessageStatus.SENT), None)
    unknown = sum(row[1] for row in rows if row.status == MessageStatus.UNKNOWN)
    count, ids = (sent[1], sent[2]) if sent else (0, 0)
    found = f"{count:,} under {ids:,} ids, {unknown} unknown"
    return Finding("messages sent once each, none unknown", "every one", found, _verdict(count == ids and not unknown))


def _engagement(connection: Connection, tally: Tally) -> list[Finding]:
    counted = {
        kind: connection.execute(
            select(func.count(distinct(engagement_event.c.message_id))).where(
                engagement_event.c.kind == kind, engagement_event.c.human_probability >= HUMAN
            )
        ).scalar_one()
        for kind in ("opened", "clicked")
    }
    machines = connection.execute(
        select(func.count()).select_from(engagement_event).where(engagement_event.c.human_probability < HUMAN)
    ).scalar_one()
    opens, clicks = len(tally.human_opens), len(tally.human_clicks)
    return [
        Finding("mails opened by people", f"{opens:,}", f"{counted['opened']:,}", _near(counted["opened"], opens)),
        Finding("mails clicked by people", f"{clicks:,}", f"{counted['clicked']:,}", _near(counted["clicked"], clicks)),
        Finding(
            "requests by machines, kept apart",
            f"{tally.machine_requests:,}",
            f"{machines:,}",
            _near(machines, tally.machine_requests),
        ),
    ]


def _lift(connection: Connection, truth: Truth, campaign: str, tally: Tally) -> Finding:
    """The share of buyers in both arms; the planted difference must lie within what chance allows."""
    rows = connection.execute(
        select(audience_member.c.is_holdout, audience_member.c.profile_id)
        .join(launch, launch.c.id == audience_member.c.launch_id)
        .where(launch.c.campaign == campaign)
        .where(launch.c.launched_at == select(func.min(launch.c.launched_at)).scalar_subquery())
    ).all()
    shares = {}
    for is_holdout in (False, True):
        people = _external_ids(connection, [row.profile_id for row in rows if row.is_holdout == is_holdout])
        shares[is_holdout] = (len(people & tally.buyers), max(1, len(people)))
    (treated, n), (held, m) = shares[False], shares[True]
    difference = treated / n - held / m
    margin = _Z_99 * sqrt(treated / n * (1 - treated / n) / n + held / m * (1 - held / m) / m)
    planted = truth.lift.buy_with_offers - truth.lift.buy_without_mail
    return Finding(
        "more buyers among those addressed than among the held out",
        f"{planted:+.1%}",
        f"{difference:+.1%} ± {margin:.1%}",
        _verdict(abs(difference - planted) <= margin),
    )


def _journeys(connection: Connection, deeds: Sequence[Deed]) -> list[Finding]:
    """Whoever came to a door has come in or was refused, and chance has held out as many as the file says."""
    counted = {one.journey: one for one in count_journeys(connection)}
    findings = []
    for journey, came in came_to_the_doors(deeds).items():
        numbers = counted[journey]
        found = f"{numbers.entered:,} came in, {numbers.refused:,} refused"
        accounted = numbers.entered + numbers.refused == came
        findings.append(Finding(f"people at the door of {journey}", f"{came:,}", found, _verdict(accounted)))
    numbers = counted["win_back"]
    low, high = share_allowed(numbers, _HELD_OUT)
    ended = connection.execute(
        select(func.count()).where(assignment.c.test == "win_back/holdout", assignment.c.arm == HELD_OUT)
    ).scalar_one()
    share = ended / max(1, numbers.entered)
    holds = low <= share <= high
    findings.append(Finding("held out of win_back", f"{_HELD_OUT:.0f}%", f"{share:.1%}", _verdict(holds)))
    return findings


def _external_ids(connection: Connection, profile_ids: list[int]) -> set[str]:
    rows = connection.execute(
        select(identity.c.profile_id, identity.c.lookup).where(identity.c.kind == IdentityKind.EXTERNAL_ID)
    )
    wanted = set(profile_ids)
    return {lookup for profile_id, lookup in rows if profile_id in wanted}


def _near(found: int, planted: int) -> Check:
    return _verdict(abs(found - planted) <= _TOLERANCE * max(planted, 20))


def _verdict(holds: bool) -> Check:
    return Check.PASSED if holds else Check.FAILED
