"""`postilion preview`: what one person would get, without counting anything; one marked copy is sent on request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say

if TYPE_CHECKING:
    from campaigns.preview import Preview
    from campaigns.trial import Copy
    from core.runtime import Runtime
    from core.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("preview")(preview)


def preview(
    context: typer.Context,
    template: Annotated[str, typer.Argument(help="The template's name.")],
    profile: Annotated[
        str | None,
        typer.Option(
            "--for",
            "--profile",
            help="External id, e-mail address or phone number. Default: a sample person.",
            metavar="WHO",
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the HTML part to this file.", metavar="FILE")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write HTML, text and pictures into this folder.", metavar="FOLDER")
    ] = None,
    png: Annotated[
        bool, typer.Option("--png", help="Take pictures, 600 and 375 pixels wide, by the Chromium that is installed.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="A JSON file with what the template reads as `entry`.", metavar="FILE")
    ] = None,
    send_to: Annotated[
        str | None,
        typer.Option(help="Send one copy, marked [Test], to this address or number. Needs --for.", metavar="ADDRESS"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Render a template for a person, as published; nothing is counted, and nothing sent but by --send-to."""
    from dataclasses import asdict

    from campaigns.preview import preview_template
    from cli.check import show_faults
    from console.people import get_profile_id

    with open_workspace(context) as (runtime, workspace):
        profile_id = None
        if profile is not None:
            with runtime.database.read() as connection:
                profile_id = get_profile_id(connection, runtime.vault, workspace, profile)
        entry = read_data(data) if data is not None else {}
        rendered = preview_template(runtime, template, profile_id, entry=entry)
        copy = _send(runtime, template, profile_id, send_to, entry) if send_to is not None else None
        settings = runtime.settings
    files = _write(rendered, settings, out or (Path() if png else None), takes_pictures=png)
    if html is not None:
        html.write_text(rendered.html, encoding="utf-8")
        files.append(html)
    if as_json:
        warnings = [fault.as_dict() for fault in rendered.warnings]
        sent = {"sent": asdict(copy)} if copy else {}
        print_json({**asdict(rendered), "warnings": warnings, "files": [str(file) for file in files], **sent})
        return
    if rendered.subject:
        say(f"[dim]Subject:[/] [bold]{_plain(rendered.subject)}[/]")
    if rendered.preheader:
        say(f"[dim]Preheader:[/] {_plain(rendered.preheader)}")
    typer.echo(f"\n{rendered.text}")
    show_faults(rendered.warnings)
    for file in files:
        say(f"Written: [bold]{_plain(str(file))}[/]")
    if copy is not None:
        say(f"Sent by {copy.provider}: see `postilion messages show {copy.message_id}`.")


def read_data(file: Path) -> dict[str, Any]:
    """The JSON object in `file`. Raises InputError."""
    import msgspec

    from core.errors import InputError

    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{file} holds no JSON object: {error}.") from None


def _send(runtime: Runtime, template: str, profile_id: int | None, to: str, entry: dict[str, Any]) -> Copy:
    from contextlib import closing

    from campaigns.trial import send_copy
    from core.errors import InputError
    from delivery.providers.registry import create_transports

    if profile_id is None:
        raise InputError("a test is a copy of somebody's message: say whose with --for.")
    with closing(create_transports(runtime.settings)) as transports:
        return send_copy(runtime, transports, template, profile_id, to, entry=entry)


def _plain(text: str) -> str:
    """`text` of somebody else, in which the terminal's markup means nothing."""
    from rich.markup import escape

    return escape(text)


def _write(rendered: Preview, settings: Settings, folder: Path | None, *, takes_pictures: bool) -> list[Path]:
    """The parts of the message as files in `folder`, named after the template; answers what was written."""
    from campaigns.preview import embed_assets
    from core.errors import InputError

    if folder is None:
        return []
    contents = {f"{rendered.template}.txt": rendered.text.encode()}
    if rendered.html:
        contents[f"{rendered.template}.html"] = embed_assets(rendered.html, settings).encode()
    if takes_pictures:
        if not rendered.html:
            raise InputError(f"'{rendered.template}' is for {rendered.channel} and has no look: leave out --png.")
        from campaigns.pictures import take_pictures

        pictures = take_pictures(contents[f"{rendered.template}.html"].decode())
        contents |= {f"{rendered.template}-{width}.png": picture for width, picture in pictures.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]
