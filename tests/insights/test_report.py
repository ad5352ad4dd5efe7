"""The report is one page that needs nothing else and can be read on every screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.runtime import Runtime
from insights.renew import renew_insights
from insights.report import render_report
from tests.insights.buyers import add_orders, add_people, drawn_orders
from tests.tracking.chromium import chromium


@pytest.fixture
def page(runtime: Runtime) -> str:
    with runtime.database.transaction() as connection:
        add_orders(connection, drawn_orders(add_people(connection, 1, 600)))
    return render_report(renew_insights(runtime))


def test_the_page_asks_for_nothing_when_it_is_opened(page: str) -> None:
    assert not re.search(r"<(script|link|img|iframe|object)|@import|url\((?!#)|\bon\w+=", page)
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page).replace("http-equiv", "")
    ids = re.findall(r'id="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_every_plot_takes_its_colours_from_the_page_when_it_is_dark(page: str) -> None:
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert [re.search(r'aria-label="([^:"]*)', plot)[1] for plot in plots[::2]] == [  # type: ignore[index]  # all have one
        "RFM map of 600 customers",
        "Value concentration",
        "Cohort retention",
        "Calibration on the held-out days",
    ]
    for plot in plots:
        assert not re.search(r"#[0-9a-f]{6}", re.sub(r'href="#[^"]*"', "", plot))
        assert "DejaVu" not in plot


def test_the_page_is_the_same_when_it_is_made_again(runtime: Runtime) -> None:
    card = renew_insights(runtime)
    assert render_report(card) == render_report(card)


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_runs_over_the_edge_when_the_screen_is_narrow_or_wide(page: str, tmp_path: Path, dark: bool) -> None:
    file = tmp_path / "insights.html"
    file.write_text(page, encoding="utf-8")
    with chromium() as tab:
        for width, size in ((320, "narrow"), (400, "narrow"), (1200, "wide")):
            tab.open(file.as_uri(), dark=dark, width=width)
            assert tab.run("document.documentElement.scrollWidth") <= width
            plots = tab.run(
                "[...document.querySelectorAll('svg')].map(one => [one.className.baseVal, one.clientWidth])"
            )
            assert [name for name, across in plots if across] == [size] * 4
            heights = "[...document.querySelectorAll('svg text')].map(one => one.getBoundingClientRect().height)"
            assert min(height for height in tab.run(heights) if height) >= 9
    assert tab.complaints == []
