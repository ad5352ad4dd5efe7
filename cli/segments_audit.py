"""`postilion segments audit`: compare every membership with its rule, and say what differs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

_SHOWN = 20


def audit(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Ask again about everybody who is found.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare every membership with its rule, as every night; ends with 1 when one differs and was not put right."""
    from segments.audit import audit_segments, repair_differences
    from segments.following import follow

    with open_workspace(context) as (runtime, _workspace):
        found = audit_segments(runtime)
        left = found
        if found and repair:
            with runtime.database.transaction() as connection:
                repair_differences(connection, found)
            while follow(runtime).behind:
                pass
            left = audit_segments(runtime)
    if as_json:
        print_json({"found": [asdict(one) for one in found], "left": [asdict(one) for one in left]})
    elif not found:
        say("Every membership is what its rule says.")
    else:
        rows = [(one.segment, f"#{one.profile_id}", one.kind.value) for one in found[:_SHOWN]]
        print_table(f"{len(found):,} memberships differ from their rules", ["segment", "profile", "is"], rows)
        say(f"{len(found) - len(left):,} of them were put right." if repair else "`--repair` puts them right.")
    if left:
        raise typer.Exit(1)
