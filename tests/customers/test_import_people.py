from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis.strategies import integers, lists, sampled_from, tuples
from sqlalchemy import select

import migrations
from core.clock import ManualClock
from core.database import Database
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.consent import ConsentStatus, NewConsent, consent_of, record_consents
from customers.identities import lookup_of
from customers.profiles import find_profile, get_profile
from customers.suppression import find_suppressed
from customers.tables import IdentityKind, customer_event, identity, profile
from customers.tombstones import bury
from tests.customers.conftest import NOW
from tests.customers.importing import contents, import_text

PROFILES = """
import: profiles
source: shop
columns:
  external_id: id
  email: mail
  phone: phone
  first_name: name
  birthday: {column: born, format: "%d.%m.%Y"}
  tier: tier
  visits: visits
  country: land
  timezone: zone
  consent.email.marketing: news
  consent.email.marketing.at: news_at
"""
HEADER = "id;mail;phone;name;born;tier;visits;land;zone;news;news_at\n"
PEOPLE = (
    HEADER
    + """alice;Alice@Shop.Example;020 7946 0018;Alice;28.02.1990;gold;7;UK;Europe/London;granted;2026-01-01T10:00:00Z
bob;bob@shop.example;;Bob;;silver;;DE;Europe/Berlin;denied;2026-02-01T10:00:00Z
alice;;;Alicia;;gold;;;;;
carol;carol(at)shop;;Carol;;;;;;;
dirt1;d1@shop.example;;;30.02.1987;;;;;;
dirt2;d2@shop.example;;;;;;;Mars/Base;;
dirt3;d3@shop.example;;;;;seven;;;;
dirt4;d4@shop.example;;;;;;Atlantis;;;
dirt5;d5@shop.example;12;;;;;;;;
dirt6;d6@shop.example;;;;;;;;granted;
;;;Nobody;;;;;;;
short;row
"""
)


def test_rows_become_profiles_when_some_are_wrong(runtime: Runtime, tmp_path: Path) -> None:
    result = import_text(runtime, tmp_path, PROFILES, PEOPLE)
    assert (result.read_count, result.imported_count, result.unchanged_count) == (12, 3, 0)
    assert result.rejected == {
        "wrong_email": 1,
        "impossible_date": 1,
        "unknown_timezone": 1,
        "wrong_number": 1,
        "unknown_country": 1,
        "wrong_phone": 1,
        "missing_consent_date": 1,
        "missing_identity": 1,
        "wrong_cell_count": 1,
    }
    assert result.details["conflicting_values"] == 1
    assert (result.details["profiles"], result.details["consents"]) == (2, 2)
    with runtime.database.read() as connection:
        number = find_profile(connection, runtime.vault, IdentityKind.EMAIL, "alice@shop.example")
        assert number is not None
        alice = get_profile(connection, runtime.vault, number)
        row = connection.execute(select(profile).where(profile.c.id == number)).one()
        assert "Alicia" not in str(row)
        emails = [lookup_of(runtime.vault, "email", f"{name}@shop.example") for name in ("alice", "bob")]
        states = consent_of(connection, "email", "marketing", emails, NOW)
    assert alice.attributes == {"first_name": "Alicia", "birthday": "1990-02-28", "tier": "gold", "visits": 7}
    assert (alice.country, alice.timezone, row.birth_month, row.birth_day) == ("GB", "Europe/London", 2, 28)
    assert alice.phone is not None
    assert (alice.phone.value, row.phone_country, row.email_provider) == ("+442079460018", "GB", "shop.example")
    assert list(states.values()) == [ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN]
    shown = (tmp_path / "data.rejects.csv").read_text()
    for secret in ("carol(at)shop", "Carol", "d1@", "30.02.1987", "Nobody"):
        assert secret not in shown


def test_nothing_changes_when_the_same_people_come_again(runtime: Runtime, tmp_path: Path) -> None:
    once = HEADER + "".join(line + "\n" for line in PEOPLE.splitlines()[1:3])
    import_text(runtime, tmp_path, PROFILES, once)
    with runtime.database.read() as connection:
        before = contents(connection)
    result = import_text(runtime, tmp_path, f'{PROFILES}delimiter: ";"\n', once)
    assert (result.is_repeat, result.imported_count, result.unchanged_count) == (False, 0, 2)
    with runtime.database.read() as connection:
        after = contents(connection)
    for table in ("profile", "identity", "consent_entry"):
        assert after[table] == before[table]


