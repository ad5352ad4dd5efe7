"""Opens in what is sent and in what is reported, where not everybody may be tracked."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

from rich.console import Console
from sqlalchemy import select, update

from campaigns.launch import launch_campaign
from campaigns.report_table import render_table
from campaigns.reports import Report, build_report
from campaigns.schedule import Occurrence
from core.runtime import Runtime
from core.vault import Vault
from customers.tables import profile
from delivery.tables import message
from tests.campaigns.recording import RecordingTransport, deliver_all
from tests.campaigns.shop import NOW, open_shop
from tracking.classify import Act, ActKind
from tracking.engagement import Engagement, record_engagement
from tracking.open_counts import CountedOpen, record_open_counts
from tracking.tokens import KeyRing, TokenKind, verify

PLAIN = "campaign: plain\nto: {segment: newsletter}\nsend: manual\nemail: plain\n"
RULE = {"default": "individual", "countries": {"DE": "aggregate", "FR": "off"}}
OPENS: dict[str, Any] = {"tracking": {"opens": RULE}}
COUNTRIES = ("GB", "GB", "DE", "DE", "DE", "FR")
_PIXEL = re.compile(r"https://links\.shop\.example/o/([\w-]{30})\.gif")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


def send(runtime: Runtime) -> dict[str, list[str]]:
    """The pixels' tokens in the mails that went out, by the country of their reader."""
    ids = open_shop(runtime, PLAIN, **OPENS)
    with runtime.database.transaction() as connection:
        for number, country in zip(ids, COUNTRIES, strict=True):
            connection.execute(update(profile).where(profile.c.id == number).values(country=country))
    launch_campaign(runtime, "plain", Occurrence(NOW), NOW)
    transport = RecordingTransport()
    deliver_all(runtime, transport)
    with runtime.database.transaction() as connection:
        connection.execute(update(message).values(delivered_at=NOW))
        rows = connection.execute(select(message.c.id, profile.c.country).join(profile)).all()
    countries = {row.id: row.country for row in rows}
    tokens: dict[str, list[str]] = {"GB": [], "DE": [], "FR": []}
    for envelope in transport.sent:
        tokens[countries[envelope.message_id]] += _PIXEL.findall(envelope.html)
    return tokens


def ring(vault: Vault) -> KeyRing:
    return KeyRing.derive(vault.signing_key, vault.key_version)


def report(runtime: Runtime) -> Report:
    with runtime.database.read() as connection:
        return build_report(connection, NOW, "plain")


def test_the_picture_tells_what_the_country_allows_when_mails_are_composed(runtime: Runtime) -> None:
    tokens = send(runtime)
    assert {country: (len(found), len(set(found))) for country, found in tokens.items()} == {
        "GB": (2, 2),
        "DE": (3, 1),
        "FR": (0, 0),
    }
    with runtime.database.read() as connection:
        noted = connection.execute(select(message.c.opens)).scalars().all()
    assert sorted(noted) == ["aggregate"] * 3 + ["individual"] * 2 + ["off"]


def test_the_share_of_opened_mails_is_of_those_that_are_measured_when_it_is_reported(runtime: Runtime) -> None:
    tokens, key_ring = send(runtime), ring(runtime.vault)
    named = verify(key_ring, TokenKind.OPEN, tokens["GB"][0])
    nameless = verify(key_ring, TokenKind.COUNT, tokens["DE"][0])
    assert named is not None
    assert nameless is not None
    act = Act(ActKind.OPENED, NOW + timedelta(hours=1), BROWSER)
    with runtime.database.transaction() as connection:
        record_engagement(connection, [Engagement(named.token_id, act)])
        assert record_open_counts(connection, [CountedOpen(nameless.token_id, act)] * 4) == 4

    funnel = report(runtime).funnel
    assert (funnel.delivered, funnel.opens_measured, funnel.pictures_by_people) == (6, 2, 4)
    output = io.StringIO()
    Console(file=output, width=100).print(render_table(report(runtime)))
    lines = {" ".join(line.split()) for line in output.getvalue().replace("\N{NO-BREAK SPACE}", " ").splitlines()}
    assert {"Opened by people 1 50.0 %", "Opens not tracked, one by one 4 66.7 %"} <= lines
    assert "Looks without a name, by people 4 –" in lines
