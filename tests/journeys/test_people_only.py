"""What machines do with a mail, all the way: it moves no branch, stands in no column of people, ends no wait."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from campaigns.reporting.counts import count_messages
from delivery.tables import message
from tests.journeys.town import Town
from tracking.classify import Act, ActKind
from tracking.decoy import DECOY_LINK
from tracking.engagement import SETTLING, Engagement, record_engagement, settle_engagement

BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15"
JOURNEY = """journey: news
enter: {event: signed_up}
defaults: {topic: marketing}
steps:
  - {id: hello, email: hello}
  - {id: think, wait: 1d}
  - {if: {message: hello, was: clicked}, exit: clicked}
  - {if: {message: hello, was: opened}, exit: opened}
  - {exit: silent}
"""
Visit = tuple[ActKind, float, int | None, str]

SCANNER: list[Visit] = [
    (ActKind.OPENED, 40, None, BROWSER),
    (ActKind.CLICKED, 40.4, 1, BROWSER),
    (ActKind.DECOYED, 41, DECOY_LINK, BROWSER),
    (ActKind.CLICKED, 41.5, 2, BROWSER),
]
APPLE: list[Visit] = [(ActKind.OPENED, 300, None, "Mozilla/5.0")]
PERSON: list[Visit] = [(ActKind.OPENED, 3_600, None, BROWSER), (ActKind.CLICKED, 3_620, 1, BROWSER)]


def _visit(town: Town, visits: list[Visit]) -> None:
    """Somebody comes, so many seconds after the delivery, and it is settled in the heartbeat's way."""
    with town.runtime.database.transaction() as connection:
        row = connection.execute(select(message.c.token_id, message.c.sent_at)).one()
        connection.execute(update(message).values(delivered_at=row.sent_at))
        for kind, after_s, link_no, agent in visits:
            act = Act(kind, row.sent_at + timedelta(seconds=after_s), agent, link_no)
            record_engagement(connection, [Engagement(row.token_id, act)])
    town.clock.advance(timedelta(hours=2) + SETTLING)
    with town.runtime.database.transaction() as connection:
        settle_engagement(connection, town.runtime.vault, town.workspace, town.clock.now())


@pytest.mark.parametrize(
    ("visits", "outcome", "people", "machines"),
    [
        (SCANNER, "silent", (0, 0), (1, 1)),
        (APPLE, "silent", (0, 0), (1, 0)),
        (PERSON, "clicked", (1, 1), (0, 0)),
        (SCANNER + APPLE + PERSON, "clicked", (1, 1), (1, 1)),
    ],
    ids=["scanner", "prefetch", "person", "all of them"],
)
def test_a_branch_and_a_report_follow_people_alone_when_machines_visit_too(
    town: Town, visits: list[Visit], outcome: str, people: tuple[int, int], machines: tuple[int, int]
) -> None:
    town.person("alice")
    town.journey(JOURNEY)
    town.log("signed_up", "alice")
    town.work()
    _visit(town, visits)
    town.run_until("2026-06-03T09:00")
    assert town.runs() == [("ended", outcome)]
    with town.runtime.database.read() as connection:
        (funnel,) = count_messages(connection, message.c.origin == "news", message.c.origin, "GBP").values()
    assert (funnel.opened_by_people, funnel.clicked_by_people) == people
    assert (funnel.opened_by_machines, funnel.clicked_by_machines) == machines


def test_a_run_goes_on_as_it_went_when_its_click_turns_out_to_be_a_machines(town: Town) -> None:
    """What a journey did stays done; what is counted is put right."""
    town.person("alice")
    town.journey(JOURNEY)
    town.log("signed_up", "alice")
    town.work()
    _visit(town, [(ActKind.CLICKED, 60, 1, BROWSER)])
    town.run_until("2026-06-03T09:00")
    assert town.runs() == [("ended", "clicked")]
    _visit(town, [(ActKind.DECOYED, 75, DECOY_LINK, BROWSER)])
    with town.runtime.database.read() as connection:
        (funnel,) = count_messages(connection, message.c.origin == "news", message.c.origin, "GBP").values()
    assert (funnel.clicked_by_people, funnel.clicked_by_machines) == (0, 1)
    assert town.runs() == [("ended", "clicked")]