def test_a_denial_stays_when_a_newer_file_says_granted(runtime: Runtime, tmp_path: Path) -> None:
    lookup = lookup_of(runtime.vault, "email", "bob@shop.example")
    left = NewConsent(lookup, "email", "*", ConsentStatus.WITHDRAWN, None, "one-click", NOW, None, "left")
    with runtime.database.transaction() as connection:
        record_consents(connection, [left], NOW)
    mapping = """
import: consents
columns: {email: mail, channel: {value: email}, topic: topic, status: status, occurred_at: at}
"""
    text = (
        "mail,topic,status,at\n"
        "bob@shop.example,marketing,granted,2026-06-10T09:00:00Z\n"
        "alice@shop.example,marketing,granted,2026-06-10T09:00:00Z\n"
        "alice@shop.example,knitting,granted,2026-06-10T09:00:00Z\n"
        "alice@shop.example,marketing,perhaps,2026-06-10T09:00:00Z\n"
        "alice@shop.example,marketing,granted,2031-06-10T09:00:00Z\n"
    )
    result = import_text(runtime, tmp_path, mapping, text)
    assert (result.imported_count, result.unchanged_count) == (1, 1)
    assert result.rejected == {"unknown_topic": 1, "wrong_consent": 1, "future_date": 1}
    assert result.details["grants_after_withdrawal"] == 1
    with runtime.database.read() as connection:
        assert consent_of(connection, "email", "marketing", [lookup], NOW) == {lookup: ConsentStatus.WITHDRAWN}


def test_carol_is_not_written_to_when_a_list_of_stops_names_her(runtime: Runtime, tmp_path: Path) -> None:
    mapping = "import: suppressions\ncolumns: {email: mail, reason: why}\n"
    text = "mail,why\nCarol@shop.example,bounce\nbob@shop.example,\nnobody,\n,spam\nalice@shop.example,dislike\n"
    result = import_text(runtime, tmp_path, mapping, text)
    assert (result.imported_count, result.rejected_count) == (2, 3)
    lookups = [lookup_of(runtime.vault, "email", f"{name}@shop.example") for name in ("carol", "bob")]
    with runtime.database.read() as connection:
        reasons = find_suppressed(connection, "email", lookups)
    assert [reasons[lookup] for lookup in lookups] == ["bounced", "manual"]


EVENTS = """
import: events
source: shop
historical: true
columns:
  {type: type, message_id: messageId, external_id: userId, visitor: anonymousId, name: event, occurred_at: timestamp,
   properties: properties, traits: traits}
"""


def test_events_become_the_log_when_a_visitor_turns_out_to_be_alice(runtime: Runtime, tmp_path: Path) -> None:
    at = "2026-06-01T10:00:00Z"
    seen = '"properties":{"product_id":"TEA-001","price":4.5,"note":"secret"}'
    told = '"traits":{"firstName":"Alice","email":"alice@shop.example","tier":"gold"}'
    lines = [
        f'{{"type":"track","messageId":"1","anonymousId":"v1","event":"Product Viewed","timestamp":"{at}",{seen}}}',
        f'{{"type":"page","messageId":"2","anonymousId":"v1","name":"Shop","timestamp":"{at}"}}',
        f'{{"type":"identify","messageId":"3","userId":"alice","anonymousId":"v1","timestamp":"{at}",{told}}}',
        f'{{"type":"track","messageId":"1","anonymousId":"v1","event":"Product Viewed","timestamp":"{at}"}}',
        f'{{"type":"track","messageId":"4","event":"Product Viewed","timestamp":"{at}"}}',
        '{"type":"track","messageId":"5","userId":"alice","event":"Product Viewed","timestamp":"yesterday"}',
        f'{{"type":"group","messageId":"6","userId":"alice","timestamp":"{at}"}}',
        f'{{"type":"track","messageId":"7","userId":"alice","event":"Seen","timestamp":"{at}","properties":[1]}}',
        f'{{"type":"track","messageId":"8","userId":["alice"],"event":"Seen","timestamp":"{at}"}}',
        "{broken",
    ]
    result = import_text(runtime, tmp_path, EVENTS, "\n".join(lines) + "\n", ending="jsonl")
    assert (result.imported_count, result.unchanged_count) == (3, 1)
    assert result.rejected == {
        "missing_identity": 1,
        "impossible_date": 1,
        "unknown_type": 1,
        "wrong_properties": 1,
        "wrong_external_id": 1,
        "not_json": 1,
    }
    with runtime.database.read() as connection:
        alice = find_profile(connection, runtime.vault, IdentityKind.EMAIL, "alice@shop.example")
        assert alice is not None
        events = connection.execute(select(customer_event).order_by(customer_event.c.id)).all()
        loaded = get_profile(connection, runtime.vault, alice)
        visitors = connection.execute(select(identity.c.profile_id).where(identity.c.lookup == "v1")).scalars().all()
    assert [(row.name, row.profile_id, row.is_historical) for row in events] == [
        ("product_viewed", alice, True),
        ("page_viewed", alice, True),
    ]
    assert events[0].properties == {"product_id": "TEA-001", "price": 4.5}
    assert visitors == [alice]
    assert loaded.attributes == {"first_name": "Alice", "tier": "gold"}
    again = import_text(runtime, tmp_path, EVENTS.replace("historical: true", ""), "\n".join(lines), ending="jsonl")
    assert (again.imported_count, again.unchanged_count) == (0, 4)


