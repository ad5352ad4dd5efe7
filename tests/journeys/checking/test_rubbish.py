"""Whatever is written into the worked examples, `postilion check` answers in time, with faults and no traceback."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from console.check import check_project
from console.checking.sarif import write_sarif
from console.project import FOLDERS, TEMPLATES, TESTS, WORKSPACE_FILE, load_project
from core.errors import Fault, has_errors
from core.fault_codes import FAULT_CODES
from tests.journeys.checking.spoilt import spoilt_documents, spoilt_texts

SHOP = Path(__file__).parents[3] / "examples" / "shop"
FILES = [
    WORKSPACE_FILE,
    *sorted(
        path.relative_to(SHOP).as_posix()
        for folder in (*FOLDERS, TEMPLATES, TESTS)
        for path in (SHOP / folder).glob("**/*.*")
    ),
]
YAML = [file for file in FILES if file.endswith(".yaml")]
TEXTS = {file: (SHOP / file).read_text() for file in FILES}
WORDS = sorted({word for text in TEXTS.values() for word in re.findall(r"[\w.]+", text)})
PATIENCE_S = 10  # a check of the shop takes a tenth of a second


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rubbish") / "shop"
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SHOP / file, folder / file)
    return folder


def test_the_examples_are_sound(shop: Path) -> None:
    assert checked(shop, FILES[0], TEXTS[FILES[0]]) == []


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FILES), st.data())
def test_faults_and_no_traceback_when_a_file_is_spoilt_as_text(shop: Path, file: str, data: DataObject) -> None:
    judge(checked(shop, file, data.draw(spoilt_texts(TEXTS[file], WORDS))))


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(YAML), st.data())
def test_faults_and_no_traceback_when_parts_of_a_file_are_exchanged(shop: Path, file: str, data: DataObject) -> None:
    judge(checked(shop, file, data.draw(spoilt_documents(TEXTS[file], [TEXTS[other] for other in YAML]))))


def checked(shop: Path, file: str, content: str) -> list[Fault]:
    """What is wrong when `file` holds `content`; the file is as it was afterwards."""
    started = time.monotonic()
    try:
        (shop / file).write_bytes(content.encode("utf-8", "surrogatepass"))
        return list(check_project(load_project(shop)).faults)
    finally:
        (shop / file).write_text(TEXTS[file])
        assert time.monotonic() - started < PATIENCE_S


def judge(faults: list[Fault]) -> None:
    assert faults == sorted(set(faults))
    for fault in faults:
        assert fault.code in FAULT_CODES, fault
        assert fault.message, fault
        assert fault.hint, fault
        assert fault.line >= 1, fault
        assert 1 <= fault.column <= fault.end_column, fault
    assert len(write_sarif(faults, Path())["runs"][0]["results"]) == len(faults)
    assert has_errors(faults) is any(fault.code.startswith("E") for fault in faults)
