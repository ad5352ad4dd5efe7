"""A template with a partial and an asset, from its files to a picture of the mail."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from typer.testing import CliRunner

from campaigns.pictures import find_chromium, take_pictures
from cli.main import app
from core.errors import EnvironmentFaultError, PostilionError
from core.keys import create_key

WORKSPACE = """\
workspace: shop
name: Fern & Kettle
timezone: Europe/London
currency: GBP
postal_address: 1 Fern Row, Bath
topics: {news: {name: News, kind: marketing}}
attributes: {first_name: {kind: text}}
"""
LETTER = """\
---
template: letter
channel: email
subject: "[bold]Hello[/bold], {{ profile.first_name }}"
topic: news
---
<mjml><mj-body><mj-section><mj-column>
  <mj-image src="{{ asset('logo.svg') }}" />
  <mj-text>Something to pour, something to plant, something to light when the garden finally goes quiet.</mj-text>
</mj-column></mj-section>
{% include "partials/foot.mjml" %}
</mj-body></mjml>
"""
FOOT = """\
<mj-section><mj-column>
  <mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ workspace.postal_address }}</mj-text>
</mj-column></mj-section>
"""
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50"><rect width="100" height="50" fill="red"/></svg>'
)


class Project:
    """A project folder, and commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("workspace.yaml", WORKSPACE)
        self.write("templates/letter.mjml", LETTER)
        self.write("templates/partials/foot.mjml", FOOT)
        self.write("assets/logo.svg", LOGO)

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def run(self, *words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["--project", str(self.folder), *words])
        told = f"{result.exception}" if isinstance(result.exception, PostilionError) else ""
        return result.exit_code, result.output + told


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("POSTILION_KEY_FILE", str(tmp_path / "shop.key"))
    monkeypatch.setenv("COLUMNS", "200")
    project = Project(tmp_path / "shop")
    create_key(tmp_path / "shop.key")
    code, output = project.run("apply")
    assert code == 0, output
    return project


def test_files_hold_the_mail_with_its_asset_when_a_folder_is_named(project: Project, tmp_path: Path) -> None:
    code, output = project.run("preview", "letter", "--out", str(tmp_path / "look"))

    assert code == 0, output
    assert "Subject: [bold]Hello[/bold], Alex" in output
    assert "templates/letter.mjml:4:1: W216 the mail has no preheader" in output
    assert "templates/letter.mjml:8:3: W210 <mj-image> has no alt text" in output
    html = (tmp_path / "look" / "letter.html").read_text(encoding="utf-8")
    assert 'src="data:image/svg+xml;base64,' in html
    assert "1 Fern Row, Bath" in (tmp_path / "look" / "letter.txt").read_text(encoding="utf-8")


def test_new_version_is_published_when_only_a_partial_or_an_asset_changes(project: Project) -> None:
    assert "0 changed" in project.run("apply")[1]
    project.write("templates/partials/foot.mjml", FOOT.replace("Unsubscribe", "Leave"))
    assert "1 changed" in project.run("apply")[1]
    assert "Leave" in project.run("preview", "letter")[1]
    project.write("assets/logo.svg", LOGO.replace("red", "blue"))
    assert "1 changed" in project.run("apply")[1]
    assert len(list((project.folder / ".postilion" / "assets").glob("*/logo.svg"))) == 2


def test_fault_names_the_partial_when_the_project_is_checked(project: Project) -> None:
    project.write("templates/partials/foot.mjml", FOOT.replace("</mj-text>", ""))

    code, output = project.run("check")

    assert code == 1
    assert "templates/partials/foot.mjml:2:3: E170 <mj-text> is not closed before </mj-column>" in output
    assert "included in templates/letter.mjml, line 11" in output


@pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed")
def test_pictures_have_the_widths_of_a_desk_and_a_phone_when_they_are_asked_for(
    project: Project, tmp_path: Path
) -> None:
    code, output = project.run("preview", "letter", "--png", "--out", str(tmp_path / "look"))

    assert code == 0, output
    for width in (600, 375):
        header = (tmp_path / "look" / f"letter-{width}.png").read_bytes()[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        wide, high = struct.unpack(">II", header[16:])
        assert wide == 2 * width
        assert 200 < high < 2_000


@pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed")
def test_nothing_leaves_the_machine_when_a_mail_is_pictured() -> None:
    html = '<script>document.body.style.height="5000px"</script><img src="http://127.0.0.1:1/x.png"><p>Hello</p>'

    (picture,) = take_pictures(html, [400]).values()

    assert struct.unpack(">II", picture[16:24])[1] < 1_000


def test_way_out_is_told_when_no_chromium_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EnvironmentFaultError, match="apt install chromium"):
        take_pictures("<p>Hello</p>")
