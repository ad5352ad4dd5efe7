"""Whether the opens of a person may be counted, which is a purpose of its own beside that of being written to.

`workspace.yaml` says what holds by default and by country; a person's own word, an entry of the consent history with
the channel "tracking" and the topic "email", goes before it. No mail is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from core.database import batches
from customers.consent import ConsentStatus, consent_of
from customers.tables import profile
from customers.workspace import Workspace

CHANNEL, TOPIC = "tracking", "email"

_BATCH = 5_000


class OpenTracking(StrEnum):
    """What a mail's picture may tell."""

    INDIVIDUAL = "individual"  # this message was opened
    AGGREGATE = "aggregate"  # one more mail of this launch or step was opened, nobody knows whose
    OFF = "off"  # there is no picture


@dataclass(frozen=True, slots=True)
class OpenRule:
    """`tracking.opens` of a workspace: `countries` are ISO 3166 codes."""

    default: OpenTracking = OpenTracking.INDIVIDUAL
    countries: Mapping[str, OpenTracking] = field(default_factory=dict)

    def of_country(self, country: str | None) -> OpenTracking:
        return self.countries.get(country or "", self.default)

    @property
    def is_individual_everywhere(self) -> bool:
        return {self.default, *self.countries.values()} == {OpenTracking.INDIVIDUAL}


def open_rule(workspace: Workspace) -> OpenRule:
    """What the workspace says: one word for everybody, or a default with exceptions by country."""
    written: Any = workspace.tracking.get("opens", OpenTracking.INDIVIDUAL)
    if not isinstance(written, Mapping):
        return OpenRule(OpenTracking(written))
    countries = written.get("countries") or {}
    return OpenRule(
        OpenTracking(written.get("default", OpenTracking.INDIVIDUAL)),
        {country: OpenTracking(word) for country, word in countries.items()},
    )


def open_tracking(
    connection: Connection, workspace: Workspace, people: Mapping[int, str], now: datetime
) -> dict[int, OpenTracking]:
    """What holds for each of `people`, profile id to the lookup of the address that is written to.

    A grant means individual, and a withdrawal, like an objection, off: a picture that names nobody is still fetched
    from the reader's device, which is what somebody who says no has said no to (ePrivacy directive, article 5(3)).
    Somebody whose country is unknown is taken to live in the workspace's.
    """
    rule = open_rule(workspace)
    said = consent_of(connection, CHANNEL, TOPIC, list(dict.fromkeys(people.values())), now)
    countries, objectors = _facts(connection, list(people))
    return {
        profile_id: OpenTracking.OFF
        if profile_id in objectors
        else _decide(rule, said[lookup], countries.get(profile_id) or workspace.country)
        for profile_id, lookup in people.items()
    }


def _decide(rule: OpenRule, said: ConsentStatus, country: str | None) -> OpenTracking:
    match said:
        case ConsentStatus.GRANTED:
            return OpenTracking.INDIVIDUAL
        case ConsentStatus.WITHDRAWN:
            return OpenTracking.OFF
    return rule.of_country(country)


def _facts(connection: Connection, profile_ids: list[int]) -> tuple[dict[int, str | None], set[int]]:
    """The countries of these profiles, and those who left marketing and everything that measures them."""
    countries: dict[int, str | None] = {}
    objectors: set[int] = set()
    query = select(profile.c.id, profile.c.country, profile.c.objected_at)
    for some in batches(profile_ids, _BATCH):
        for row in connection.execute(query.where(profile.c.id.in_(some))):
            countries[row.id] = row.country
            if row.objected_at is not None:
                objectors.add(row.id)
    return countries, objectors
