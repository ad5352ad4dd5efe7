"""The timeline: every touch in order, the same pages whatever comes in above, in words a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from console.timeline.entries import Entry, Group, Place, parse_group, parse_place
from console.timeline.read import TimelinePage, read_timeline
from console.timeline.summary import summarise
from console.timeline.wording import word
from core.database import Database
from core.errors import InputError, NotFoundError
from core.keys import WorkspaceKey
from core.vault import Vault, open_key_store
from customers.log import NewEvent, append_events
from customers.workspace import parse_workspace
from tests.console.alice import EMAIL, NOW, START, WORKSPACE, live, publish_workspace

_WORKSPACE = parse_workspace(WORKSPACE)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    yield vault
    vault.close()


@pytest.fixture
def alice(database: Database, vault: Vault) -> int:
    with database.transaction() as connection:
        return live(connection, vault, publish_workspace(connection))


def _page(database: Database, vault: Vault, alice: int, **asked: object) -> TimelinePage:
    with database.read() as connection:
        return read_timeline(connection, vault, alice, **asked)  # type: ignore[arg-type]  # one helper for all options


def _walk(database: Database, vault: Vault, alice: int, limit: int) -> Iterator[Entry]:
    place: Place | None = None
    while True:
        page = _page(database, vault, alice, after=place, limit=limit)
        assert len(page.entries) <= limit
        yield from page.entries
        if page.next is None:
            return
        place = parse_place(str(page.next))


def test_tells_a_life_in_words_when_it_is_read(
    database: Database, vault: Vault, alice: int, golden: Callable[[str, str], None]
) -> None:
    page = _page(database, vault, alice)
    lines = []
    for entry in page.entries:
        line = word(entry, page.names, _WORKSPACE)
        remark = f"\n{'':<19}{line.remark}" if line.remark else ""
        lines.append(f"{entry.at:%Y-%m-%d %H:%M}  {entry.group:<9} {line.title}{remark}")
    golden("console/timeline_alice.txt", "\n".join(lines) + "\n")


def test_walks_everything_once_when_the_pages_are_small(database: Database, vault: Vault, alice: int) -> None:
    whole = _page(database, vault, alice, limit=500).entries
    assert [entry.at for entry in whole] == sorted((entry.at for entry in whole), reverse=True)
    for limit in (1, 2, 3, 7):
        assert list(_walk(database, vault, alice, limit)) == list(whole)


def test_goes_on_where_it_was_when_something_new_comes_in_above(database: Database, vault: Vault, alice: int) -> None:
    first = _page(database, vault, alice, limit=5)
    behind = _page(database, vault, alice, after=first.next, limit=5)
    with database.transaction() as connection:
        news = NewEvent("cart_updated", NOW + timedelta(days=1), "shop", "late", alice, {"items": 1})
        append_events(connection, vault, _WORKSPACE, [news], NOW)
    assert _page(database, vault, alice, after=first.next, limit=5) == behind


@pytest.mark.parametrize("group", list(Group))
def test_shows_one_group_alone_when_asked(database: Database, vault: Vault, alice: int, group: Group) -> None:
    whole = [entry for entry in _page(database, vault, alice, limit=500).entries if entry.group is group]
    assert list(_page(database, vault, alice, limit=500, group=group).entries) == whole
    assert whole or group is Group.PROFILE


def test_opens_what_is_sealed_when_the_page_is_read(database: Database, vault: Vault, alice: int) -> None:
    [signed_up] = [entry for entry in _page(database, vault, alice).entries if entry.name == "signed_up"]
    assert signed_up.detail == {"source": "shop", "newsletter_box": "ticked"}


def test_shows_the_plain_part_when_the_key_was_destroyed(database: Database, vault: Vault, alice: int) -> None:
    vault.destroy(alice)
    names = {entry.name: entry for entry in _page(database, vault, alice).entries}
    assert names["signed_up"].detail == {}
    assert names["order_placed"].detail["total"] == 6750


def test_sums_a_customer_up_when_asked(database: Database, vault: Vault, alice: int) -> None:
    with database.read() as connection:
        summary = summarise(connection, vault, _WORKSPACE, alice, NOW)
    assert summary.name == "Alice Archer"
    assert {one.kind: one.value for one in summary.identifiers} == {
        "email": EMAIL,
        "phone": "+447700900123",
        "external_id": "C-1042",
    }
    states = {(one.channel, one.topic): (one.status.value, one.source) for one in summary.consents}
    assert states == {
        ("email", "marketing"): ("granted", "sign-up form"),
        ("sms", "marketing"): ("withdrawn", "STOP"),
        ("sms", "transactional"): ("withdrawn", "STOP"),
    }
    [orders] = summary.orders
    assert (orders.count, orders.total, orders.first_at) == (1, 2500, START + timedelta(days=10.2))
    assert [one.title for one in summary.tasks] == ["The spout drips"]
    assert [(one.name, one.role) for one in summary.accounts] == [("Archer & Daughters Ltd", "buyer")]
    assert [one.step for one in summary.journeys] == ["wait_3d"]


def test_refuses_politely_when_place_group_or_profile_is_wrong(database: Database, vault: Vault) -> None:
    for text in ("", "1-2", "a-b-c", "1-9-3", "9" * 40 + "-1-1"):
        with pytest.raises(InputError, match="next"):
            parse_place(text)
    with pytest.raises(InputError, match="orders, messages"):
        parse_group("order")
    with database.read() as connection, pytest.raises(NotFoundError, match="no profile 77"):
        summarise(connection, vault, _WORKSPACE, 77, NOW)
