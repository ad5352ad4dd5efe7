"""`postilion report`: what a campaign, a journey or everything came to, beside its holdout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="A campaign or journey.", show_default="everything that was sent")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write one HTML file with charts.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Report what was sent and why not, opened by people and machines, and ordered, against the holdout."""
    from campaigns.report_html import render_html
    from campaigns.report_table import render_table
    from campaigns.reports import build_report
    from journeys.passages import select_passages

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        built = build_report(connection, runtime.clock.now(), name, passages=select_passages)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(render_html(built), encoding="utf-8")
    if as_json:
        print_json(built.as_dict())
        return
    from rich.console import Console

    Console().print(render_table(built))
    if html is not None:
        say(f"With charts: [bold]{html}[/]")
