"""`postilion apply`: publish the project, so that what it describes runs."""

from __future__ import annotations

import typer

from cli.context import options_of
from cli.output import AsJson, print_json, print_table, say


def register(app: typer.Typer) -> None:
    app.command("apply")(apply)


def apply(context: typer.Context, as_json: AsJson = False) -> None:
    """Check the project, bring the database up to date, and publish every file that changed. Nothing is sent by it."""
    import migrations
    from cli.check import show_faults
    from console.asset_store import open_store
    from console.check import check_project
    from console.project import load_project, read_workspace_slug
    from console.publish import publish_project
    from core.definitions import list_definitions
    from core.errors import ConfigError, has_errors
    from core.log import configure_logging
    from core.runtime import open_runtime
    from delivery.assets import publish_assets
    from insights.scores import list_score_names
    from journeys.catalogue import get_catalogue
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
            is_first = not list_definitions(connection, "workspace")
            in_force = {} if is_first else get_catalogue(connection).newest
            checked = check_project(project, in_force, scores=list_score_names(connection))
            if has_errors(checked.faults):
                raise ConfigError(checked.faults)
            changes = publish_project(connection, checked.project, runtime.clock.now())
        rank_at_once(runtime)
    if not as_json:
        show_faults(checked.faults)
    if as_json:
        print_json([change.as_dict() for change in changes])
        return
    shown = [
        (change.kind, change.slug, change.what, change.version) for change in changes if change.what != "unchanged"
    ]
    if shown:
        print_table("Published", ["kind", "name", "what", "version"], shown)
    say(f"[green]✓[/] {len(changes) - len(shown)} unchanged, {len(shown)} changed")
