from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import child_environment, load_settings
from tests.cli.test_commands import ROOT, Shell

OFFER = "offer: welcome\nrecommend: {model: bestsellers}\ncode: {pool: ten, expires_after: 14d}\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A project with an offer whose pool nobody has filled yet."""
    folder = tmp_path_factory.mktemp("codes")
    settings = load_settings({}, key_file=str(folder / "keys" / "shop.key"))
    shell = Shell(folder, child_environment(settings, PYTHONPATH=str(ROOT), COLUMNS="160"))
    assert shell.run("init", str(folder / "shop")).code == 0
    shell.write("shop/offers/welcome.yaml", OFFER)
    assert shell.run("check").code == 0
    assert shell.run("apply").code == 0
    return shell


def test_codes_are_imported_and_counted_when_files_of_either_kind_are_given(shop: Shell) -> None:
    assert "import some with" in shop.run("recommend", "codes", "status").out
    lines = shop.write("ten.txt", "\ufeffA-1\nA-2\n\nA-3\n")
    assert "3 new codes in the pool ten" in shop.run("recommend", "codes", "import", "ten", str(lines)).out
    table = shop.write("ten.csv", "nr,voucher\n1,A-3\n2,A-4\n")
    answer = shop.run("recommend", "codes", "import", "ten", str(table), "--column", "voucher", "--json")
    assert answer.document == {"pool": "ten", "new_count": 1, "known_count": 1}
    found = shop.run("recommend", "codes", "status", "--json").document
    assert found["missing"] == []
    (pool,) = found["pools"]
    assert (pool["name"], pool["code_count"], pool["free_count"], pool["is_low"]) == ("ten", 4, 4, False)
    assert "ten" in shop.run("recommend", "codes", "status").out


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        ("A-1,A-2\n", [], "line 1 has more than a code: name the column of a CSV with --column."),
        ("nr,voucher\n1,A\n", ["--column", "code"], "the file has no column 'code'; its columns are: nr, voucher."),
        ("A-1\nTWO WORDS\n", [], "code 2 is no code"),
        (None, [], "there is no file"),
    ],
)
def test_the_way_out_is_told_when_a_file_cannot_be_read(
    shop: Shell, tmp_path: Path, text: str | None, words: list[str], sentence: str
) -> None:
    file = tmp_path / "codes.txt"
    if text is not None:
        file.write_text(text)
    answer = shop.run("recommend", "codes", "import", "ten", str(file), *words)
    assert answer.code == 1
    assert sentence in " ".join(answer.error.split())


def test_nothing_is_compared_when_nobody_was_offered_anything(shop: Shell) -> None:
    assert "Nothing was offered to anybody" in shop.run("recommend", "lift").out
    answer = shop.run("recommend", "lift", "welcome", "--days", "14", "--json")
    (one,) = answer.document
    assert (one["treated"]["profile_count"], one["orders"], one["extra_revenue"]) == (0, None, None)
    assert shop.run("recommend", "lift", "welcome").code == 0
    assert shop.run("recommend", "lift", "unheard_of").code == 1
