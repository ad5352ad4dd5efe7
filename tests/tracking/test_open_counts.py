"""Opens without a name, and the choice not to have them measured at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from core.clock import ManualClock
from core.runtime import Runtime
from core.vault import Vault
from customers.consent import ConsentStatus, consent_of
from customers.tracking_consent import OpenTracking
from tests.tracking.conftest import Mail, SendMail, TestClient
from tracking.links import MessageLinks
from tracking.open_counts import OpenCounts, OpenOrigin, count_opens, ensure_origins
from tracking.tables import engagement_event, open_count, open_origin
from tracking.tokens import KeyRing, TokenKind, verify

SPRING = OpenOrigin("campaign", "spring", launch_id="launch-1", variant="a")


def picture(key_ring: KeyRing, origin: OpenOrigin, token_id: int) -> str:
    links = MessageLinks("", key_ring, token_id, opens=OpenTracking.AGGREGATE, origin_id=origin.id)
    return links.urls()["pixel"]


def counts(runtime: Runtime) -> dict[str | None, OpenCounts]:
    with runtime.database.read() as connection:
        return dict(count_opens(connection, open_origin.c.origin == "spring", open_origin.c.variant))


def engagement_count(runtime: Runtime) -> int:
    with runtime.database.read() as connection:
        return connection.execute(select(func.count()).select_from(engagement_event)).scalar_one()


def test_the_picture_is_the_same_for_everybody_when_opens_are_counted_without_a_name(key_ring: KeyRing) -> None:
    alices, bobs = (picture(key_ring, SPRING, token_id) for token_id in (5, 6))
    assert alices == bobs
    assert verify(key_ring, TokenKind.OPEN, alices[3:-4]) is None
    assert picture(key_ring, replace(SPRING, variant="b"), 5) != alices


def test_opens_are_counted_by_day_when_their_picture_is_fetched(
    client: TestClient, runtime: Runtime, key_ring: KeyRing, clock: ManualClock
) -> None:
    with runtime.database.transaction() as connection:
        ensure_origins(connection, [SPRING])
        ensure_origins(connection, [SPRING])
    path = picture(key_ring, SPRING, 5)
    assert client.get(path).headers["content-type"] == "image/gif"
    assert client.head(path).status_code == 200
    clock.advance(timedelta(days=1))
    client.get(path)
    client.get(path, headers={"User-Agent": "Barracuda scanner"})
    assert counts(runtime) == {"a": OpenCounts(by_people=2, by_machines=1)}
    with runtime.database.read() as connection:
        days = connection.execute(select(open_count.c.day).order_by(open_count.c.day)).scalars().all()
    assert days == ["2026-06-10", "2026-06-11"]
    assert engagement_count(runtime) == 0


def test_nothing_is_counted_when_nobody_made_the_picture(
    client: TestClient, runtime: Runtime, key_ring: KeyRing
) -> None:
    assert client.get(picture(key_ring, SPRING, 5)).status_code == 200
    assert counts(runtime) == {}


def _said(runtime: Runtime, vault: Vault, mail: Mail) -> ConsentStatus:
    with runtime.database.read() as connection:
        return consent_of(connection, "tracking", "email", [mail.lookup], runtime.clock.now())[mail.lookup]


def test_opens_are_left_and_measured_again_when_the_box_is_ticked_and_unticked(
    client: TestClient,
    runtime: Runtime,
    vault: Vault,
    clock: ManualClock,
    send_mail: SendMail,
    logged: Callable[..., list[Any]],
) -> None:
    alice = send_mail()
    page = client.get(alice.path("preferences")).text
    assert "Do not measure my opens" in page
    assert not re.search(r'value="unmeasured" checked', page)

    saved = client.post(alice.path("preferences"), data={"opens": ["asked", "unmeasured"]}).text
    assert re.search(r'value="unmeasured" checked', saved)
    assert _said(runtime, vault, alice) is ConsentStatus.WITHDRAWN
    assert logged()[-1].properties["channel"] == "tracking"
    client.get(alice.path("pixel"))
    assert engagement_count(runtime) == 0

    clock.advance(timedelta(minutes=1))
    client.post(alice.path("preferences"), data={"opens": "asked"})
    assert _said(runtime, vault, alice) is ConsentStatus.UNKNOWN
    client.get(alice.path("pixel"))
    assert engagement_count(runtime) == 1


def test_nothing_is_said_about_opens_when_the_form_did_not_ask(
    client: TestClient, runtime: Runtime, vault: Vault, send_mail: SendMail
) -> None:
    alice = send_mail()
    client.post(alice.path("preferences"), data={"opens": ["asked", "unmeasured"]})
    client.post(alice.path("preferences"), data={"topic": "marketing"})
    assert _said(runtime, vault, alice) is ConsentStatus.WITHDRAWN
