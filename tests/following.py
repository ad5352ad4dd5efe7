"""Follows a page of the documentation word by word: writes the files it shows, types its commands, reads on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.documents import Block, blocks

# These run until they are stopped, or prepare the machine; other tests have them.
_PASSED_OVER = frozenset({"up", "sandbox"})


def follow(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Do what the page says, beginning in `folder`; answers how many commands were run. Fails with the first that does.

    What a page shows below a command must be in its output, word by word.
    """
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    run_count = 0
    for block in blocks(page):
        if block.file is not None:
            path = folder / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        for line, shown in _typed(block):
            words = shlex.split(line)
            if words[0] == "cd":
                folder = folder / words[1]
                monkeypatch.chdir(folder)
            elif words[0] == "postilion" and not _PASSED_OVER.intersection(words):
                _run(words[1:], shown, f"{block}: {line}")
                run_count += 1
    return run_count


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
