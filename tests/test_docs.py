"""The documentation says what is so: nothing is undocumented, examples are right, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import typer
from starlette.routing import Route

import docs.generate
from campaigns.definition import parse_campaign
from cli.main import app
from console.app import create_app
from console.project import FOLDERS
from core.database import Database
from core.errors import Fault
from core.keys import WorkspaceKey
from core.located import Located, load_yaml
from core.runtime import Runtime
from core.schema_check import check_schema
from core.schema_files import schema_names
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.consent import Basis
from customers.imports.fields import FIELDS
from delivery.tables import MessageStatus
from docs.pages.commands import iter_commands, options_of
from journeys.definition import parse_journey
from journeys.steps.registry import VERBS
from recommender.offer_definition import parse_offer
from sandbox.simulator import Outcome
from segments.definition import parse_segment
from segments.language.parser import LEAVES, NOT_YET
from tests.documents import ROOT, Block, anchors, blocks, commands, links, pages
from tracking.classify import RATIOS

REFERENCE = ROOT / "docs" / "reference"
PAGES = pages()
BLOCKS = [block for page in PAGES for block in blocks(page)]
KINDS = {**FOLDERS, "imports": "mapping", "tests": "test"}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# -- the reference is what the code says ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", docs.generate.PAGES)
def test_reference_page_is_what_the_code_says_when_made_anew(page: str) -> None:
    written = (REFERENCE / page).read_text(encoding="utf-8")
    assert written == docs.generate.PAGES[page](), "run `python -m docs.generate` and commit what it changes"


def test_every_table_has_a_section_when_the_database_has_it(database: Database) -> None:
    names = set(sqlalchemy.inspect(database.engine).get_table_names()) - {"alembic_version"}
    assert len(names) >= 30
    assert {name for name in names if name not in anchors(REFERENCE / "tables.md")} == set()


def test_every_kind_of_file_has_a_section_when_it_has_a_schema() -> None:
    headings = anchors(REFERENCE / "yaml.md")
    assert [kind for kind in schema_names() if f"{kind}-files" not in headings] == []


def test_every_route_is_on_the_http_page_when_the_web_server_has_it(runtime: Runtime) -> None:
    rows = re.findall(r"^\| ([A-Z, ]+) \| `([^`]+)` \|", (REFERENCE / "http.md").read_text(), re.MULTILINE)
    written = {(method, path) for methods, path in rows for method in methods.split(", ")}
    assert written == set(_routes(runtime))


def _routes(runtime: Runtime) -> Iterator[tuple[str, str]]:
    for route in create_app(runtime).routes:
        assert isinstance(route, Route)
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        yield from ((method, path) for method in (route.methods or {"GET"}) - {"HEAD"})


@pytest.fixture
def runtime(tmp_path: Path, database: Database, clock: Any) -> Iterator[Runtime]:
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path}/keys.db"))
    vault.create_store()
    yield Runtime(Settings(state=str(tmp_path)), database, vault, clock)
    vault.close()


WORDS: list[tuple[str, Iterable[str]]] = [
    ("delivery.md", MessageStatus),
    ("how-to/import-your-data.md", {word for fields in FIELDS.values() for word in fields.known}),
    ("how-to/sandbox.md", Outcome),
    ("journeys.md", VERBS),
    ("privacy.md", Basis),
    ("segments.md", (*LEAVES, *NOT_YET)),
    ("people-and-machines.md", RATIOS),
]


@pytest.mark.parametrize(("page", "words"), WORDS, ids=[page for page, _ in WORDS])
def test_word_is_explained_on_its_page_when_the_code_knows_it(page: str, words: Iterable[str]) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert [word for word in words if not re.search(rf"\b{re.escape(word)}\b", text)] == []


def test_every_decision_and_page_is_reached_when_one_begins_at_the_index() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = [(page.parent / target.partition("#")[0]).resolve() for target in links(page)]
        waiting += [one for target in targets for one in (sorted(target.glob("*.md")) if target.is_dir() else [target])]
        waiting = [one for one in waiting if one.suffix == ".md"]
    assert [named(page) for page in PAGES if page.is_relative_to(ROOT / "docs") and page not in reached] == []


# -- examples are right -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "yaml"], ids=str)
def test_example_file_has_no_fault_when_it_is_checked(block: Block) -> None:
    assert block.file is not None, "begin the block with its file, such as `# segments/vip.yaml`"
    assert _faults(block.file, block.text) == []


def _faults(file: str, text: str) -> list[Fault]:
    kind = KINDS.get(file.partition("/")[0], file.removesuffix(".yaml"))
    located, faults = load_yaml(text.encode(), file)
    assert located is not None, faults
    return faults + check_schema(located, kind) + _meaning(kind, located, file)


def _meaning(kind: str, located: Located, file: str) -> list[Fault]:
    match kind:
        case "segment":
            return parse_segment(located, file, None)[1]
        case "campaign":
            return parse_campaign(located, file)[1]
        case "journey":
            return parse_journey(located, file)[1]
        case "offer":
            return parse_offer(located, None)[1]
    return []


def test_conditions_have_no_fault_when_they_stand_in_the_table_of_segments() -> None:
    text = (ROOT / "docs" / "segments.md").read_text(encoding="utf-8")
    examples = re.findall(r"^\| .* \| `(\{.*?\})` \|", text, re.MULTILINE)
    assert len(examples) >= 11
    for example in examples:
        assert _faults("segments/example.yaml", f"segment: example\nwho: [{example}]\n") == [], example


COMMANDS = dict(iter_commands(typer.main.get_command(app), ()))
TYPED = [(block, line) for block in BLOCKS if block.language == "console" for line in commands(block)]


@pytest.mark.parametrize(("block", "line"), TYPED, ids=[f"{block}-{line}" for block, line in TYPED])
def test_command_exists_with_its_options_when_a_page_types_it(block: Block, line: str) -> None:
    words = shlex.split(line)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), "no such target"
    elif words[0] == "postilion":
        command, rest = _command(words)
        options = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert options <= options_of(command)
    else:
        assert words[0] in {"cd", "export"}, "only commands that this project has"


def _command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that is meant, and the words behind it; options before it take one value each."""
    rest = words[1:]
    while rest[0].startswith("--"):
        assert rest[0] in ("--project", "--now")
        rest = rest[2:]
    for length in (3, 2, 1):
        name = " ".join(["postilion", *rest[:length]])
        if name in COMMANDS:
            return COMMANDS[name], rest[length:]
    raise AssertionError(f"there is no command {' '.join(rest[:2])}")


# -- pages hold together ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_and_pictures_lead_somewhere_when_they_stay_inside(page: Path) -> None:
    for target in links(page):
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(place), f"{target} names no heading"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_page_names_no_place_of_one_machine_when_it_is_read_on_another(page: Path) -> None:
    found = re.findall(r"(?<![\w.~/])/(?:work|tmp|root|home|Users)/\S*", page.read_text(encoding="utf-8"))
    assert found == []


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"])
def test_file_is_there_when_somebody_looks_for_it(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8").strip()


def test_version_is_in_the_changelog_when_the_project_has_it() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_dependency_has_its_reason_when_the_project_needs_it() -> None:
    declared = re.findall(r'^    "([a-z0-9.-]+)(?:\[.*?\])?[<>=]', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert [name for name in declared if name not in text] == []
