from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.conftest import BROWSER
from tracking.classify import Act, ActKind, Evidence, Network, judge

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
DELIVERED = NOW - timedelta(hours=1)
GMAIL_PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
GMAIL_PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO_PROXY = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"


def _act(kind: ActKind, *, after_s: float = 0, agent: str = BROWSER, link_no: int | None = None) -> Act:
    return Act(kind, NOW + timedelta(seconds=after_s), agent, link_no)


def _judge(act: Act, *others: Act) -> tuple[bool, tuple[str, ...]]:
    verdict = judge(Evidence(act, others, DELIVERED, DELIVERED))
    return verdict.is_human, verdict.reasons


@pytest.mark.parametrize(
    ("agent", "is_human", "reason"),
    [
        (BROWSER, True, None),
        (GMAIL_PROXY, True, "gmail_proxy"),
        (YAHOO_PROXY, True, "yahoo_proxy"),
        (GMAIL_PREFETCH, False, "gmail_prefetch"),
        ("Mozilla/5.0", False, "mail_privacy"),
        ("", False, "no_agent"),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0", False, "scanner_agent"),
        ("python-requests/2.32", False, "scanner_agent"),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT_X19) Mobile Safari/537.36", True, None),
    ],
)
def test_an_open_is_told_by_its_agent_when_nothing_else_is_known(
    agent: str, is_human: bool, reason: str | None
) -> None:
    assert _judge(_act(ActKind.OPENED, agent=agent)) == (is_human, (reason,) if reason else ())


def test_a_click_is_a_persons_when_nothing_speaks_against_it() -> None:
    assert _judge(_act(ActKind.CLICKED, link_no=1)) == (True, ())


def test_a_click_is_surer_when_somebody_opened_the_mail_before() -> None:
    click, opened = _act(ActKind.CLICKED, after_s=8, link_no=1), _act(ActKind.OPENED)
    alone, together = judge(Evidence(click)), judge(Evidence(click, [opened]))
    assert together.human_probability > alone.human_probability
    assert together.reasons == ("opened_before",)
    assert _judge(opened, click) == (True, ("clicked_after",))


def test_a_prefetch_stays_a_machines_when_a_person_clicks_later() -> None:
    click = _act(ActKind.CLICKED, after_s=60, link_no=1)
    assert not _judge(_act(ActKind.OPENED, agent="Mozilla/5.0"), click)[0]


def test_a_head_request_never_counts_when_everything_else_looks_human() -> None:
    probe = _act(ActKind.PROBED, link_no=1)
    verdict = judge(Evidence(probe, [_act(ActKind.OPENED, after_s=-30)], DELIVERED, DELIVERED))
    assert (verdict.human_probability, verdict.reasons) == (0.0, ("head",))
    assert _judge(_act(ActKind.CLICKED, after_s=1, link_no=1), probe) == (False, ("link_probed",))


def test_the_first_click_is_found_out_when_the_second_comes_at_once() -> None:
    first, second = _act(ActKind.CLICKED, link_no=1), _act(ActKind.CLICKED, after_s=0.4, link_no=2)
    assert _judge(first) == (True, ())
    assert _judge(first, second) == (False, ("links_at_once",))


def test_many_links_within_seconds_are_a_scanners_when_a_person_could_not_read_them() -> None:
    clicks = [_act(ActKind.CLICKED, after_s=3 * number, link_no=number) for number in range(3)]
    for click in clicks:
        others = [other for other in clicks if other is not click]
        assert _judge(click, *others) == (False, ("many_links",))


def test_clicks_stay_a_persons_when_they_come_one_after_another() -> None:
    click = _act(ActKind.CLICKED, link_no=1)
    others = [_act(ActKind.CLICKED, after_s=30 * number, link_no=number) for number in (2, 3)]
    again = _act(ActKind.CLICKED, after_s=1, link_no=1)
    assert _judge(click, again, *others) == (True, ())


@pytest.mark.parametrize(("after_s", "is_human"), [(-1, False), (0, False), (1.9, False), (2, True)])
def test_a_click_is_a_scanners_when_it_comes_with_the_delivery(after_s: float, is_human: bool) -> None:
    act = _act(ActKind.CLICKED, after_s=after_s, link_no=1)
    assert judge(Evidence(act, (), NOW - timedelta(seconds=3), NOW)).is_human is is_human


def test_a_click_is_less_sure_when_it_comes_within_seconds_of_the_delivery() -> None:
    click = _act(ActKind.CLICKED, after_s=10, link_no=1)
    soon = judge(Evidence(click, (), NOW, NOW))
    assert (soon.is_human, soon.reasons) == (True, ("soon_after_delivery",))


def test_a_click_is_a_scanners_when_it_comes_with_the_sending_and_no_delivery_is_reported() -> None:
    act = _act(ActKind.CLICKED, after_s=3, link_no=1)
    assert not judge(Evidence(act, (), NOW)).is_human


