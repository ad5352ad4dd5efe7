"""Each code of meaning, shown by files that have the fault: `tests/golden/faults/meaning/<code>_<what>`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.fault_codes import FAULT_CODES
from tests.journeys.checking.overlay import faults_of

FOLDER = Path(__file__).parents[2] / "golden" / "faults"
BAD_FILES = sorted((FOLDER / "meaning").glob("*.yaml"))


def test_the_shop_below_the_bad_files_is_sound(tmp_path: Path) -> None:
    assert faults_of("", tmp_path) == []


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_every_fault_is_told_with_its_place_and_a_way_out_when_files_contradict_each_other(
    path: Path, golden: Callable[[str, str], None], tmp_path: Path
) -> None:
    faults = faults_of(path.read_text(), tmp_path)
    golden(f"faults/meaning/{path.stem}.txt", "".join(f"{fault}\n" for fault in faults))
    assert path.stem.partition("_")[0] in {fault.code for fault in faults}
    assert faults == sorted(faults)
    for fault in faults:
        assert fault.code in FAULT_CODES
        assert fault.hint, fault
        assert 1 <= fault.column <= fault.end_column, fault


def test_every_code_is_shown_by_a_golden_file() -> None:
    """Those of files as YAML are told by `tests/core`, those that only a database can know by `tests/console`."""
    shown = {path.stem.partition("_")[0] for path in FOLDER.rglob("*.txt")}
    assert shown == set(FAULT_CODES)
