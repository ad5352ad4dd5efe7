"""Commands as a person or a program runs them: what they answer, with which exit code, and never a traceback."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.settings import child_environment, load_settings

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "examples" / "shop"
ORDERS = "order,when,who,sku,quantity,price\n1,2026-01-02 10:00,A,TEA-1,2,3.50\n2,2026-01-03 11:00,,TEA-1,1,3.50\n"
MAPPING = """\
import: orders
source: till
timezone: Europe/London
currency: GBP
columns: {order_id: order, placed_at: when, external_id: who, sku: sku, quantity: quantity, unit_price: price}
"""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    error: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Runs `postilion` in a folder of its own."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *words: str, limit: Callable[[], None] | None = None) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "--project", str(self.folder / "shop"), *words],
            cwd=ROOT,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=limit,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    settings = load_settings({}, key_file=str(tmp_path / "keys" / "shop.key"))
    return Shell(tmp_path, child_environment(settings, PYTHONPATH=str(ROOT), COLUMNS="100"))


@pytest.fixture
def shop(shell: Shell) -> Shell:
    """A new project, published."""
    assert shell.run("init", str(shell.folder / "shop")).code == 0
    assert shell.run("apply").code == 0
    return shell


def test_new_project_is_right_and_can_be_published_when_just_made(shell: Shell) -> None:
    made = shell.run("init", str(shell.folder / "shop"), "--json")
    assert made.code == 0
    assert len(made.document["made"]) == 3
    assert shell.run("check", "--json").document == []
    published = shell.run("apply", "--json").document
    assert {(change["kind"], change["what"]) for change in published} == {
        (kind, "new") for kind in ("workspace", "segment", "journey", "template")
    }
    again = shell.run("apply", "--json").document
    assert {change["what"] for change in again} == {"unchanged"}


def test_key_lies_outside_the_project_and_is_private_when_made(shop: Shell) -> None:
    key = shop.folder / "keys" / "shop.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert not list((shop.folder / "shop").rglob("*.key"))
    key.chmod(0o644)
    answer = shop.run("segments", "list")
    assert (answer.code, "chmod 600" in answer.error) == (3, True)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["check"], 1, "postilion init"),
        (["apply"], 1, "postilion init"),
        (["segments", "list"], 1, "postilion init"),
        (["nonsense"], 2, "No such command"),
        (["launch"], 2, "Missing argument"),
    ],
)
def test_says_the_way_out_when_there_is_no_project_or_the_words_are_wrong(
    shell: Shell, words: list[str], code: int, sentence: str
) -> None:
    answer = shell.run(*words)
    assert (answer.code, sentence in answer.error) == (code, True), answer.error


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["launch", "spring"], "no published campaign named 'spring'"),
        (["segments", "explain", "ALICE", "newsletter"], "nobody is known by that"),
        (["segments", "explain", "ALICE", "newsleter"], "no published segment named 'newsleter'"),
        (["import", "orders", "missing.csv"], "cannot be read"),
        (["recommend", "rules"], "no rules are published"),
    ],
)
def test_says_what_is_missing_when_something_is_asked_for_that_is_not_there(
    shop: Shell, words: list[str], sentence: str
) -> None:
    answer = shop.run(*words)
    assert (answer.code, sentence in answer.error) == (1, True), answer.error


def test_instant_that_is_none_is_refused_with_an_example(shop: Shell) -> None:
    answer = shop.run("--now", "yesterday", "segments", "list")
    assert (answer.code, "2026-06-10" in answer.error) == (1, True)


def test_nothing_is_published_when_one_file_is_wrong(shop: Shell) -> None:
    shop.write("shop/segments/loyal.yaml", "segment: loyal\nwho:\n  - {segment: newsleter}\n")
    shop.write("shop/segments/late.yaml", "segment: late\nwho:\n  - {event: order_placed, withn: 30d}\n")
    answer = shop.run("apply")
    assert answer.code == 1
    assert "segments/loyal.yaml:3:15: E120 unknown segment 'newsleter', did you mean 'newsletter'?" in answer.error
    assert "segments/late.yaml:3:27: E102" in answer.error
    faults = shop.run("check", "--json").document
    assert [(fault["file"], fault["code"]) for fault in faults] == [
        ("segments/late.yaml", "E102"),
        ("segments/loyal.yaml", "E120"),
    ]
    assert [row["segment"] for row in shop.run("segments", "refresh", "--json").document] == ["newsletter"]


def test_importing_twice_changes_nothing_and_a_program_reads_the_counts(shop: Shell) -> None:
    file, mapping = shop.write("orders.csv", ORDERS), shop.write("orders.yaml", MAPPING)
    words = ("import", "orders", str(file), "--mapping", str(mapping), "--json")
    first, second = shop.run(*words).document, shop.run(*words).document
    assert (first["read_count"], first["imported_count"], first["rejected"]) == (2, 2, {})
    assert (second["imported_count"], second["is_repeat"]) == (0, True)


def test_disk_that_is_full_is_said_in_one_sentence_and_nothing_is_half_written(shop: Shell) -> None:
    lines = [f"{number},2026-01-02 10:00,A,TEA-{number % 50},1,3.50" for number in range(60_000)]
    file = shop.write("orders.csv", "order,when,who,sku,quantity,price\n" + "\n".join(lines) + "\n")
    mapping = shop.write("orders.yaml", MAPPING)
    words = ("import", "orders", str(file), "--mapping", str(mapping))

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))

    answer = shop.run(*words, limit=small_disk)
    assert answer.code == 3, answer.error
    assert len([line for line in answer.error.splitlines() if line.startswith("postilion:")]) == 1
    done = shop.run(*words, "--json").document
    assert done["imported_count"] + done["unchanged_count"] == 60_000


def test_help_loads_no_heavy_library(shell: Shell) -> None:
    code = (
        "import sys; sys.argv = ['postilion', '--help']\n"
        "from cli.main import app\n"
        "try: app()\nexcept SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'prefect', 'boto3', 'duckdb', 'pandas', 'mlxtend', 'jinja2', 'starlette', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=dict(shell.environment), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
