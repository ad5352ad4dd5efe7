"""Reports: every figure comes from its rows, and the parts add up."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from rich.console import Console
from sqlalchemy import insert, literal, select, update

from campaigns.launch import launch_campaign
from campaigns.report_html import render_html
from campaigns.report_table import render_table
from campaigns.reporting.charts import Bar, Whisker, bars, divided_bar, intervals
from campaigns.reports import Report, build_report
from campaigns.schedule import Occurrence
from campaigns.tables import audience_member
from core.errors import NotFoundError
from core.runtime import Runtime
from customers.consent import ConsentStatus
from customers.tables import customer_order, profile
from delivery.outbox import NewMessage, enqueue
from delivery.pauses import pause
from delivery.providers.transport import Reaction, TransportError
from delivery.tables import OriginKind, message
from tests.campaigns.recording import RecordingTransport, deliver_all
from tests.campaigns.shop import CAMPAIGN, NOW, add_people, open_shop
from tracking.attribution import credit_orders
from tracking.tables import engagement_event

LATER = NOW + timedelta(days=8)
HOUR = timedelta(hours=1)


def report(runtime: Runtime, name: str | None = "summer", **options: Any) -> Report:
    with runtime.database.read() as connection:
        return build_report(connection, LATER, name, **options)


def adds_up(found: Report) -> bool:
    funnel = found.funnel
    parts = (funnel.sent, funnel.held_out, sum(funnel.not_sent.values()), funnel.unknown, funnel.waiting)
    return funnel.addressed == sum(parts) + funnel.in_progress


def campaign_with_results(runtime: Runtime, people: int = 60) -> list[Any]:
    """A campaign that went out: one reply was lost, one mail refused; people and machines opened, some ordered."""
    open_shop(runtime, people=people)
    with runtime.database.transaction() as connection:
        add_people(connection, runtime.vault, ["bob", "ben"], consent=ConsentStatus.WITHDRAWN)
        add_people(connection, runtime.vault, ["erin"], channel="sms")
    launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    calls: list[str] = []

    def refuse(envelope: Any) -> None:
        calls.append(envelope.message_id)
        if len(calls) == 1:
            raise TransportError(Reaction.UNKNOWN, "ReadTimeoutError")
        if len(calls) == 2:
            raise TransportError(Reaction.REJECT, "MessageRejected")

    deliver_all(runtime, RecordingTransport(refuse=refuse))
    with runtime.database.transaction() as connection:
        sent = list(
            connection.execute(select(message).where(message.c.status == "sent").order_by(message.c.profile_id))
        )
        connection.execute(update(message).where(message.c.status == "sent").values(delivered_at=NOW))
        acts: list[tuple[Any, str, float]] = [(row, "opened", 0.9) for row in sent[:8]] + [
            (row, "opened", 0.1) for row in sent[5:15]
        ]
        acts += [(row, "opened", 0.8) for row in sent[:2]]  # twice, and counted once
        acts += [(row, "clicked", 0.9) for row in sent[:4]] + [(row, "clicked", 0.0) for row in sent[15:16]]
        acts += [(sent[0], "unsubscribed", 1.0)]
        connection.execute(insert(engagement_event), [_act(*act) for act in acts])
        orders = [_order(row.profile_id, 2_000, NOW + 2 * HOUR) for row in sent[:5]]
        held = connection.execute(select(audience_member).where(audience_member.c.is_holdout)).all()
        orders += [_order(held[0].profile_id, 1_000, NOW + 3 * HOUR)]
        orders += [
            _order(sent[0].profile_id, 9_000, NOW + timedelta(days=7), "late")
        ]  # at the end of the window: outside
        orders += [_order(sent[1].profile_id, 9_000, NOW - HOUR, "early")]
        orders += [{**_order(sent[2].profile_id, 9_000, NOW + HOUR, "foreign"), "currency": "EUR"}]
        connection.execute(insert(customer_order), orders)
    with runtime.database.transaction() as connection:  # a cursor reads what is committed
        credit_orders(connection, LATER)
    return sent


def _act(row: Any, kind: str, probability: float) -> dict[str, Any]:
    return {
        "message_id": row.id,
        "profile_id": row.profile_id,
        "kind": kind,
        "occurred_at": NOW + HOUR,
        "human_probability": probability,
        "reasons": [],
    }


def _order(profile_id: int, total: int, placed_at: Any, name: str = "first") -> dict[str, Any]:
    return {
        "key": f"order:{profile_id}:{name}",
        "kind": "order",
        "profile_id": profile_id,
        "placed_at": placed_at,
        "currency": "GBP",
        "total": total,
        "line_count": 1,
    }


def test_everybody_is_counted_once_when_a_campaign_is_reported(runtime: Runtime) -> None:
    sent = campaign_with_results(runtime)
    found = report(runtime)
    funnel = found.funnel
    assert adds_up(found)
    assert funnel.addressed == 63
    assert (funnel.sent, funnel.unknown, funnel.not_sent) == (
        len(sent),
        1,
        {"consent": 2, "no_address": 1, "rejected": 1},
    )
    assert funnel.held_out == 63 - len(sent) - 1 - 4
    assert (funnel.delivered, funnel.opened_by_people, funnel.opened_by_machines) == (len(sent), 8, 10)
    assert (funnel.clicked_by_people, funnel.clicked_by_machines, funnel.unsubscribed) == (4, 1, 1)
    assert (funnel.order_count, funnel.revenue) == (
        6,
        19_000,
    )  # credit counts from the click, comparison from the launch
    assert {part.kind for part in found.parts} == {"variant"}
    assert sum(part.funnel.sent for part in found.parts) == funnel.sent
    assert sum(part.funnel.revenue for part in found.parts) == funnel.revenue


def test_only_orders_of_the_window_count_when_treated_and_held_out_are_compared(runtime: Runtime) -> None:
    campaign_with_results(runtime)
    found = report(runtime)
    experiment = found.experiment
    assert experiment is not None
    assert experiment.whole is not None
    treated = experiment.whole.treated
    # Treated is who passed every filter, whether their message arrived or not.
    assert treated.profile_count == found.funnel.sent + found.funnel.unknown + 1
    assert (treated.order_count, treated.revenue, treated.buyer_count) == (5, 10_000, 5)
    assert experiment.held_out.profile_count == found.funnel.held_out
    assert (experiment.held_out.order_count, experiment.held_out.revenue) == (1, 1_000)
    assert {comparison.treated.name for comparison in experiment.variants} == {"letter", "short"}


def test_no_order_counts_twice_when_a_campaign_is_launched_again_within_its_window(runtime: Runtime) -> None:
    campaign_with_results(runtime)
    launch_campaign(runtime, "summer", Occurrence(NOW + timedelta(days=3)), NOW + timedelta(days=3))
    with runtime.database.transaction() as connection:
        (somebody,) = connection.execute(
            select(audience_member.c.profile_id).where(audience_member.c.message_id.is_not(None)).limit(1)
        ).scalars()
        order = _order(somebody, 5_000, NOW + timedelta(days=4), "between")
        connection.execute(insert(customer_order), [order])
    found = report(runtime)
    assert found.experiment is not None
    assert found.experiment.whole is not None
    assert found.experiment.whole.treated.revenue - 10_000 in (5_000, 14_000)  # 9,000 more fell into the second window
    assert [part.kind for part in found.parts].count("launch") == 2
    assert adds_up(found)
    first = next(part for part in found.parts if part.kind == "launch")
    assert first.funnel.addressed == 63


def test_one_launch_is_reported_alone_when_it_is_named(runtime: Runtime) -> None:
    campaign_with_results(runtime)
    again = launch_campaign(runtime, "summer", Occurrence(LATER), LATER)
    alone = report(runtime, launch_id=again.launch_id)
    assert (alone.funnel.addressed, alone.funnel.sent, alone.funnel.in_progress > 0) == (63, 0, True)
    with pytest.raises(NotFoundError):
        report(runtime, launch_id="other")


def test_what_waits_is_told_apart_from_what_is_on_its_way(runtime: Runtime) -> None:
    open_shop(runtime, people=10, quiet_hours={"from": "21:00", "to": "10:00"})
    launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    before = report(runtime)
    deliver_all(runtime, RecordingTransport())
    after = report(runtime)
    assert (before.funnel.waiting, before.funnel.in_progress) == (0, after.funnel.waiting)
    assert after.funnel.waiting > 0
    assert after.funnel.in_progress == 0
    assert adds_up(before)
    assert adds_up(after)


def test_a_journey_is_reported_by_its_steps_and_beside_its_holdout(runtime: Runtime) -> None:
    alice, bob, *others = open_shop(runtime, people=8)
    with runtime.database.transaction() as connection:
        new = [
            NewMessage(
                f"m{n}", one, "email", "marketing", "plain", OriginKind.JOURNEY, "win_back", f"e{n}", NOW, step=step
            )
            for n, (one, step) in enumerate([(alice, "first"), (alice, "second"), (bob, "first")])
        ]
        enqueue(connection, runtime.vault, new, NOW)
        connection.execute(insert(customer_order), [_order(alice, 3_000, NOW + HOUR)])
    deliver_all(runtime, RecordingTransport())

    def passages(_journey: str) -> Any:
        return select(
            profile.c.id.label("profile_id"),
            literal(NOW, customer_order.c.placed_at.type).label("entered_at"),
            profile.c.id.in_(others).label("is_holdout"),
        )

    found = report(runtime, "win_back", passages=passages)
    assert [(part.name, part.funnel.sent) for part in found.parts] == [("first", 2), ("second", 1)]
    assert (found.kind, found.funnel.sent, adds_up(found)) == ("journey", 3, True)
    assert found.experiment is not None
    assert found.experiment.whole is not None
    assert (found.experiment.whole.treated.profile_count, found.experiment.held_out.profile_count) == (2, 6)
    assert found.experiment.whole.treated.revenue == 3_000
    assert report(runtime, "win_back").experiment is None


def test_everything_is_reported_when_no_name_is_given(runtime: Runtime) -> None:
    campaign_with_results(runtime)
    with runtime.database.transaction() as connection:
        pause(connection, "channel:sms", "the provider answered SendingPausedException", NOW)
    found = report(runtime, None)
    assert (found.kind, found.funnel.addressed, adds_up(found)) == ("workspace", 63, True)
    assert [(part.kind, part.name) for part in found.parts] == [("campaign", "summer")]
    assert found.pauses == {"channel:sms": "the provider answered SendingPausedException"}
    assert found.experiment is None  # this workspace holds nobody out of everything


def test_a_near_name_is_suggested_when_nothing_is_called_so(runtime: Runtime) -> None:
    campaign_with_results(runtime, people=25)
    with pytest.raises(NotFoundError, match="did you mean 'summer'"):
        report(runtime, "sumer")


def test_a_report_stands_when_nothing_was_launched_yet(runtime: Runtime) -> None:
    open_shop(runtime, people=2)
    found = report(runtime)
    assert (found.funnel.addressed, found.began_at, found.experiment) == (0, None, None)
    assert "Nobody was held out" in render_html(found)
    assert render_html(report(runtime, None))


def test_a_program_reads_the_sums_when_it_asks_for_json(runtime: Runtime) -> None:
    campaign_with_results(runtime)
    document = msgspec.json.decode(msgspec.json.encode(report(runtime).as_dict()))
    assert document["funnel"]["addressed"] == 63
    assert document["funnel"]["not_sent_count"] == 4
    assert document["experiment"]["window"] == 7 * 86_400
    assert document["made_at"] == "2026-06-18T08:00:00Z"


def test_a_person_reads_the_same_figures_in_the_terminal(runtime: Runtime) -> None:
    campaign_with_results(runtime)
    found = report(runtime)
    console = Console(file=io.StringIO(), width=120)
    console.print(render_table(found))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert re.search(r"Addressed +63", shown)
    assert "had not agreed to this topic" in shown
    assert "£190.00" in shown


class _Page(HTMLParser):
    """What the tests ask of a page: tags that are never closed, addresses, titles of pictures."""

    VOID = frozenset({"meta", "br", "rect", "line", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_stands_alone_and_is_whole_when_it_is_opened(runtime: Runtime) -> None:
    campaign_with_results(runtime)
    html = render_html(report(runtime))
    page = _Page()
    page.feed(html)
    assert page.open == []
    assert "script" not in page.tags
    assert not [value for name, value in page.attributes if name in ("src", "href")]
    assert "url(" not in html
    assert "@import" not in html
    assert page.tags.count("svg") >= 5
    assert page.tags.count("svg") == len([1 for name, value in page.attributes if (name, value) == ("role", "img")])
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert html == render_html(report(runtime))


def test_a_name_cannot_break_out_of_the_page_when_it_holds_markup(runtime: Runtime) -> None:
    open_shop(runtime, CAMPAIGN.replace("Summer picks", "<script>alert(1)</script>"), people=3)
    launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    assert "<script" not in render_html(report(runtime))
    drawn = bars("<b>", [Bar("<i>&", 3, "3<")]) + intervals("x", [Whisker("<u>", 1, 0, 2, "<s>")], str)
    assert not re.search(r"<[bius]>", drawn)


def test_a_chart_is_drawn_when_there_is_nothing_to_show() -> None:
    assert "<svg" in bars("Nothing", [Bar("none", 0, "0")])
    assert "<svg" in divided_bar("Nothing", [])
    assert "<svg" in intervals("Nothing", [Whisker("none", 0, 0, 0, "0")], lambda value: f"{value:.0f}")
