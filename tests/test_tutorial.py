"""The tutorial, typed in as it stands: its files written, its commands run, in the order of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import ROOT
from tests.following import follow


def test_tutorial_works_when_it_is_followed_word_by_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert follow(ROOT / "docs" / "tutorial.md", tmp_path, monkeypatch) >= 12
