"""Each code, shown by a file that has the fault: `tests/golden/faults/<code>_<what>`, messages beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import Fault
from core.fault_codes import FAULT_CODES
from core.located import load_yaml, split_front_matter
from core.schema_check import check_schema

FOLDER = Path(__file__).parents[1] / "golden" / "faults"
BAD_FILES = sorted(path for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".txt")


def faults_in(path: Path) -> list[Fault]:
    """What is wrong in a golden file, which says in a remark at its head which file it stands for."""
    text = path.read_bytes()
    named = re.search(rb"# file: (\S+)", text)
    assert named is not None
    file = named[1].decode()
    kind = file.split("/")[0].removesuffix(".yaml").removesuffix("s")
    if kind == "template":
        front, faults = split_front_matter(text, file)
        return sorted(faults + check_schema(front.head, kind)) if front else faults
    located, faults = load_yaml(text, file)
    return sorted(faults + check_schema(located, kind)) if located else faults


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_every_fault_is_told_with_its_place_when_a_file_is_bad(path: Path, golden: Callable[[str, str], None]) -> None:
    faults = faults_in(path)
    golden(f"faults/{path.stem}.txt", "".join(f"{fault}\n" for fault in faults))
    assert path.stem.split("_")[0] in {fault.code for fault in faults}


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_a_fault_has_a_known_code_a_way_out_and_a_span_when_it_is_told(path: Path) -> None:
    for fault in faults_in(path):
        assert fault.code in FAULT_CODES
        assert fault.hint, fault
        assert fault.line >= 1
        assert 1 <= fault.column <= fault.end_column, fault
