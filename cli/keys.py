"""`postilion keys`: the workspace key and the store of data keys: look, exchange, copy, put back, check, wrap."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import open_workspace, options_of
from cli.output import AsJson, print_json, print_table, progress, say
from core.errors import ExitCode, InputError

if TYPE_CHECKING:
    from core.settings import Settings

_DATABASE_BACKUPS = "*.backup.tar"

group = typer.Typer(help="Look after the keys that seal personal data.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="keys")


@group.command("show")
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the versions of the workspace key by their fingerprints; the key itself is never shown."""
    from core.keys import read_key_file
    from core.kms import wrapping_of

    settings, workspace = _place(context)
    path = settings.key_path(workspace)
    file = read_key_file(path, lambda: wrapping_of(settings, workspace))
    key = file.key_to_come
    entries = [*file.entries, *([file.pending] if file.pending else [])]
    versions = [
        {
            "version": number,
            "fingerprint": key.fingerprint(number),
            "wrapped_by_kms": entry.is_wrapped,
            "state": _state(number, len(file.entries)),
        }
        for number, entry in enumerate(entries, start=1)
    ]
    if as_json:
        print_json({"file": str(path), "versions": versions})
        return
    rows = [tuple(version.values()) for version in versions]
    print_table(str(path), ["version", "fingerprint", "wrapped by KMS", "state"], rows)


