"""`postilion graph`: a journey as a drawing, with the number of people at each step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import say


def register(app: typer.Typer) -> None:
    app.command("graph")(graph)


def graph(
    context: typer.Context,
    journey: Annotated[str, typer.Argument(help="The journey's name.")],
    svg: Annotated[
        Path | None, typer.Option(help="Write the drawing to this file. Default: JOURNEY.svg.", metavar="FILE")
    ] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print Mermaid text instead, for Markdown.")] = False,
    version: Annotated[
        int | None, typer.Option(min=1, help="Draw this version. Default: the one in force.", metavar="N")
    ] = None,
) -> None:
    """Draw a journey: its steps and ways, who comes in and goes out, and how many people stand at each step now."""
    from journeys.drawing import mermaid as mermaid_text
    from journeys.drawing.counting import read_chart
    from journeys.drawing.layout import plan
    from journeys.drawing.svg import draw

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        chart = read_chart(connection, journey, version)
    if mermaid:
        typer.echo(mermaid_text.write(chart), nl=False)
        if svg is None:
            return
    file = svg or Path(f"{journey}.svg")
    file.write_text(draw(plan(chart)), encoding="utf-8")
    if not mermaid:
        say(f"Written: [bold]{file}[/]")
