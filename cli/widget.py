"""`postilion widget`: the HTML with which a shop's pages show offers."""

from __future__ import annotations

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say


def register(app: typer.Typer) -> None:
    app.command("widget")(widget)


def widget(context: typer.Context, as_json: AsJson = False) -> None:
    """Print the HTML and the CSS for offers on the pages of the website, with the hash of the script they may run."""
    from recommender.widget.script import CSS, tag
    from recommender.widget.script import widget as script

    with open_workspace(context) as (runtime, _workspace):
        html = tag(runtime.settings.public_url)
    if as_json:
        print_json({"html": html, "css": CSS, "integrity": script().integrity})
    else:
        say(f"{html}\n\nIn the stylesheet of the page, so that nothing moves when they come:\n\n{CSS}")
