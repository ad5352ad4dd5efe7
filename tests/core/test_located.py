"""YAML with positions: what stays text, where things stand, and that no bytes break it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.located import MAX_BYTES, load_yaml, split_front_matter

WELCOME = b"""\
# a remark
journey: welcome
quiet_hours: {from: 22:00, to: 08:00}
on: no
since: 2026-03-01
steps:
  - id: hello
    email: "welcome_hello"
  - wait:
"""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01 10:00:00", "2026-03-01 10:00:00"),
        ("22:00", "22:00"),
        ("on", "on"),
        ("no", "no"),
        ("off", "off"),
        ("01067", "01067"),
        ("+491711234567", "+491711234567"),
        ("1234567890123456789012", "1234567890123456789012"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("10%", "10%"),
        ("e5", "e5"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("5", 5),
        ("-7", -7),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
    ],
)
def test_a_value_stays_what_was_written_when_it_is_no_plain_number_or_constant(written: str, value: object) -> None:
    located, faults = load_yaml(f"key: {written}\nother: 1\n".encode(), "a.yaml")
    assert not faults
    assert located is not None
    assert located.data == {"key": value, "other": 1}
    assert type(located.data["key"]) is type(value)


def test_every_key_and_value_has_its_place_when_a_file_is_read() -> None:
    located, faults = load_yaml(WELCOME, "welcome.yaml")
    assert not faults
    assert located is not None
    places = {
        "start": located.start,
        "key": located.key_at(("quiet_hours", "to")),
        "value": located.value_at(("quiet_hours", "to")),
        "mapping in a list": located.value_at(("steps", 0)),
        "quoted": located.value_at(("steps", 0, "email")),
        "nothing is where its key is": located.value_at(("steps", 1, "wait")),
        "missing is where its mapping is": located.value_at(("steps", 0, "topic")),
        "missing key": located.key_at(("steps", 0, "topic")),
        "list item as key": located.key_at(("steps", 1)),
    }
    assert {name: (at.line, at.column, at.end_column) for name, at in places.items()} == {
        "start": (2, 1, 17),
        "key": (3, 28, 30),
        "value": (3, 32, 37),
        "mapping in a list": (7, 5, 14),
        "quoted": (8, 12, 27),
        "nothing is where its key is": (9, 5, 9),
        "missing is where its mapping is": (7, 5, 14),
        "missing key": (7, 5, 14),
        "list item as key": (9, 5, 10),
    }


def test_an_alias_points_at_what_it_stands_for_when_it_is_used() -> None:
    located, faults = load_yaml(b"a: &x {b: 1}\nc: *x\n", "a.yaml")
    assert not faults
    assert located is not None
    assert located.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert located.value_at(("c", "b")).line == 1


def test_the_first_value_counts_when_a_key_stands_twice() -> None:
    located, faults = load_yaml(b"a: 1\na: 2\nb: {c: 1, c: 2}\n", "a.yaml")
    assert located is not None
    assert located.data == {"a": 1, "b": {"c": 1}}
    assert [(fault.code, fault.line, fault.column) for fault in faults] == [("E002", 2, 1), ("E002", 3, 11)]


def test_columns_count_letters_when_they_are_not_ascii() -> None:
    located, _ = load_yaml("\ufeffname: Größe, x: y\n".encode().replace(b", x", b" x"), "a.yaml")
    assert located is None
    located, _ = load_yaml("\ufeff{name: Größe, to: 1}\n".encode(), "a.yaml")
    assert located is not None
    assert located.key_at(("to",)).column == 15


def test_the_file_is_refused_when_it_is_larger_than_a_megabyte() -> None:
    located, faults = load_yaml(b"a" * (MAX_BYTES + 1), "a.yaml")
    assert located is None
    assert [fault.code for fault in faults] == ["E004"]


def test_lines_are_those_of_the_file_when_a_template_has_front_matter() -> None:
    text = b"---\r\ntemplate: hello\r\nsubject: Hi: there\r\n---\r\n<mjml>\r\n---\r\n"
    front, faults = split_front_matter(text, "hello.mjml")
    assert front is None
    assert [(fault.code, fault.line, fault.column) for fault in faults] == [("E001", 3, 12)]
    front, faults = split_front_matter(text.replace(b"Hi: there", b"Hi"), "hello.mjml")
    assert not faults
    assert front is not None
    assert front.head.data == {"template": "hello", "subject": "Hi"}
    assert front.head.key_at(("subject",)).line == 3
    assert (front.body, front.body_line) == ("<mjml>\r\n---\r\n", 5)


@pytest.mark.parametrize(("text", "code"), [(b"", "E100"), (b"---\na: 1\n", "E001"), (b"---\n---\nx", "E001")])
def test_a_template_is_refused_when_its_front_matter_is_not_whole(text: bytes, code: str) -> None:
    front, faults = split_front_matter(text, "hello.mjml")
    assert front is None
    assert [fault.code for fault in faults] == [code]


_LETTERS = "ab1.:-'\"{}[],!<>|#?=@`ü😀 \n\t\r\0\u2028\x85\ufeff"
_WORDS = [": ", "- ", "\n  ", "&x ", "*x", "!!", "\\U", "\\x", "FFFFFFFF", "%YAML ", "%TAG ", "1.2", "---", "...", "<<"]
_YAML_LIKE = st.lists(st.sampled_from([*_LETTERS, *_WORDS]), max_size=30).map("".join)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode), _YAML_LIKE.map(str.encode)))
def test_nothing_but_faults_comes_out_when_the_bytes_are_arbitrary(text: bytes) -> None:
    for outcome, faults in (load_yaml(text, "a.yaml"), split_front_matter(b"---\n" + text + b"\n---\n", "a")):
        assert (outcome is None) <= bool(faults)
        for fault in faults:
            assert fault.line >= 1
            assert 1 <= fault.column <= fault.end_column
            assert "\n" not in str(fault)
