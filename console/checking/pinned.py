"""Templates that journeys pin to a version: has it been published, or will this publication be the one?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, func, select

from console.project import Project
from core.definitions import definition
from core.errors import Fault
from journeys.definition import parse_journey


def newest_versions(connection: Connection) -> dict[str, int]:
    """How many versions of each template were published."""
    query = select(definition.c.slug, func.max(definition.c.version)).where(definition.c.kind == "template")
    return dict(connection.execute(query.group_by(definition.c.slug)).tuples().all())


def check_pins(project: Project, versions: Mapping[str, int]) -> Iterator[Fault]:
    """E120; `versions` has the newest of each template. The next one may be what is about to be published."""
    for file in project.of_kind("journey"):
        journey, _ = parse_journey(file.located, file.file)
        for mention in (one for step in journey.by_id.values() for one in step.mentions) if journey else ():
            newest = versions.get(mention.name, 0)
            if mention.version is not None and not 0 < mention.version <= newest + 1:
                message = f"there is no version {mention.version} of the template '{mention.name}'"
                hint = f"the newest is {mention.name}@{newest}" if newest else f"write {mention.name}@1 for the first"
                yield file.located.fault("E120", mention.path, message, hint)
