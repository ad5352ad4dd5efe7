"""`postilion import`: customers and what they did, from files and from queries of other databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import open_workspace
from cli.import_words import print_batches, print_dry_run, print_result
from cli.output import AsJson, print_json, progress, say
from customers.imports.fields import ImportKind

if TYPE_CHECKING:
    from customers.imports.sources import Origin

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

_ABOUT = {
    ImportKind.PROFILES: "customers, with their attributes and consents",
    ImportKind.PRODUCTS: "the catalogue",
    ImportKind.ORDERS: "order lines",
    ImportKind.RETURNS: "goods that came back",
    ImportKind.EVENTS: "what customers did",
    ImportKind.CONSENTS: "who agreed to what, and who withdrew",
    ImportKind.SUPPRESSIONS: "addresses that must not be written to",
    ImportKind.LISTS: "who is on which list",
}


def register(app: typer.Typer) -> None:
    for kind in ImportKind:
        help_text = f"Import {_ABOUT[kind]}. Running it again changes nothing; a bad line never stops the rest."
        commands.command(kind.value, help=help_text)(_importer_of(kind))
    app.add_typer(commands, name="import", help="Files of other systems, and what was imported.")


def _importer_of(kind: ImportKind) -> Callable[..., None]:
    def import_rows(
        context: typer.Context,
        file: Annotated[
            Path | None, typer.Argument(help="A CSV, JSON Lines or Parquet file; left out with --from.")
        ] = None,
        mapping: Annotated[
            Path | None,
            typer.Option(help="How its columns are named. Default: imports/KIND.yaml in the project."),
        ] = None,
        rejects: Annotated[
            Path | None, typer.Option(help="Where rejected lines go. Default: rejects/FILE.csv in the state folder.")
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Read everything, write nothing, say what would be.")
        ] = (False),
        database: Annotated[
            str | None,
            typer.Option("--from", help="Read a query of this database instead of a file.", metavar="URL"),
        ] = None,
        query: Annotated[
            str | None, typer.Option(help="What to read with --from: SELECT …, or a file that ends in .sql.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        from customers.imports.mapping import load_mapping

        with open_workspace(context) as (runtime, workspace):
            settings = runtime.settings
            origin = _origin(file, database, query)
            loaded = load_mapping(mapping or settings.project_folder / "imports" / f"{kind}.yaml", workspace)
            if dry_run:
                from customers.imports.dry_run import dry_run as try_import

                with progress(f"trying {kind}", "lines") as report:
                    tried = try_import(
                        runtime, workspace, kind, origin, loaded, progress=report, now=runtime.clock.now()
                    )
                print_json(asdict(tried)) if as_json else print_dry_run(tried)
                return
            from customers.imports.run import run_import

            rejects_file = rejects or settings.state_folder / "rejects" / f"{_stem(origin)}-{kind}.csv"
            with progress(f"importing {kind}", "lines") as report:
                result = run_import(
                    runtime,
                    workspace,
                    kind,
                    origin,
                    loaded,
                    progress=report,
                    rejects_file=rejects_file,
                    now=runtime.clock.now(),
                )
        print_json(asdict(result)) if as_json else print_result(result)

    return import_rows


@commands.command("suggest")
def suggest(
    context: typer.Context,
    kind: Annotated[ImportKind, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="A CSV, JSON Lines or Parquet file.")],
    out: Annotated[Path | None, typer.Option(help="Write it here instead of showing it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Propose a mapping from a file's header and its first thousand rows, for you to edit."""
    from customers.imports.suggest import read_sample, suggest_mapping

    with open_workspace(context) as (_runtime, workspace):
        text = suggest_mapping(kind, read_sample(file), workspace)
    if out is not None:
        _write_new(out, text)
    if as_json:
        print_json({"mapping": text, "file": str(out) if out else None})
    elif out is not None:
        say(f"The mapping is in [bold]{out}[/]. Read it, correct it, and try it with --dry-run.")
    else:
        typer.echo(text, nl=False)


@commands.command("list")
def list_imports(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many, the latest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the imports that were begun, with their number, counts and status."""
    from customers.imports.batches import list_batches

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        batches = list_batches(connection, limit=limit)
    print_json([asdict(batch) for batch in batches]) if as_json else print_batches(batches)


@commands.command("undo")
def undo(
    context: typer.Context,
    batch: Annotated[int, typer.Argument(help="The import's number, see `postilion import list`.")],
    as_json: AsJson = False,
) -> None:
    """Take back what an import brought. Consents are never restored, and withdrawals stay."""
    from customers.imports.undo import undo_import

    with open_workspace(context) as (runtime, workspace), progress(f"undoing import {batch}", "rows") as report:
        result = undo_import(runtime, workspace, batch, now=runtime.clock.now(), progress=report)
    if as_json:
        print_json(asdict(result))
        return
    said = ", ".join(f"[bold]{count:,}[/] {what.replace('_', ' ')}" for what, count in result.counts.items() if count)
    say(f"Import {batch} is undone: {said or 'it had changed nothing'}.")


def _origin(file: Path | None, database: str | None, query: str | None) -> Origin:
    """The file, or the query: one of the two."""
    if database is None and query is None and file is not None:
        return file
    if file is not None or database is None or query is None:
        raise typer.BadParameter("name a file, or --from with --query, and not both.")
    from customers.imports.sources import parse_query

    return parse_query(database, query)


def _stem(origin: Origin) -> str:
    from customers.words import snake_case

    return origin.stem if isinstance(origin, Path) else snake_case(origin.name)


def _write_new(file: Path, text: str) -> None:
    """Somebody's edited mapping must not be lost to a second suggestion."""
    from core.errors import ConflictError

    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise ConflictError(f"{file} is there already: name another file with --out, or delete it first.") from None
