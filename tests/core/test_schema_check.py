"""Files of every kind against their schemas: what is accepted, and that no data at all breaks the check."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from core.errors import Fault
from core.fault_codes import FAULT_CODES
from core.located import Located, load_yaml
from core.schema_check import check_schema
from core.schema_files import definition, get_schema, resolve, schema_names, words_of
from core.schema_rules import RULES

VERBS = "email sms voice letter webhook push set add_to remove_from emit offer task start_journey"
VERBS += " wait wait_until wait_for choose split bandit holdout repeat goto exit"
LEAVES = "segment list attribute device event message step branch score consent entry local_time"
LEAVES += " sequence rank anniversary near owns case account all any not"

GOOD_STEPS = """
    - {id: hello, email: welcome_hello, ignore_quiet_hours: true, with: {code: "{{ steps.a.code }}"}}
    - {id: test, email: {split: {plain: cart_reminder, cross: {template: cart_reminder_cross, weight: 2}}}}
    - email: {bandit: {a: x, b: y@3}, reward: {event: order_placed, within: 7d}, floor: 10%}
    - {sms: winback_sms, topic: marketing, expires_after: 3h, send_at: "17:30"}
    - {email: last, send_at: best_time, on_skip: [{exit: skipped}]}
    - {voice: call}
    - {letter: card}
    - {push: ping}
    - {webhook: "https://example.org/hook"}
    - {webhook: {url: "https://example.org/hook", method: POST, body: {a: 1}, timeout: 30s}}
    - {set: {interest: books, engaged: true}}
    - {add_to: vip}
    - {remove_from: vip}
    - {emit: nudged, with: {how: mail}}
    - {id: reco, offer: {from: [cross_sell], count: 3, fallback: bestsellers}}
    - {offer: cross_sell}
    - {if: {segment: vip}, task: {team: sales, title: Call, due: 2d, priority: high}, on_error: continue}
    - {start_journey: win_back, with: {a: 1}}
    - {wait: 1mo2d3h}
    - {wait_until: {weekday: [tue, wed], time: 10:00}}
    - {wait_until: {date: birthday, offset: -3d, if_past: exit}}
    - {wait_for: {event: x}, timeout: 3d, on_timeout: [{wait: 2d}], then: [{exit: engaged}]}
    - {wait_for: [{message: hello, was: clicked}, {segment: vip}], timeout: 22h, on_timeout: exit}
    - {choose: [{name: dach, if: {attribute: country, is: {in: [DE, AT]}}, then: [{goto: hello}]}], else: [{exit: }]}
    - {split: {a: {weight: 50, then: [{wait: 1d}]}, b: {}}, seed: s1}
    - {bandit: {a: {then: []}, b: {}}, reward: {message: hello, was: clicked, within: 7d}, floor: 9, delay: 1h}
    - {holdout: 10.25%, seed: x}
    - {repeat: {max: 3, until: {event: order_placed, since: entry}, do: [{wait: 1d}]}}
    - {if: [{segment: a}, {not: {segment: b}}], disabled: true, exit: true}