@group.command("rotate")
def rotate(
    context: typer.Context,
    finish: Annotated[
        bool, typer.Option("--finish", help="Make no new version, only bring everything under the newest.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give the workspace key a new version and bring everything under it. Nothing else may run meanwhile."""
    from customers.key_rotation import rotate_keys

    settings, workspace = _place(context)
    with _Steps() as tell:
        rotation = rotate_keys(settings, workspace, tell, only_finish=finish)
    if as_json:
        print_json({"version": rotation.version, "rewritten": rotation.counts, "was_resumed": rotation.was_resumed})
        return
    print_table("Brought under the newest version", ["what", "rows"], list(rotation.counts.items()))
    begun = " (the rotation that was begun before is finished)" if rotation.was_resumed else ""
    say(f"[green]✓[/] version {rotation.version} of the workspace key is in use{begun}")
    say(f"Back up {settings.key_path(workspace)} now, apart from everything else, and copy it to your other machines.")


@group.command("backup")
def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where copies of the keys are kept, apart from the database's.")],
    as_json: AsJson = False,
) -> None:
    """Copy the data keys while everything runs. Copies that are older than 30 days are deleted."""
    from core.key_backup import back_up_keys
    from core.keys import load_key
    from core.kms import wrapping_of

    with open_workspace(context) as (runtime, workspace):
        settings = runtime.settings
        _check_apart(settings, workspace.slug, folder)
        key = load_key(settings.key_path(workspace.slug), lambda: wrapping_of(settings, workspace.slug))
        with progress("copying the keys", "keys") as report:
            made = back_up_keys(runtime.vault.store, key, workspace.slug, folder, runtime.clock.now(), report)
    if as_json:
        print_json({"file": str(made.file), "keys": made.key_count, "deleted": [str(file) for file in made.deleted]})
        return
    say(f"[green]✓[/] {made.key_count:,} keys in {made.file}")
    for file in made.deleted:
        say(f"deleted {file}: older than 30 days, and people who were erased since could be read with it")


@group.command("restore")
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A copy that `postilion keys backup` made.")],
    as_json: AsJson = False,
) -> None:
    """Put back data keys that are missing or damaged. Whoever was erased stays erased."""
    from contextlib import closing

    from core.database import Database
    from core.key_backup import restore_keys
    from core.key_store import open_key_store
    from core.key_use import alone_with_keys
    from core.keys import load_key
    from core.kms import wrapping_of
    from core.vault import Vault
    from customers.key_check import list_erased

    settings, workspace = _place(context)
    path = settings.key_path(workspace)
    with closing(open_key_store(settings.keys_database)) as store, alone_with_keys(store):
        key = load_key(path, lambda: wrapping_of(settings, workspace))
        Vault(key, store).create_store()
        with closing(Database(settings.database)) as database:
            erased = list_erased(database)
        with progress("putting keys back", "keys") as report:
            result = restore_keys(store, key, workspace, file, report, also_erased=erased)
    if as_json:
        print_json({"restored": result.restored_count, "present": result.present_count, "erased": result.erased_count})
        return
    say(f"[green]✓[/] {result.restored_count:,} keys were put back; {result.present_count:,} were there and open")
    if result.erased_count:
        say(f"{result.erased_count:,} were left out, because their owners were erased since")


@group.command("verify")
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Check that keys and sealed data belong together. Exit code 1 when something is wrong."""
    from core.keys import load_key
    from core.kms import wrapping_of
    from customers.key_check import check_keys

    with open_workspace(context) as (runtime, workspace):
        settings = runtime.settings
        key = load_key(settings.key_path(workspace.slug), lambda: wrapping_of(settings, workspace.slug))
        with progress("checking", "rows") as report:
            findings = check_keys(runtime.database, runtime.vault, key, lambda _what, done: report(done, None))
    wrong = [finding for finding in findings if finding.count and finding.is_wrong]
    if as_json:
        print_json({"is_well": not wrong, "findings": findings})
    else:
        for finding in findings:
            sign = "[green]✓[/]" if not finding.count else "[red]✗[/]" if finding.is_wrong else "[yellow]![/]"
            say(f"{sign} {finding.count:,} of {finding.checked_count:,} {finding.title}")
            if finding.count:
                say(f"  {finding.way_out}")
    if wrong:
        raise typer.Exit(ExitCode.INPUT)


@group.command("wrap")
def wrap(
    context: typer.Context,
    plain: Annotated[bool, typer.Option("--plain", help="The other way: write the key plain into its file.")] = False,
) -> None:
    """Wrap the workspace key by the AWS KMS key that POSTILION_KMS_KEY_ID names."""
    from contextlib import closing

    from core.key_store import open_key_store
    from core.key_use import alone_with_keys
    from core.keys import read_key_file, write_key_file
    from core.kms import KmsWrapping, wrapping_of

    settings, workspace = _place(context)
    path = settings.key_path(workspace)
    wrapping = None if plain else wrapping_of(settings, workspace)
    if wrapping is None and not plain:
        raise InputError("which key shall wrap it? Set POSTILION_KMS_KEY_ID to the id, ARN or alias of a KMS key.")
    with closing(open_key_store(settings.keys_database)) as store, alone_with_keys(store):
        file = read_key_file(path, lambda: KmsWrapping(settings, workspace, any_key=True))
        write_key_file(path, file.rewrapped(wrapping))
    if plain:
        say(f"[green]✓[/] {path} holds the key plain: unset POSTILION_KMS_KEY_ID.")
    else:
        say(f"[green]✓[/] {path} opens only with {settings.kms_key_id}; destroy plain copies of it, all but one.")


def _place(context: typer.Context) -> tuple[Settings, str]:
    """Settings and workspace of the project, without opening anything."""
    from console.project import read_workspace_slug
    from core.log import configure_logging

    settings = options_of(context).settings
    configure_logging(settings.log_level)
    return settings, read_workspace_slug(settings.project_folder)


def _state(number: int, current: int) -> str:
    if number == current:
        return "in use"
    return "older: opens and checks what it made" if number < current else "pending: run `postilion keys rotate`"


def _check_apart(settings: Settings, workspace: str, folder: Path) -> None:
    """Refuse a folder where a thief would find together what is kept apart."""
    target = folder.resolve()
    reason = "whoever has both could read people who were erased since: keep copies of the keys in another place."
    for url in (settings.database, settings.keys_database):
        if url.startswith("sqlite:///") and Path(url.removeprefix("sqlite:///")).resolve().parent == target:
            raise InputError(f"{folder} holds the database, and {reason}")
    if settings.key_path(workspace).resolve().parent == target:
        raise InputError(
            f"{folder} holds the workspace key, which opens them: keep copies of the keys in another place."
        )
    if target.is_dir() and any(target.glob(_DATABASE_BACKUPS)):
        raise InputError(f"{folder} holds backups of the database, and {reason}")


class _Steps:
    """One progress bar after the other, as the work goes from one thing to the next."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._title = ""
        self._report: Callable[[int, int | None], None] | None = None

    def __enter__(self) -> Callable[[str, int, int], None]:
        return self._tell

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def _tell(self, title: str, done: int, total: int) -> None:
        if title == "begun":
            return
        if title != self._title:
            self._stack.close()
            self._title = title
            self._report = self._stack.enter_context(progress(title))
        if self._report is not None:
            self._report(done, total)
