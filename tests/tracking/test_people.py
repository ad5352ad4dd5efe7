from __future__ import annotations

import pytest

from benchmarks.people import KINDS, Scores, figures, measure, sessions
from tracking.classify import ActKind
from tracking.engagement import SETTLING


@pytest.fixture(scope="module")
def scores() -> Scores:
    return measure(sessions(5_000))


def test_people_are_told_from_machines_when_sessions_are_as_documented(scores: Scores) -> None:
    found = figures(scores)
    assert found["click_precision"] >= 0.98
    assert found["click_recall"] >= 0.97
    assert found["open_precision"] >= 0.99
    assert found["open_recall"] >= 0.97


def test_a_journey_is_told_right_when_only_ten_seconds_of_evidence_are_known() -> None:
    found = figures(measure(sessions(5_000), within=SETTLING))
    assert found["click_precision"] >= 0.98
    assert found["click_recall"] >= 0.97


@pytest.mark.parametrize(
    "kind", ["gateway", "crawler", "prober", "headless", "library", "cloud sandbox", "picture proxy"]
)
def test_machines_are_found_out_when_they_show_any_documented_sign(scores: Scores, kind: str) -> None:
    for act in (ActKind.OPENED, ActKind.CLICKED):
        score = scores.get((kind, act))
        if score is not None and score.machines:
            assert score.machines_taken / score.machines < 0.15


@pytest.mark.parametrize("kind", ["desktop", "phone", "Gmail", "Yahoo", "Apple Mail", "no pictures", "forwarded"])
def test_ordinary_readers_always_count_when_nothing_stands_between(scores: Scores, kind: str) -> None:
    for act in (ActKind.OPENED, ActKind.CLICKED):
        score = scores.get((kind, act))
        assert score is None or score.recall > 0.99


def test_prefetched_pictures_never_count_when_a_mail_service_fetches_them(scores: Scores) -> None:
    assert [scores[kind, ActKind.OPENED].machines_taken for kind in ("Gmail", "Apple Mail", "picture proxy")] == [
        0,
        0,
        0,
    ]


def test_nobody_can_tell_a_quiet_scanner_when_it_looks_like_a_person(scores: Scores) -> None:
    assert "quiet scanner" in KINDS
    assert scores["quiet scanner", ActKind.CLICKED].machines_taken > 0
