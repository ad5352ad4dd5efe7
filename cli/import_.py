"""`postilion import`: profiles, products, orders, events, consents and suppressions from files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, progress, say


def register(app: typer.Typer) -> None:
    app.command("import")(import_file)


def import_file(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="profiles, products, orders, events, consents or suppressions.")],
    file: Annotated[Path, typer.Argument(help="A CSV, JSON Lines or Parquet file.")],
    mapping: Annotated[
        Path | None, typer.Option(help="How its columns are named. Default: imports/KIND.yaml in the project.")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rejected lines go. Default: rejects/FILE.csv in the state folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import a file. Running it again changes nothing; a bad line goes to the rejects file and never stops the rest."""
    from customers.imports.mapping import load_mapping
    from customers.imports.run import run_import

    with open_workspace(context) as (runtime, workspace):
        settings = runtime.settings
        mapping_file = mapping or settings.project_folder / "imports" / f"{kind}.yaml"
        rejects_file = rejects or settings.state_folder / "rejects" / f"{file.stem}-{kind}.csv"
        with progress(f"importing {kind}", "lines") as report:
            result = run_import(
                runtime,
                workspace,
                kind,
                file,
                load_mapping(mapping_file, workspace),
                progress=report,
                rejects_file=rejects_file,
                now=runtime.clock.now(),
            )
    if as_json:
        print_json(asdict(result))
        return
    if result.is_repeat:
        say("This file was imported before with this mapping: nothing to do.")
    outcomes = {"read": result.read_count, "imported": result.imported_count, "unchanged": result.unchanged_count}
    rejected = {f"rejected: {reason}": count for reason, count in sorted(result.rejected.items())}
    print_table(f"{file.name} as {kind}", ["lines", "count"], list((outcomes | rejected).items()))
    if result.details:
        say("That made " + ", ".join(f"[bold]{count:,}[/] {what}" for what, count in result.details.items()) + ".")
    if result.rejects_file is not None:
        say(f"The rejected lines with their reasons: [bold]{result.rejects_file}[/]")
