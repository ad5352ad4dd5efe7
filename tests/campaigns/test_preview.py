"""A preview shows what one person would get, and leaves nothing behind."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from campaigns.preview import preview_template
from core.errors import InputError, NotFoundError
from core.runtime import Runtime
from delivery.tables import message
from recommender.tables import offer_decision
from tests.campaigns.shop import open_shop, publish_template
from tracking.tables import consent_handle


def test_a_person_sees_their_own_mail_when_it_is_previewed(runtime: Runtime) -> None:
    ids = open_shop(runtime, people=2)
    found = preview_template(runtime, "letter", ids[1])
    assert found.subject == "Picked for you, Person01"
    assert "Hello Person01, from Fern & Kettle." in found.text
    assert "https://shop.example/p/P" in found.html
    assert (found.channel, found.version) == ("email", 1)


def test_a_sample_person_sees_everything_when_nobody_is_named(runtime: Runtime) -> None:
    open_shop(runtime, people=1)
    found = preview_template(runtime, "letter")
    assert (found.subject, found.who) == ("Picked for you, Alex", "a sample person")
    assert found.html.count("Product ") >= 3
    assert preview_template(runtime, "text").html == ""


def test_nothing_is_counted_when_a_mail_is_previewed(runtime: Runtime) -> None:
    ids = open_shop(runtime, people=1)
    preview_template(runtime, "letter", ids[0])
    preview_template(runtime, "letter")
    with runtime.database.read() as connection:
        for table in (message, offer_decision, consent_handle):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_the_cause_is_told_when_a_template_cannot_be_rendered(runtime: Runtime) -> None:
    open_shop(runtime, people=1)
    broken = "---\ntemplate: text\nchannel: sms\ntopic: marketing\n---\n{{ profile.nickname }}\n"
    with runtime.database.transaction() as connection:
        publish_template(connection, broken)
    with pytest.raises(InputError, match=r"'profile\.nickname' is missing"):
        preview_template(runtime, "text")
    with pytest.raises(NotFoundError):
        preview_template(runtime, "lettr")
