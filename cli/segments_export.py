"""`postilion segments export`: the members of a segment as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say


def export(
    context: typer.Context,
    segment: Annotated[str, typer.Argument(help="The segment's name.")],
    file: Annotated[Path, typer.Argument(help="Where to write: FILE.csv or FILE.parquet.", metavar="FILE")],
    columns: Annotated[
        str,
        typer.Option(
            help="What stands in it, with commas between: attributes, email, phone. Personal ones only when named."
        ),
    ] = "profile_id,external_id,entered_at",
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a segment's members, as of its last refresh, to a file that only you can read."""
    from core.errors import ConflictError, InputError
    from segments.costs.guard import guarded_read
    from segments.definition import get_segment
    from segments.exports.columns import columns_of
    from segments.exports.members import export_members, format_of

    file_format = format_of(file)
    if file.exists() and not replace:
        raise ConflictError(f"{file} is there already: take another name, or --replace.")
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent}: make it first.")
    with open_workspace(context) as (runtime, workspace):
        wanted = columns_of([name.strip() for name in columns.split(",") if name.strip()], workspace)
        with guarded_read(runtime) as connection:
            get_segment(connection, segment)
            count = export_members(connection, runtime.vault, segment, file, wanted, file_format)
    opened = [one.name for one in wanted if one.is_sealed]
    if as_json:
        names = [one.name for one in wanted]
        print_json({"segment": segment, "file": str(file), "rows": count, "columns": names, "personal": opened})
        return
    say(f"[green]✓[/] {count:,} members of {segment} in [bold]{file}[/]")
    if opened:
        say(f"  It holds personal data ({', '.join(opened)}): delete it when you no longer need it.")
