"""Everything that is wrong with a project, in one run, with its place; the messages are a golden file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from console.check import check_project
from console.project import load_project, read_workspace_slug
from core.errors import ConfigError, InputError, NotFoundError, has_errors

ROOT = Path(__file__).resolve().parents[2]
BROKEN = Path(__file__).parent / "broken"


def test_reports_every_fault_in_one_run_sorted_by_place(golden: Callable[[str, str], None]) -> None:
    checked = check_project(load_project(BROKEN))
    assert list(checked.faults) == sorted(checked.faults)
    golden("console/check.txt", "".join(f"{fault}\n" for fault in checked.faults))


@pytest.mark.parametrize("name", ["shop", "retail"])
def test_finds_nothing_wrong_with_the_worked_projects(name: str) -> None:
    checked = check_project(load_project(ROOT / "examples" / name))
    assert not has_errors(checked.faults)


@pytest.mark.parametrize(
    ("opens", "codes"),
    [
        ("individual", set()),
        ("aggregate", {"W205"}),
        ("{default: individual, countries: {FR: off}}", {"W205"}),
        ("{default: individual, countries: {fr: off}}", {"E103"}),
        ("{default: sometimes}", {"E103"}),
    ],
)
def test_warns_of_opens_when_a_segment_counts_on_what_is_not_tracked(
    tmp_path: Path, opens: str, codes: set[str]
) -> None:
    head = "workspace: shop\ntimezone: UTC\ncurrency: GBP\n"
    (tmp_path / "workspace.yaml").write_text(f"{head}tracking: {{opens: {opens}}}\n")
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "readers.yaml").write_text("segment: readers\nwho: [{message: summer, was: opened}]\n")
    assert {fault.code for fault in check_project(load_project(tmp_path)).faults} == codes


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (None, []),
        (["churn", "value"], []),
        (["chern"], ["E120 unknown score 'churn', did you mean 'chern'?"]),
        ([], ["W201 no score 'churn' was recorded yet, so nobody has one, record it before the file goes live"]),
    ],
)
def test_score_is_unknown_when_others_are_recorded_and_it_is_not(
    tmp_path: Path, recorded: list[str] | None, expected: list[str]
) -> None:
    (tmp_path / "workspace.yaml").write_text("workspace: shop\ntimezone: UTC\ncurrency: GBP\n")
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "leaving.yaml").write_text("segment: leaving\nwho: [{not: {score: churn, is: 1}}]\n")
    faults = check_project(load_project(tmp_path), scores=recorded).faults
    assert [str(fault).partition(": ")[2] for fault in faults] == expected
    assert all((fault.line, fault.column) == (2, 21) for fault in faults)


def test_folder_without_a_workspace_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="postilion init"):
        load_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "error"), [("name: Shop\n", InputError), ("workspace: [1\n", ConfigError), ("- a\n", InputError)]
)
def test_workspace_without_a_name_is_refused(tmp_path: Path, text: str, error: type[Exception]) -> None:
    (tmp_path / "workspace.yaml").write_text(text)
    with pytest.raises(error):
        read_workspace_slug(tmp_path)