"""
GOOD_CONDITIONS = """
    - {segment: vip}
    - {list: newsletter}
    - {attribute: country, is: DE}
    - {attribute: total, is: {between: [1, 5], ne: 3}}
    - {attribute: phone, is: {exists: true}}
    - {device: os, is: {starts_with: And}}
    - {event: [a, b], where: {total: {gte: 20}, id: {from_event: cart_id}}, within: 30d, count: {gte: 2}}
    - {event: order_placed, sum: {of: total, is: {gt: 100}}, since: ever, count: 3}
    - {event: order_placed, distinct: {of: category, is: 3}, last: {of: shop, is: web}}
    - {message: hello, was: opened, where: {link_tag: a}}
    - {step: hello, was: timed_out}
    - {branch: test, is: 2}
    - {branch: test, is: else}
    - {score: churn, is: {gte: 0.7}, max_age: 7d}
    - {consent: email.marketing, is: granted}
    - {entry: {total: {gte: 200}}}
    - {local_time: {from: 09:00, to: 18:00, weekday: [mon, fri]}}
    - {sequence: [a, {event: b, where: {x: 1}}, c], within: 7d}
    - {rank: {by: total, top: 10%}}
    - {rank: {by: {event: order_placed, sum: total, within: 90d}, quintile: 5}}
    - {anniversary: {attribute: birthday, in_next: 7d}}
    - {near: {lat: 52.5, lon: 13.4, km: 10}}
    - {owns: {product: [p1, p2], within: 1y}}
    - {case: {status: open, kind: {in: [a, b]}}}
    - {account: {country: GB, where: {employees: {gte: 50}}, role: {in: [buyer, decider]}}}
    - {all: [{segment: a}, {any: [{segment: b}, {not: {segment: c}}]}]}
"""
GOOD_TRIGGERS = """
    - {event: cart_updated, key: cart_id, where: {total: {gte: 20}}, settle: 30m, max_age: 24h, if: {segment: a}}
    - {segment: likely_to_churn, when: enter, check_every: 1d, backfill: true}
    - {schedule: {every: week, weekday: mon, at: 09:00}, segment: vip, local: true, no_timezone: skip, misfire: skip}
    - {at: 2027-03-20T10:00, segment: vip, local: true}
    - {date: birthday, repeat: yearly, offset: -3d, time: 09:00, leap_day: mar1}
    - {api: true, schema: {type: object}}
"""
GOOD_FILES = {
    "form": """