def test_nobody_is_made_when_every_identifier_of_a_row_was_erased(runtime: Runtime, tmp_path: Path) -> None:
    marks = {
        runtime.vault.tombstones(kind, value)[0]: kind.value
        for kind, value in (
            (IdentityKind.EXTERNAL_ID, "alice"),
            (IdentityKind.EMAIL, "alice@shop.example"),
            (IdentityKind.PHONE, "+442079460018"),
        )
    }
    with runtime.database.transaction() as connection:
        bury(connection, marks, NOW)
    result = import_text(runtime, tmp_path, PROFILES, HEADER + "".join(PEOPLE.splitlines(keepends=True)[1:3]))
    assert (result.imported_count, result.unchanged_count, result.details["erased_before"]) == (1, 1, 1)
    lookup = lookup_of(runtime.vault, "email", "alice@shop.example")
    with runtime.database.read() as connection:
        assert find_profile(connection, runtime.vault, IdentityKind.EXTERNAL_ID, "alice") is None
        assert len(connection.execute(select(profile)).all()) == 1
        assert consent_of(connection, "email", "marketing", [lookup], NOW) == {lookup: ConsentStatus.UNKNOWN}


def test_rows_are_refused_for_their_first_wrong_cell_when_several_are_wrong(runtime: Runtime, tmp_path: Path) -> None:
    text = HEADER + "dirt;no(at)mail;12;;30.02.1987;;seven;Atlantis;Mars/Base;perhaps;\n;;;Nobody;30.02.1987;;;;;;\n"
    result = import_text(runtime, tmp_path, PROFILES, text)
    assert result.rejected == {"wrong_email": 1, "impossible_date": 1}


@contextmanager
def shop_in(folder: Path) -> Iterator[Runtime]:
    """A shop of its own in `folder`."""
    migrations.upgrade(f"sqlite:///{folder / 'shop.db'}")
    vault = Vault(create_key(folder / "shop.key"), open_key_store(f"sqlite:///{folder / 'keys.db'}"))
    vault.create_store()
    database = Database(f"sqlite:///{folder / 'shop.db'}")
    yield Runtime(Settings(), database, vault, ManualClock(NOW))
    vault.close()
    database.close()


@settings(max_examples=25)
@given(
    said=lists(tuples(sampled_from(["granted", "denied", ""]), integers(1, 28)), min_size=1, max_size=6),
    cuts=integers(1, 3),
)
def test_an_import_never_turns_a_denial_into_a_grant_whatever_the_files_say(
    said: list[tuple[str, int]], cuts: int
) -> None:
    """Each file is imported in turn; once the state is withdrawn, no file makes it granted again."""
    with TemporaryDirectory() as name, shop_in(Path(name)) as runtime:
        lookup = lookup_of(runtime.vault, "email", "bob@shop.example")
        was_withdrawn = False
        for number in range(0, len(said), cuts):
            rows = "".join(
                f"bob;bob@shop.example;;{number};;;;;;{word};2026-05-{day:02d}T10:00:00Z\n"
                for word, day in said[number : number + cuts]
            )
            import_text(runtime, Path(name), PROFILES, HEADER + rows)
            with runtime.database.read() as connection:
                state = consent_of(connection, "email", "marketing", [lookup], NOW)[lookup]
            assert not (was_withdrawn and state is ConsentStatus.GRANTED)
            was_withdrawn = was_withdrawn or state is ConsentStatus.WITHDRAWN
