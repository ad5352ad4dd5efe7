"""`postilion backup` and `postilion restore`: a copy of the database, and putting one back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_workspace, options_of
from cli.output import AsJson, print_json, print_table, progress, say
from core.errors import InputError

if TYPE_CHECKING:
    from console.backups.restore import Restored
    from console.backups.review import Review

_COLUMNS = ("kind", "name", "messages due", "timers run out", "sends missed", "launches broken off")


def register(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file, or a folder, in which it is called after the moment.")],
    keep: Annotated[
        int | None, typer.Option(help="Delete all but the newest so many backups in the folder.", metavar="NUMBER")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a copy of the database while everything runs. The keys are not in it: see `postilion keys backup`."""
    from console.backups.make import make_backup

    with open_workspace(context) as (runtime, workspace), progress("copying the database", "pages") as report:
        made = make_backup(runtime, workspace.slug, file, report, keep=keep)
    if as_json:
        print_json({"file": made.file, "bytes": made.size, "manifest": made.manifest, "deleted": made.deleted})
        return
    say(f"[green]✓[/] {made.file}  {made.size / 1e6:,.1f} MB, schema {made.manifest.revision}")
    for old in made.deleted:
        say(f"[green]✓[/] deleted {old}")


def restore(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="The backup.", show_default=False)] = None,
    review: Annotated[bool, typer.Option("--review", help="Show again what waits since the restore.")] = False,
    skip_missed: Annotated[
        bool, typer.Option("--skip-missed", help="Leave out what waits, then let sending go on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup back. Nothing is sent after it until somebody has decided about what fell into the gap."""
    if [file is not None, review, skip_missed].count(True) != 1:
        raise InputError("name a backup, or say --review or --skip-missed: one of the three.")
    if skip_missed:
        _skip(context, as_json)
        return
    restored = _restore(context, file) if file is not None else None
    _show(context, restored, as_json)


def _restore(context: typer.Context, file: Path) -> Restored:
    from cli.serving.ready_checks import only_one
    from console.backups.restore import restore_backup
    from console.project import read_workspace_slug
    from core.log import configure_logging

    options = options_of(context)
    settings = options.settings
    configure_logging(settings.log_level)
    workspace = read_workspace_slug(settings.project_folder)
    with only_one(settings.state_folder):
        return restore_backup(settings, workspace, file, options.clock)


def _show(context: typer.Context, restored: Restored | None, as_json: bool) -> None:
    from console.backups.review import review

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        found = review(connection, runtime.clock.now())
    if as_json:
        print_json({"restored": restored, "review": found})
        return
    if restored is not None:
        say(f"[green]✓[/] restored the database of {restored.manifest.made_at:%Y-%m-%d %H:%M} UTC")
        if restored.aside is not None:
            say(f"[green]✓[/] the one before is kept as {restored.aside}")
        if restored.erased_again:
            say(f"[green]✓[/] {restored.erased_again} people who were erased since are erased again")
    if found is None:
        say("This database was never restored.")
    else:
        _tell(found)


def _tell(found: Review) -> None:
    since, until = found.restoration.made_at, found.restoration.restored_at
    if found.waiting:
        title = f"Between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC, perhaps sent and perhaps not"
        print_table(title, _COLUMNS, _rows(found))
    else:
        say("Nothing fell between the backup and the restore.")
    if not found.restoration.is_held:
        say("The pause was lifted: nothing is held back any more.")
        return
    say(
        "Everything is paused. `postilion restore --skip-missed` leaves this out and lets the rest go on;\n"
        "`postilion pauses --resume everything` lets all of it go."
    )


def _rows(found: Review) -> Sequence[Sequence[Any]]:
    return [(one.kind, one.name, one.messages, one.timers, one.occurrences, one.broken_off) for one in found.waiting]


def _skip(context: typer.Context, as_json: bool) -> None:
    from console.backups.review import skip_missed

    with open_workspace(context) as (runtime, _workspace), progress("leaving out", "messages and timers") as report:
        skipped = skip_missed(runtime, runtime.clock.now(), lambda done: report(done, None))
    if as_json:
        print_json(skipped)
        return
    say(
        f"[green]✓[/] {skipped.messages:,} messages skipped, {skipped.timers:,} timers passed without a message, "
        f"{skipped.occurrences:,} sends and {skipped.broken_off:,} launches left out. Sending goes on."
    )
