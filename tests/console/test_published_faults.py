"""Codes that `plan` and `check` tell with a database at hand: `tests/golden/faults/published/<code>_<what>`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from console.check import check_project
from console.checking.data import look
from console.plan import make_plan
from console.project import load_project
from console.publish import publish_project
from console.segment_costs import check_costs
from core.errors import Fault
from tests.journeys.checking.overlay import SHOP, Piece, lay, read_pieces
from tests.journeys.conftest import MakeTown, make_town, vault
from tests.journeys.town import Town

__all__ = ["make_town", "vault"]  # fixtures

FOLDER = Path(__file__).parents[1] / "golden" / "faults" / "published"
FILES = sorted(FOLDER.glob("*.yaml"))
_ESTIMATE = re.compile(r"look at [\d,]+ rows")  # each engine has its own
SOUND = {path.relative_to(SHOP).as_posix() for path in SHOP.rglob("*.*")}
_COMMAND = re.compile(r"# command: (check|plan)( --migrate)?\n")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_only_the_database_knows_is_told_with_its_place_and_a_way_out(
    path: Path, golden: Callable[[str, str], None], make_town: MakeTown, database_url: str, tmp_path: Path
) -> None:
    text = path.read_text()
    command = _COMMAND.match(text)
    assert command is not None
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder)
    town = make_town()
    pieces = read_pieces(text)
    _publish(town, folder, pieces)
    _let_in(town, pieces)
    for piece in pieces:
        if piece.kind == "file":
            lay(folder / piece.subject, piece.content.encode())
        elif piece.kind == "gone":
            (folder / piece.subject).unlink()
    faults = list(_faults(town, folder, database_url, command[1], moves=bool(command[2])))
    told = "".join(f"{_ESTIMATE.sub('look at … rows', str(fault))}\n" for fault in faults)
    golden(f"faults/published/{path.stem}.txt", told)
    assert path.stem.partition("_")[0] in {fault.code for fault in faults}
    assert all(fault.hint for fault in faults)


def _publish(town: Town, folder: Path, pieces: list[Piece]) -> None:
    for piece in pieces:
        if piece.kind == "in force":
            lay(folder / piece.subject, piece.content.encode())
    with town.runtime.database.transaction() as connection:
        publish_project(connection, load_project(folder), town.clock.now())


def _let_in(town: Town, pieces: list[Piece]) -> None:
    for piece in pieces:
        for number in range(piece.count if piece.kind == "people" else 0):
            name = f"{piece.subject}{number}"
            town.person(name)
            town.log(piece.subject, name)
    town.work()


def _faults(town: Town, folder: Path, url: str, command: str, *, moves: bool) -> Iterator[Fault]:
    runtime, project = town.runtime, load_project(folder)
    if command == "plan":
        plan = make_plan(runtime, project, town.clock.now(), moves=moves)
        assert plan.is_refused
        yield from plan.faults
        return
    settings = replace(runtime.settings, database_url=url, segment_rows="1")
    seen = look(settings)
    yield from check_project(project, seen.in_force, seen=seen.events).faults
    dear = check_costs(project, settings, town.clock.now())
    yield from (fault for fault in dear if fault.file not in SOUND)  # each engine has its own idea of the others