form: a
title: Letters
fields: [{attribute: first_name, label: First name}]
topics: [marketing]
consent: {text: You may write to me., version: "1"}
embed: [https://shop.example]
""",
    "journey": f"""
journey: a
name: Welcome
status: live
enter: {GOOD_TRIGGERS}
mode: restart
reenter: {{every: 90d, max: 3}}
holdout: {{percent: 10%, seed: winback}}
epoch: 2
priority: 40
goal: {{event: order_placed, within: 30d, value: total, exit: true}}
exit: {GOOD_CONDITIONS}
limits: [{{messages: 2, per: 7d, then: skip}}, {{messages: 9, per: journey}}]
quiet_hours: {{from: 22:00, to: 08:00, then: wait, no_timezone: use_default, channels: [sms]}}
send_window: {{email: {{mon: ["08:00-12:00", "14:00-24:00"]}}}}
closed: [{{name: Christmas, from: 2026-12-24, to: 2026-12-27, channels: [email]}}]
throttle: 50/s
schedule: {{from: 2026-01-01, to: 2027-01-01T00:00Z}}
timezone: Europe/Berlin
max_stay: 365d
pause: {{timers: run}}
on_error: exit
defaults: {{topic: marketing, from: Anna <anna@acme.example>, expires_after: 48h}}
migrate: {{removed: {{old: new}}}}
x-pinpoint: {{state: ACTIVE}}
steps: {GOOD_STEPS}
""",
    "segment": f"segment: a\nname: A\nwho: {GOOD_CONDITIONS}\nrefresh: 1d\n",
    "list": "list: a\nname: Press\ntags: [b]\n",
    "campaign": """
campaign: a
to: {segment: newsletter}
except: [{list: press}]
send: {every: month, weekday: mon, day: 28, at: 10:00, from: 2027-01-01, local: true, misfire: skip}
variants: {a: {weight: 50, email: spring_a}, b: {weight: 50, email: spring_b, subject: Hi}}
winner: {by: click_rate, after: 4h, sample: 20%}
holdout: 5%
utm: {source: newsletter}
seeds: [boss@acme.example]
approve: {above: 10000}
topic: marketing
sender: shop
""",
    "offer": """
offer: a
recommend: {model: item_item, count: 3, of: entry.items, exclude_owned: true, where: {stock: {gt: 0}}, fallback: best}
eligible: {not: {segment: employees}}
valid: {from: 2026-01-01, to: 2026-02-01}
limits: [{shows: 3, per: 30d}]
code: {pool: spring, expires_after: 14d}
priority: 50
""",
    "template": """
template: a
channel: email
subject: "{{ profile.first_name }}"
preheader: x
topic: marketing
needs: [entry.items]
defaults: {profile.first_name: there}
""",
    "workspace": """
workspace: acme
name: Acme
timezone: Europe/Berlin
locale: de_DE
currency: EUR
country: DE
postal_address: Acme, Street 1, 10115 Berlin
brand: {logo_url: "https://acme.example/logo.png", color: "#1b6ef3", name: Acme}
attributes: {first_name: {kind: text, personal: true}, birthday: {kind: date, note: as told}}
events: {order_placed: {note: by the shop, properties: {total: number, items: list}}}
topics: {marketing: {name: News, kind: marketing}, orders: {kind: transactional}}
senders: {shop: {from: Acme <hello@acme.example>, reply_to: help@acme.example, channel: email, configuration_set: m}}
quiet_hours: {from: 21:00, to: 08:00}
legal_hours: [{from: 08:00, to: 21:00, weekday: [mon, sat], channels: [sms], country: US}]
limits: [{messages: 3, per: 7d, scope: workspace}]
retention: {messages: 2y}
global_holdout: 2.5%
approve: {above: 5000}
tracking: {domain: t.acme.example, opens: off, utm: true}
""",
    "mapping": r"""
import: orders
format: parquet
timezone: Europe/London
currency: GBP
source: online_retail
historical: true
columns:
  order_id: InvoiceNo
  price: {column: UnitPrice, scale: 100}
  ordered_at: {column: InvoiceDate, format: "%Y-%m-%d"}
  shop: {value: web}
skip: [Country]
returns: {column: InvoiceNo, starts_with: C}
product_codes: '^\d{5}[A-Z]*$'
synthesise: {email: "customer-{external_id}@shop.sandbox.invalid", consent: [email.marketing]}
""",
    "test": """
test: a
name: Alice is welcomed
journey: welcome
people:
  alice: {timezone: Europe/Berlin, attributes: {country: DE}, consents: {email.marketing: granted}, arms: {ab: plain}}
  bob: {email: none, phone: "+447700900123", external_id: b-1, segments: [vip], lists: [press], held_out: true}
from: 2026-03-01
given:
  - {at: 2026-03-01T09:00Z, person: alice, event: signed_up, with: {source: web}}
  - {at: 2026-03-02T09:00, person: alice, clicked: hello}
  - {at: 2026-03-02T10:00, person: alice, opened: hello}
  - {at: 2026-03-02, person: bob, set: {tier: gold}}
  - {at: 2026-03-02, person: bob, consent: {sms.marketing: denied}}
  - {at: 2026-03-03, person: bob, joins: lapsed}
  - {at: 2026-03-04, person: bob, leaves: lapsed}
  - {at: 2026-03-05, person: bob, launch: spring}
until: 2026-04-01
expect:
  - {at: 2026-03-01T09:00Z, person: alice, email: welcome_hello}
  - {at: 2026-03-04T09:00Z, person: alice, branch: {ab: plain, choice: 2}, end: completed}
  - {at: 2026-03-04T09:00Z, person: bob, skipped: consent}
  - {at: 2026-03-04T09:00Z, person: bob, failed: render_error}
  - {at: 2026-03-04T09:00Z, person: bob, refused: reentry_never}
""",
}


def located(text: str, file: str = "a.yaml") -> Located:
    found, faults = load_yaml(text.encode(), file)
    assert not faults, faults
    assert found is not None
    return found


def faults_in(text: str, kind: str) -> list[Fault]:
    return check_schema(located(text), kind)


def test_every_kind_of_file_has_a_worked_example_when_the_schemas_are_listed() -> None:
    assert sorted(GOOD_FILES) == sorted(schema_names())


@pytest.mark.parametrize("kind", GOOD_FILES)
def test_nothing_is_found_when_a_file_is_right(kind: str) -> None:
    assert faults_in(GOOD_FILES[kind], kind) == []


@pytest.mark.parametrize("kind", [*GOOD_FILES, "common"])
def test_a_schema_is_standard_and_says_only_what_is_known_when_an_editor_reads_it(kind: str) -> None:
    schema = get_schema(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"{kind}.schema.json"
    for node in _nodes(schema):
        assert node.get("x-check", "zone") in RULES
        if "$ref" in node:
            resolve(node)


def _nodes(schema: object) -> list[dict[str, object]]:
    if isinstance(schema, dict):
        return [schema, *(node for inner in schema.values() for node in _nodes(inner))]
    return [node for inner in schema for node in _nodes(inner)] if isinstance(schema, list) else []


def test_all_words_are_known_when_steps_and_conditions_are_listed() -> None:
    assert " ".join(words_of("step")) == VERBS
    assert " ".join(words_of("condition")) == LEAVES
    shown = set(re.findall(r"\w+(?=:)", GOOD_STEPS + GOOD_CONDITIONS + GOOD_TRIGGERS))
    assert {*words_of("step"), *words_of("condition"), *words_of("trigger")} <= shown


@pytest.mark.parametrize("kind", GOOD_FILES)
def test_a_mistyped_key_is_found_where_it_stands_when_it_is_at_the_top(kind: str) -> None:
    text = GOOD_FILES[kind].strip()
    faults = faults_in(f"{text}\nunknown_word: 1\n", kind)
    assert [(fault.code, fault.line, fault.column) for fault in faults] == [("E102", text.count("\n") + 2, 1)]


@pytest.mark.parametrize("kind", GOOD_FILES)
@pytest.mark.parametrize("text", ["- 1", "word", "5"])
def test_one_fault_is_told_when_a_file_is_no_mapping(kind: str, text: str) -> None:
    assert [fault.code for fault in faults_in(text, kind)] == ["E103"]


def test_the_text_ends_where_the_pattern_ends_when_a_line_end_follows() -> None:
    assert [fault.code for fault in faults_in('segment: "a\\n"\nwho: {segment: b}', "segment")] == ["E103"]


def test_the_check_stays_quick_when_conditions_and_steps_are_nested_deeply() -> None:
    condition = "{not: " * 20 + "{segment: a}" + "}" * 20
    steps = "[{on_error: " * 10 + "[{wait: 1d}]" + f", if: {condition}, wait: 1d}}]" * 10
    assert faults_in(f"journey: a\nenter: {{event: x}}\nsteps: {steps}\n", "journey") == []


_COMMON_KEYS = (
    "steps enter who to send is then split weight columns expect at journey campaign quiet_hours from timezone"
)
_OPTIONS = " ".join(definition("message_options")["properties"])
_KEYS = st.sampled_from(f"{VERBS} {LEAVES} {_OPTIONS} {_COMMON_KEYS}".split())
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 200),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["1d", "25:00", "100%", "2026-02-30", "a", "A b", "", "3h2d", "mon", "granted", "{{ x }}", "999y"]),
)
_DATA = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=15
)


@given(st.sampled_from(sorted(GOOD_FILES)), st.dictionaries(_KEYS, _DATA, max_size=5))
def test_every_fault_has_a_known_code_and_one_line_when_the_data_is_arbitrary(
    kind: str, data: dict[str, object]
) -> None:
    for fault in faults_in(json.dumps(data), kind):
        assert fault.code in FAULT_CODES
        assert fault.message
        assert fault.hint
        assert "\n" not in str(fault)
        assert 1 <= fault.column <= fault.end_column
