from __future__ import annotations

import json
from pathlib import Path

from core.settings import child_environment, load_settings
from recommender.widget.script import CSS, widget
from tests.cli.test_commands import ROOT, Shell


def test_what_a_page_needs_is_printed_when_the_shop_asks(tmp_path: Path) -> None:
    key_file = str(tmp_path / "keys" / "shop.key")
    settings = load_settings({}, key_file=key_file, public_url="https://t.shop.example/")
    shell = Shell(tmp_path, child_environment(settings, PYTHONPATH=str(ROOT), COLUMNS="80"))
    assert shell.run("init", str(tmp_path / "shop")).code == 0
    assert shell.run("apply").code == 0
    answer = shell.run("widget")
    assert answer.code == 0, answer.error
    assert f'src="https://t.shop.example/w.{widget().digest}.js"' in answer.out
    assert f'integrity="{widget().integrity}" crossorigin="anonymous"></script>' in answer.out
    assert CSS in answer.out
    assert json.loads(shell.run("widget", "--json").out)["integrity"] == widget().integrity
