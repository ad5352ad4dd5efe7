"""`postilion letters`: the mail-merge files for the print house, and their PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.context import options_of
from cli.output import AsJson, print_json, print_table, say

_app = typer.Typer(name="letters", no_args_is_help=True, help="Files of letters for a print house.")

File = Annotated[str, typer.Argument(help="A file of the list, or its path.", metavar="FILE")]


def register(app: typer.Typer) -> None:
    app.add_typer(_app)


@_app.command("list")
def list_files(context: typer.Context, as_json: AsJson = False) -> None:
    """The files that there are, with the letters in each, the newest day first."""
    from delivery.letter_pages import read_letters

    files = [
        {"file": file.name, "letters": len(read_letters(file)), "path": str(file)}
        for file in sorted(_folder(context).glob("*.csv"), reverse=True)
    ]
    if as_json:
        print_json(files)
    elif files:
        print_table("Letters", ["file", "letters"], [(one["file"], one["letters"]) for one in files])
        say(f"They lie in {_folder(context)}.")
    else:
        say("There are no letters.")


@_app.command("print")
def print_(
    context: typer.Context,
    file: File,
    out: Annotated[str | None, typer.Option(help="The PDF. Default: beside the file.", metavar="FILE")] = None,
) -> None:
    """Print a file into one PDF, by Chromium where it is installed. The address fits a window envelope."""
    from delivery.letter_pages import print_pdf

    source = Path(file) if Path(file).exists() else _folder(context) / file
    target = Path(out) if out else source.with_suffix(".pdf")
    count = print_pdf(source, target)
    say(f"{count} letter{'' if count == 1 else 's'} in {target}.")


def _folder(context: typer.Context) -> Path:
    from delivery.providers.letter import FOLDER

    return options_of(context).settings.state_folder / FOLDER
