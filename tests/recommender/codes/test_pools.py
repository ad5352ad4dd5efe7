from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from core.database import Database
from core.definitions import publish
from core.errors import InputError
from core.keys import WorkspaceKey
from core.vault import Vault, open_key_store
from delivery.alarms import list_alarms
from recommender.codes.alarm import watch_pools
from recommender.codes.drawing import Draw, draw_codes
from recommender.codes.pools import Imported, Pool, import_codes, list_pools
from recommender.codes.returning import hand_over_codes, return_codes, settle_codes
from recommender.tables import offer_code
from tests.recommender.shop import NOW, add_profiles

DAY = timedelta(days=1)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path}/keys.db"))
    vault.create_store()
    yield vault
    vault.close()


def codes(count: int) -> list[str]:
    return [f"TEN-{number:04d}" for number in range(count)]


def draws(connection: Connection, count: int, offer: str = "welcome") -> list[Draw]:
    return [
        Draw("ten", offer, f"run-{number}", profile_id)
        for number, profile_id in enumerate(add_profiles(connection, count))
    ]


def standing(connection: Connection) -> Pool:
    (pool,) = list_pools(connection, NOW)
    return pool


def test_a_code_is_in_the_pool_once_when_it_is_imported_twice(connection: Connection, vault: Vault) -> None:
    assert import_codes(connection, vault, "ten", [" A-1 ", "B-2", "A-1"], NOW) == Imported(2, 0)
    assert import_codes(connection, vault, "ten", ["B-2", "C-3"], NOW) == Imported(1, 1)
    assert import_codes(connection, vault, "other", ["B-2"], NOW) == Imported(1, 0)
    assert [(pool.name, pool.code_count, pool.free_count) for pool in list_pools(connection, NOW)] == [
        ("other", 1, 1),
        ("ten", 3, 3),
    ]


def test_a_code_is_known_again_when_the_key_was_rotated(connection: Connection, tmp_path: Path) -> None:
    first, second = bytes(range(32)), bytes(range(1, 33))
    store = open_key_store(f"sqlite:///{tmp_path}/keys.db")
    old, new = Vault(WorkspaceKey((first,)), store), Vault(WorkspaceKey((first, second)), store)
    import_codes(connection, old, "ten", ["A-1"], NOW)
    assert import_codes(connection, new, "ten", ["A-1", "B-2"], NOW) == Imported(1, 1)
    assert [one.code for one in draw_codes(connection, new, draws(connection, 2), NOW).values()] == ["A-1", "B-2"]
    store.close()


@pytest.mark.parametrize("code", ["", "  ", "TWO WORDS", "x" * 65, "tab\tbed", "null\0"])
def test_a_code_is_refused_by_its_number_when_nobody_could_type_it(
    connection: Connection, vault: Vault, code: str
) -> None:
    with pytest.raises(InputError, match=r"^code 2 is"):
        import_codes(connection, vault, "ten", ["A-1", code], NOW)


def test_no_code_stands_in_clear_in_the_database(connection: Connection, vault: Vault) -> None:
    import_codes(connection, vault, "ten", ["VERY-SECRET-CODE"], NOW)
    (row,) = connection.execute(select(offer_code)).all()
    assert b"SECRET" not in row.code
    assert "SECRET" not in row.lookup


def test_everybody_has_a_code_of_their_own_and_the_same_one_again(connection: Connection, vault: Vault) -> None:
    import_codes(connection, vault, "ten", codes(10), NOW)
    wanted = draws(connection, 6)
    first = draw_codes(connection, vault, wanted, NOW)
    assert [first[one.id].code for one in wanted] == codes(6)
    again = draw_codes(connection, vault, [*wanted, *wanted], NOW + DAY)
    assert again == first
    other = Draw("ten", "another offer", wanted[0].owner, wanted[0].profile_id)
    assert draw_codes(connection, vault, [other], NOW)[other.id].code == "TEN-0006"
    assert standing(connection) == Pool("ten", 10, 3, 7, 0, 7, NOW)


