"""What a launch says on the page of its run."""

from __future__ import annotations

from datetime import timedelta

from campaigns.launch import LaunchResult
from campaigns.run_page import as_markdown, moment_of_run
from tests.campaigns.shop import NOW


def test_a_run_stands_for_its_scheduled_moment_when_it_begins_a_breath_early() -> None:
    early = NOW - timedelta(milliseconds=350)
    assert moment_of_run(early, NOW) == NOW
    assert moment_of_run(NOW, NOW - timedelta(seconds=4)) == NOW
    assert moment_of_run(NOW, None) == NOW
    assert moment_of_run(NOW, NOW + timedelta(hours=1)) == NOW  # run by hand


def test_the_page_says_who_gets_what_when_a_campaign_was_launched() -> None:
    result = LaunchResult(
        "id", "summer", "2026-06-10T08:00:00Z", True, {"message": 1800, "held_out": 200, "consent": 7}
    )
    assert as_markdown("summer", [result]) == (
        "**summer**, 2026-06-10T08:00:00Z: 2,007 people addressed. 1,800 messages wait to be sent, "
        "200 people are held out to measure the effect, and 7 get nothing for the reasons below."
    )
    assert "Nothing of **summer** was due" in as_markdown("summer", [])
