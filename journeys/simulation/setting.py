"""Where a simulation gets its journey, its people and the providers' rates from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from heapq import nsmallest
from pathlib import Path

from sqlalchemy import Connection, func, select

from core.errors import ConfigError, InputError, NotFoundError, has_errors
from core.located import load_yaml
from core.schema_check import check_schema
from core.suggest import did_you_mean
from core.vault import Vault
from customers.tables import ProfileStatus, customer_event, profile
from delivery.tables import send_rate
from journeys.catalogue import get_catalogue
from journeys.definition import parse_journey
from journeys.model import Edge, Journey, SegmentEntry
from journeys.simulation.plan import Plan
from journeys.simulation.responses import Responses
from segments.compiling.compiler import compile_rule
from segments.language.rules import SegmentRule


def make_plan(
    connection: Connection,
    vault: Vault,
    journey: str,
    start: datetime,
    end: datetime,
    *,
    file: Path | None = None,
    responses: Responses | None = None,
    lines_fed: int = 0,
) -> Plan:
    """The plan for the version in force of `journey`, or for the one in `file`, which need not be published.

    `lines_fed` are the numbers that events of a file take. Raises NotFoundError for an unknown journey, ConfigError
    for a file with errors, InputError for a time that does not go forward.
    """
    if end <= start:
        raise InputError(f"from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} no time passes: let `--to` be later.")
    catalogue = get_catalogue(connection)
    found = _from_file(file, journey) if file is not None else catalogue.newest.get(journey)
    if found is None:
        hint = did_you_mean(journey, catalogue.newest)
        raise NotFoundError(
            f"there is no journey '{journey}'{': ' + hint if hint else ''}. Publish it, or name its file with --file."
        )
    if file is not None:
        version = 1 + max((number for slug, number in catalogue.journeys if slug == journey), default=0)
        found = replace(found, version=version)
    last = connection.scalar(select(func.max(customer_event.c.id))) or 0
    return Plan(found, catalogue, vault, start, end, responses or Responses(), max(last, lines_fed) + 1)


def _from_file(file: Path, journey: str) -> Journey:
    located, faults = load_yaml(file.read_bytes(), str(file))
    if located is not None:
        faults += check_schema(located, "journey")
    if located is None or has_errors(faults):
        raise ConfigError(faults)
    found, faults = parse_journey(located, str(file))
    if found is None or has_errors(faults):
        raise ConfigError(faults)
    if found.slug != journey:
        raise InputError(f"{file} holds the journey '{found.slug}', not '{journey}'.")
    return found


def choose_people(
    connection: Connection, plan: Plan, stated: str | None, seed: str, *, by_door: bool = False
) -> list[int]:
    """Ids, ascending: the members of a segment, a number of people drawn by a hash, or all.

    `by_door`: where nothing is stated they are the members of the segment that lets people in, if one does.
    """
    entry = plan.journey.entries[0]
    if by_door and stated is None and isinstance(entry, SegmentEntry) and entry.edge is not Edge.EXIT:
        stated = entry.segment
    if stated is None or stated.isdecimal():
        query = select(profile.c.id).where(profile.c.status == ProfileStatus.ACTIVE.value).order_by(profile.c.id)
        ids = connection.execution_options(yield_per=10_000).scalars(query)
        return sorted(nsmallest(int(stated), ids, key=lambda number: _lot(seed, number))) if stated else list(ids)
    if stated not in plan.catalogue.segments:
        hint = did_you_mean(stated, plan.catalogue.segments)
        raise NotFoundError(f"there is no segment '{stated}'{': ' + hint if hint else ''}.")
    rules, workspace = plan.catalogue.segments, plan.workspace
    members = compile_rule(SegmentRule(stated), now=plan.start, workspace=workspace, segments=rules, vault=plan.vault)
    return list(connection.scalars(members))


def provider_rates(connection: Connection) -> Mapping[str, float]:
    """Messages a second by channel, as the providers last said."""
    rows = connection.execute(select(send_rate.c.scope, send_rate.c.quota).where(send_rate.c.quota.is_not(None)))
    return {scope: quota for scope, quota in rows if ":" not in scope}


def _lot(seed: str, number: int) -> bytes:
    return hashlib.sha256(f"{seed}:sample:{number}".encode()).digest()
