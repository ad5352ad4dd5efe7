"""`postilion segments snapshot`: how the columnar copy stands that the whole population is asked of."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say


def snapshot(
    context: typer.Context,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make it anew, from every row.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show size, age and rows of the columnar snapshot; refreshes make it and keep it up to date by themselves."""
    from segments.snapshot.build import build_snapshot
    from segments.snapshot.status import find_status

    with open_workspace(context) as (runtime, _workspace):
        status = build_snapshot(runtime) if rebuild else find_status(runtime.settings)
        now = runtime.clock.now()
    if as_json:
        print_json(asdict(status) if status else None)
    elif status is None:
        say("There is no snapshot yet: a refresh makes one where it pays, and `--rebuild` does in any case.")
    else:
        age = max(0, int((now - status.brought_at).total_seconds()))
        print_table("Snapshot", ["table", "rows"], [(name, count) for name, count in status.rows.items() if count])
        say(
            f"{status.size / 1e6:,.1f} MB, as of {status.brought_at:%Y-%m-%d %H:%M:%S} UTC ({age:,} s ago), "
            f"built {status.built_at:%Y-%m-%d %H:%M} UTC"
        )