def test_the_first_get_a_code_when_the_pool_runs_dry(connection: Connection, vault: Vault) -> None:
    import_codes(connection, vault, "ten", codes(2), NOW)
    wanted = draws(connection, 3)
    assert list(draw_codes(connection, vault, wanted, NOW)) == [wanted[0].id, wanted[1].id]
    assert draw_codes(connection, vault, [Draw("unheard of", "welcome", "run", wanted[0].profile_id)], NOW) == {}


def test_two_processes_never_draw_the_same_code(database: Database, vault: Vault) -> None:
    with database.transaction() as connection:
        import_codes(connection, vault, "ten", codes(200), NOW)
        wanted = draws(connection, 160)

    def draw(part: int) -> list[str]:
        found: list[str] = []
        for start in range(part * 40, part * 40 + 40, 8):
            with database.transaction() as connection:
                drawn = draw_codes(connection, vault, wanted[start : start + 8], NOW)
                found += [one.code for one in drawn.values()]
        return found

    with ThreadPoolExecutor(4) as pool:
        found = [code for some in pool.map(draw, range(4)) for code in some]
    assert len(found) == len(set(found)) == 160


def test_a_returned_code_is_drawn_again_and_a_given_one_never(connection: Connection, vault: Vault) -> None:
    import_codes(connection, vault, "ten", codes(3), NOW)
    alice, bob, carol = draws(connection, 3)
    drawn = draw_codes(connection, vault, [alice, bob], NOW)
    hand_over_codes(connection, [bob.id], NOW)
    assert return_codes(connection, [("welcome", one.owner) for one in (alice, bob)]) == 1
    assert standing(connection) == Pool("ten", 3, 2, 1, 1, 1, NOW)
    assert draw_codes(connection, vault, [carol], NOW)[carol.id].code == drawn[alice.id].code
    assert settle_codes(connection, [bob.owner, carol.owner], NOW) == 1
    assert draw_codes(connection, vault, [bob], NOW)[bob.id] == drawn[bob.id]


def test_nothing_is_given_to_anybody_else_when_its_person_was_erased(connection: Connection, vault: Vault) -> None:
    import_codes(connection, vault, "ten", codes(1), NOW)
    alice, bob = draws(connection, 2)
    draw_codes(connection, vault, [alice], NOW)
    connection.execute(update(offer_code).values(code=None))
    assert settle_codes(connection, [alice.owner], NOW) == 0
    assert draw_codes(connection, vault, [alice, bob], NOW) == {}


def publish_offer(connection: Connection, pool: str, status: str = "live") -> None:
    document = {"offer": "welcome", "status": status, "code": {"pool": pool}}
    publish(connection, "offer", "welcome", document=document, source="", file="offers/welcome.yaml", now=NOW)


def alarms(connection: Connection) -> dict[str, str]:
    watch_pools(connection, NOW)
    return {one.name: one.cause for one in list_alarms(connection)}


def test_an_alarm_is_raised_before_a_pool_runs_dry_and_over_when_it_is_filled(
    connection: Connection, vault: Vault
) -> None:
    publish_offer(connection, "ten")
    assert list(alarms(connection)) == ["codes_dry:ten"]
    import_codes(connection, vault, "ten", codes(20), NOW)
    assert alarms(connection) == {}
    wanted = draws(connection, 20)
    draw_codes(connection, vault, wanted[:14], NOW - 2 * DAY)
    assert alarms(connection) == {}  # six are left, and two a day go
    draw_codes(connection, vault, wanted[14:15], NOW)
    assert alarms(connection) == {
        "codes_low:ten": "the pool ten has 5 codes left, enough for about 2 days at the pace of the last week: "
        "import more with `postilion recommend codes import ten FILE`."
    }
    draw_codes(connection, vault, wanted[15:], NOW)
    assert list(alarms(connection)) == ["codes_dry:ten"]
    import_codes(connection, vault, "ten", codes(100), NOW)
    assert alarms(connection) == {}


def test_nobody_is_alarmed_when_no_live_offer_draws_from_the_pool(connection: Connection, vault: Vault) -> None:
    publish_offer(connection, "ten", "draft")
    assert alarms(connection) == {}
