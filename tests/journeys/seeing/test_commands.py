"""The commands by which a marketer sees a journey, in a project of three files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from core.errors import PostilionError
from core.keys import create_key

WORKSPACE = """\
workspace: shop
name: Fern & Kettle
timezone: Europe/London
currency: GBP
postal_address: 1 Fern Row, Bath
topics: {news: {name: News, kind: marketing}}
attributes: {first_name: {kind: text}}
events: {signed_up: {properties: {source: text}}}
"""
JOURNEY = """\
journey: welcome
status: live
enter: {event: signed_up, where: {source: web}}
steps:
  - {id: patience, wait: 2d}
  - {id: mark, set: {first_name: Alex}}
"""
IMPORT = """\
import: profiles
source: test
columns: {external_id: external_id, email: email, first_name: first_name}
"""


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = {"workspace.yaml": WORKSPACE, "journeys/welcome.yaml": JOURNEY, "imports/profiles.yaml": IMPORT}
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "people.csv").write_text("external_id,email,first_name\nalice,alice@people.example,Alice\n")

    def run(self, *words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["--project", str(self.folder), *words])
        told = str(result.exception) if isinstance(result.exception, PostilionError) else ""
        return result.exit_code, result.output + told


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("POSTILION_KEY_FILE", str(tmp_path / "shop.key"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path / "shop")
    create_key(tmp_path / "shop.key")
    for words in (("apply",), ("import", "profiles", str(project.folder / "people.csv"))):
        code, output = project.run(*words)
        assert code == 0, output
    return project


def test_the_drawing_is_written_or_printed_when_somebody_asks_for_a_graph(project: Project, tmp_path: Path) -> None:
    assert project.run("graph", "welcome") == (0, "Written: welcome.svg\n")
    assert (tmp_path / "welcome.svg").read_text(encoding="utf-8").startswith("<svg ")
    code, output = project.run("graph", "welcome", "--mermaid", "--version", "1")
    assert (code, output.splitlines()[:2]) == (0, ["flowchart TD", '  e1(["signed_up<br/>where source is web"])'])
    code, output = project.run("graph", "welcom")
    assert code != 0
    assert "there is no published journey named 'welcom'" in output


def test_both_explanations_answer_when_somebody_never_came(project: Project) -> None:
    code, output = project.run("explain", "alice", "welcome")
    assert code == 0
    assert "Never came to it. Ask `postilion why-not '#1' welcome`." in output
    code, output = project.run("why-not", "alice@people.example", "welcome")
    assert code == 0
    assert "Never met signed_up, by which people come in." in output


def test_programs_get_documents_when_they_ask_for_json(project: Project) -> None:
    code, output = project.run("why-not", "alice", "welcome", "--json")
    told = json.loads(output)
    assert (code, [one["why"] for one in told["reasons"]]) == (0, ["never_came"])
    code, output = project.run("explain", "alice", "welcome", "--json")
    assert (code, json.loads(output)["runs"]) == (0, [])


def test_a_test_is_refused_when_the_journey_sends_nothing(project: Project) -> None:
    code, output = project.run("send-test", "welcome", "--to", "me@studio.example")
    assert code != 0
    assert "the journey 'welcome' sends no messages" in output
