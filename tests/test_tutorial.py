"""The tutorial, typed in as it stands: its files written, its commands run, in the order of the page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.documents import ROOT, Block, blocks

PAGE = ROOT / "docs" / "tutorial.md"
# These run until they are stopped, or prepare the machine; other tests have them.
PASSED_OVER = frozenset({"up", "sandbox"})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_tutorial_works_when_it_is_followed_word_by_word(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = here
    run_count = 0
    for block in blocks(PAGE):
        if block.file is not None:
            path = folder / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        for line, shown in _typed(block):
            words = shlex.split(line)
            if words[0] == "cd":
                folder = folder / words[1]
                monkeypatch.chdir(folder)
            elif words[0] == "postilion" and not PASSED_OVER.intersection(words):
                _run(words[1:], shown, f"{block}: {line}")
                run_count += 1
    assert run_count >= 12


def _typed(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block with the output that stands below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:] if block.language == "console" else ():
        line, *shown = part.splitlines()
        yield line, shown


def _run(words: list[str], shown: list[str], what: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, f"{what}\n{result.output}\n{result.exception}"
    for line in shown:
        # Places differ from machine to machine, and what is shown is shortened.
        if "/" not in line:
            said = _plain(result.output)
            assert all(word in said for word in _plain(line).split()), f"{what}\nmisses: {line}\nin:\n{result.output}"


def _plain(text: str) -> str:
    return re.sub(r"[✓✗`]", " ", text)
