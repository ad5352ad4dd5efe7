"""`postilion init`: a project folder, a workspace key and a database, each made only where it is missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import options_of
from cli.output import AsJson, print_json, say
from core.errors import InputError

if TYPE_CHECKING:
    from core.settings import Settings

_FOLDERS = ("segments", "lists", "campaigns", "journeys", "offers", "templates", "imports", "tests")
_IGNORED = ".postilion/\n"
_WORKSPACE = """\
# yaml-language-server: $schema=https://postilion.example/schema/workspace.schema.json
workspace: {slug}
name: {name}
timezone: Europe/London
currency: GBP
postal_address: Your company, Street 1, City    # the law wants it in marketing mail
attributes:
  first_name: {{kind: text, personal: true}}
  country: {{kind: text}}
topics:
  marketing: {{name: News and offers, kind: marketing}}
senders:
  # The configuration set tells SES where to report deliveries, bounces and complaints: see docs/how-to/ses.md.
  shop: {{channel: email, from: "{name} <hello@{slug}.example>", configuration_set: postilion}}
quiet_hours: {{from: "21:00", to: "08:00", then: wait}}
"""
_SEGMENT = """\
segment: newsletter
who:
  - {consent: email.marketing, is: granted}
"""
_JOURNEY = """\
# yaml-language-server: $schema=https://postilion.example/schema/journey.schema.json
journey: welcome
name: Welcome
status: draft    # nobody enters until it says live
enter: {segment: newsletter, when: enter}
reenter: never
defaults: {topic: marketing, sender: shop}
steps:
  - {id: hello, email: welcome}
"""
_TEMPLATE = """\
---
template: welcome
channel: email
subject: "Welcome, {{ profile.first_name | default('and thank you') }}"
preheader: Good to have you with us
topic: marketing
---
<mjml>
  <mj-body>
    <mj-section>
      <mj-column>
        <mj-text>Good to have you with us.</mj-text>
        <mj-text font-size="12px">
          {{ workspace.postal_address }} · <a href="{{ links.unsubscribe }}">Unsubscribe</a>
        </mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""
_TEST = """\
# yaml-language-server: $schema=https://postilion.example/schema/test.schema.json
test: welcome
name: Who subscribes late in the evening is welcomed the next morning
journey: welcome
profile:
  timezone: Europe/London
  attributes: {first_name: Alice}
given:
  - {at: 2026-06-01T22:00, consent: {email.marketing: granted}}
expect:
  - {at: 2026-06-02T08:00, email: welcome, end: completed}
"""
_FILES = {
    "segments/newsletter.yaml": _SEGMENT,
    "journeys/welcome.yaml": _JOURNEY,
    "templates/welcome.mjml": _TEMPLATE,
    "tests/welcome.yaml": _TEST,
}


def register(app: typer.Typer) -> None:
    app.command("init")(init)


def init(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Where the project shall stand.", show_default="this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a project: its folder, its key, its database. What is there already is kept."""
    from dataclasses import replace

    settings = options_of(context).settings
    if folder is not None:
        settings = replace(settings, project=str(folder))
    made = _write_folder(settings.project_folder)
    made += _prepare(settings)
    if as_json:
        print_json({"project": str(settings.project_folder), "made": made})
        return
    for line in made or ["everything is there already"]:
        say(f"[green]✓[/] {line}")
    say("\nNext: describe your shop in [bold]workspace.yaml[/], then `postilion check`, `test` and `apply`.")


def _write_folder(folder: Path) -> list[str]:
    made = []
    workspace = folder / "workspace.yaml"
    if not workspace.exists():
        slug = re.sub(r"[^a-z0-9]+", "_", folder.name.lower()).strip("_")
        if not re.match(r"[a-z]", slug):
            raise InputError(f"a workspace is named after its folder, and {folder.name!r} has no letter to begin with.")
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        workspace.write_text(_WORKSPACE.format(slug=slug, name=slug.replace("_", " ").title()), encoding="utf-8")
        for name, text in _FILES.items():
            (folder / name).write_text(text, encoding="utf-8")
        made.append(f"project folder {folder}")
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text(_IGNORED, encoding="utf-8")
    return made


def _prepare(settings: Settings) -> list[str]:
    import migrations
    from console.project import read_workspace_slug
    from core.keys import create_key
    from core.kms import wrapping_of
    from core.runtime import open_runtime

    made = []
    slug = read_workspace_slug(settings.project_folder)
    key = settings.key_path(slug)
    if not key.exists():
        if key.is_relative_to(settings.project_folder):
            raise InputError(f"the workspace key {key} would lie inside the project folder: keep it elsewhere.")
        create_key(key, wrapping_of(settings, slug))
        made.append(f"workspace key {key}: back it up apart from the database")
    with open_runtime(settings, slug) as runtime:
        migrations.upgrade(settings.database)
        made.append(f"database {runtime.database.url.render_as_string(hide_password=True)} up to date")
    return made
