"""`postilion apply`: publish the project, so that what it describes runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import options_of
from cli.output import AsJson, Progress, print_json, print_table, progress, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.publish import Change
    from core.runtime import Runtime
    from journeys.migration import Migration


def register(app: typer.Typer) -> None:
    app.command("apply")(apply)


def apply(
    context: typer.Context,
    moves: Annotated[
        bool, typer.Option("--migrate", help="Also move the people who are inside journeys to the newest versions.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the project, bring the database up to date, and publish every file that changed. Nothing is sent by it.

    People inside a journey finish the version that they entered, unless --migrate moves them over.
    """
    import migrations
    from cli.check import show_faults
    from console.asset_store import open_store
    from console.plan import find_catalogue, find_faults
    from console.project import load_project, read_workspace_slug
    from console.publish import publish_project
    from core.errors import ConfigError, has_errors
    from core.log import configure_logging
    from core.runtime import open_runtime
    from delivery.assets import publish_assets
    from segments.ranks.ranking import rank_at_once

    options = options_of(context)
    settings = options.settings
    configure_logging(settings.log_level)
    project = load_project(settings.project_folder)
    slug = read_workspace_slug(settings.project_folder)
    with open_runtime(settings, slug, options.clock) as runtime:
        migrations.upgrade(settings.database)
        if not has_errors(project.faults):
            # Before the templates, so that no mail shows a picture that is not there yet.
            publish_assets(open_store(settings), project.assets)
        with runtime.database.transaction() as connection:
            faults = find_faults(connection, find_catalogue(connection), project, moves=moves)
            if has_errors(faults):
                raise ConfigError(faults)
            changes = publish_project(connection, project, runtime.clock.now())
        rank_at_once(runtime)
        migrated = _migrate(runtime, [file.slug for file in project.of_kind("journey")]) if moves else []
    if as_json:
        print_json(_as_document(changes, migrated, moves=moves))
        return
    show_faults(faults)
    _show(changes, migrated, moves=moves)


def _migrate(runtime: Runtime, slugs: Sequence[str]) -> list[Migration]:
    from journeys.migration import migrate

    done = []
    for slug in slugs:
        with progress(f"moving the people in {slug}", "people") as report:
            done.append(migrate(runtime, slug, runtime.clock.now(), report=partial(_tell, report)))
    return done


def _tell(report: Progress, moved: int) -> None:
    report(moved, None)


def _as_document(changes: Sequence[Change], migrated: Sequence[Migration], *, moves: bool) -> object:
    from dataclasses import asdict

    published = [change.as_dict() for change in changes]
    return {"published": published, "migrated": [asdict(one) for one in migrated]} if moves else published


def _show(changes: Sequence[Change], migrated: Sequence[Migration], *, moves: bool) -> None:
    shown = [
        (change.kind, change.slug, change.what, change.version) for change in changes if change.what != "unchanged"
    ]
    if shown:
        print_table("Published", ["kind", "name", "what", "version"], shown)
    moved = [(one.journey, one.moved, one.staying) for one in migrated if one.moved or one.staying]
    if moved:
        print_table("People moved to the newest version", ["journey", "moved", "finish their own"], moved)
    elif moves:
        say("Nobody was inside an older version of a journey.")
    say(f"[green]✓[/] {len(changes) - len(shown)} unchanged, {len(shown)} changed")