FROZEN = "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/58.0.3029.110 Safari/537.36"


@pytest.mark.parametrize("network", [Network.DATACENTRE, Network.SCANNER])
def test_a_visit_is_a_machines_when_its_network_is_no_persons(network: Network) -> None:
    for kind in (ActKind.OPENED, ActKind.CLICKED):
        assert _judge(replace(_act(kind, link_no=1), network=network)) == (False, (network.value,))
        assert _judge(replace(_act(kind, link_no=1), network=Network.RELAY)) == (True, ())


def test_a_click_through_a_companys_proxy_is_a_persons_when_somebody_opened_the_mail_before() -> None:
    click = replace(_act(ActKind.CLICKED, after_s=30, link_no=1), network=Network.DATACENTRE)
    assert _judge(click, _act(ActKind.OPENED)) == (True, ("datacentre", "opened_before"))
    scanned = replace(_act(ActKind.OPENED), network=Network.DATACENTRE)
    assert _judge(click, scanned) == (False, ("datacentre",))


def test_a_proxy_that_shows_mails_is_a_persons_when_its_network_is_a_datacentres() -> None:
    assert _judge(replace(_act(ActKind.OPENED, agent=GMAIL_PROXY), network=Network.DATACENTRE)) == (
        True,
        ("gmail_proxy",),
    )


def test_a_frozen_browser_is_doubted_when_it_clicks_and_not_when_a_mail_program_opens() -> None:
    assert _judge(_act(ActKind.CLICKED, agent=FROZEN, link_no=1)) == (False, ("old_agent",))
    assert _judge(_act(ActKind.OPENED, agent=FROZEN)) == (True, ())
    opened = _act(ActKind.OPENED, after_s=-20)
    assert _judge(_act(ActKind.CLICKED, agent=FROZEN, link_no=1), opened) == (True, ("old_agent", "opened_before"))


@pytest.mark.parametrize(
    ("after_s", "agent", "is_human"),
    [(29, FROZEN, False), (31, FROZEN, True), (599, BROWSER, False), (-599, BROWSER, False), (601, BROWSER, True)],
)
def test_the_visit_that_followed_the_decoy_is_a_machines_when_it_is_near_or_the_same_programs(
    after_s: float, agent: str, is_human: bool
) -> None:
    decoy = Act(ActKind.DECOYED, NOW + timedelta(seconds=after_s), agent, 0)
    assert _judge(_act(ActKind.CLICKED, link_no=1), decoy)[0] is is_human
    assert _judge(_act(ActKind.OPENED), decoy)[0] is is_human
    assert _judge(decoy, _act(ActKind.OPENED, after_s=-700)) == (False, ("decoy",))


def test_a_person_is_let_through_when_the_mail_service_tries_the_link_meanwhile() -> None:
    probe = _act(ActKind.PROBED, agent=FROZEN, link_no=1)
    assert _judge(_act(ActKind.CLICKED, after_s=1, link_no=1), probe) == (True, ())


def test_a_quick_reader_with_tabs_counts_when_the_mail_was_opened_before() -> None:
    opened = _act(ActKind.OPENED, after_s=-60)
    clicks = [_act(ActKind.CLICKED, after_s=3 * number, link_no=number) for number in range(1, 4)]
    assert _judge(clicks[1], clicks[0], clicks[2], opened) == (True, ("many_links", "opened_before"))
    more = [_act(ActKind.CLICKED, after_s=1.5 * number, link_no=number) for number in range(1, 8)]
    assert not _judge(more[3], *more[:3], *more[4:], opened)[0]


acts = st.builds(
    Act,
    st.sampled_from(ActKind),
    st.integers(-100, 100).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    st.sampled_from([BROWSER, GMAIL_PROXY, GMAIL_PREFETCH, "Mozilla/5.0", "", "curl/8"]),
    st.sampled_from([None, 1, 2, 3]),
    st.sampled_from(Network),
)


@given(acts, st.lists(acts, max_size=6), st.randoms())
def test_a_verdict_is_the_same_when_the_evidence_comes_in_another_order(act: Act, others: list[Act], order) -> None:  # type: ignore[no-untyped-def]  # hypothesis hands in a Random, which no decision may know
    shuffled = list(others)
    order.shuffle(shuffled)
    verdict = judge(Evidence(act, others, NOW, NOW))
    assert judge(Evidence(act, shuffled, NOW, NOW)) == verdict
    assert 0 <= verdict.human_probability < 1


@given(acts, st.lists(acts, max_size=6))
def test_a_datacentre_never_makes_a_person_likelier(act: Act, others: list[Act]) -> None:
    inside = judge(Evidence(replace(act, network=Network.DATACENTRE), others, NOW, NOW))
    outside = judge(Evidence(replace(act, network=Network.UNKNOWN), others, NOW, NOW))
    assert inside.human_probability <= outside.human_probability
