"""What keeps a mail from being read is said before it is sent."""

from __future__ import annotations

import pytest

from delivery.front_matter import parse_template
from delivery.lint import lint_mail, lint_template
from delivery.template_enclosures import Enclosures
from delivery.templates import Rendered, compile_template
from tests.delivery.template_files import column, mail, source_of, text_message

WORDS = "<mj-text>" + "Something to pour, something to plant, something to light when the garden goes quiet. " * 2
GOOD = f"{WORDS}{{{{ workspace.postal_address }}}}</mj-text>"
FRONT = 'subject: "Three small things"\npreheader: "For long evenings"\ntopic: news'


def warnings(content: str, front: str = FRONT) -> list[str]:
    source = source_of(mail(column(f"\n{content}"), front=front))
    return [
        f"{one.line}:{one.column} {one.code} {one.message}" for one in lint_template(source, compile_template(source))
    ]


def test_nothing_is_said_when_a_mail_is_fine() -> None:
    picture = '<mj-image src="https://shop.example/1.jpg" alt="A teapot" />'
    link = (
        '<mj-text><a href="https://www.shop.example/new">shop.example</a> <img src="{{ entry.x }}" alt="" /></mj-text>'
    )

    assert warnings(GOOD + picture + link) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('<mj-image src="https://shop.example/1.jpg" />', "11:1 W210 <mj-image> has no alt text"),
        ('<mj-text><img src="https://shop.example/1.jpg"></mj-text>', "11:10 W210 <img> has no alt text"),
        (
            '<mj-button href="http://shop.example/">x</mj-button>',
            "11:18 W213 the link to shop.example/ is not encrypted",
        ),
        (
            '<mj-text><a href="https://evil.example/">https://bank.example/login</a></mj-text>',
            "11:19 W214 the text of the link says bank.example, and it leads to evil.example",
        ),
        (
            '<mj-text><a href="https://evil.example/"><b>www.bank.example</b></a></mj-text>',
            "11:19 W214 the text of the link says bank.example, and it leads to evil.example",
        ),
        (f"<mj-text>{'x' * 110_000}</mj-text>", "8:1 W211 the HTML has 111 KB, and Gmail cuts a mail off after 102 KB"),
    ],
)
def test_place_is_told_when_something_keeps_a_mail_from_being_read(content: str, expected: str) -> None:
    found = warnings(f"{GOOD}\n{content}")

    assert [one for one in found if one.split()[1] != "W211" or "W211" in expected] == [expected]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("x" * 61, "the subject has 61 characters, and phones show about 60"),
        ("BUY NOW, ONLY TODAY", "the subject is in capitals throughout"),
        ("Hurry up!!", "the subject has several exclamation marks"),
    ],
)
def test_subject_is_told_when_it_puts_off(subject: str, expected: str) -> None:
    (warning,) = warnings(GOOD, f'subject: "{subject}"\npreheader: "x"\ntopic: news')

    assert warning == f"4:1 W215 {expected}"


@pytest.mark.parametrize("subject", ["USB, NASA & co", "Größe M: 50 %", "OK", "日本語のメール"])
def test_subject_passes_when_its_capitals_mean_something(subject: str) -> None:
    assert warnings(GOOD, f'subject: "{subject}"\npreheader: "x"\ntopic: news') == []


def test_missing_preheader_and_postal_address_are_told_when_a_letter_has_neither() -> None:
    found = warnings(f"{WORDS}</mj-text>", 'subject: "Hello"\ntopic: news')

    assert [one.split()[1] for one in found] == ["W216", "W217"]


def test_transactional_mail_needs_no_postal_address_when_it_says_so() -> None:
    assert warnings(f"{WORDS}</mj-text>", f"{FRONT}\nkind: transactional") == []


def test_mail_of_pictures_is_told_when_it_has_hardly_a_word() -> None:
    picture = '<mj-image src="https://shop.example/1.jpg" alt="Everything" />'

    found = warnings(f"{picture}<mj-text>{{{{ workspace.postal_address }}}}</mj-text>")

    assert [one.partition(" ")[2] for one in found] == ["W212 the mail has 1 picture and 1 word"]


def test_warning_is_told_in_the_partial_when_its_cause_stands_there() -> None:
    text = mail(column(GOOD) + '{% include "partials/hero.mjml" %}', front=FRONT)
    hero = column('\n<mj-image src="https://shop.example/1.jpg" />')
    source, _faults = parse_template(text, "templates/hello.mjml", Enclosures({"partials/hero.mjml": hero}))
    assert source is not None

    (warning,) = lint_template(source, compile_template(source))

    assert (warning.file, warning.line) == ("templates/partials/hero.mjml", 2)


def test_size_and_words_are_measured_when_one_mail_is_rendered() -> None:
    source = source_of(mail(column(GOOD), front=FRONT))
    heavy = Rendered("Hi", "", f"<body>{'<p>word word</p>' * 10_000}</body>", "word " * 50)
    poster = Rendered("SALE SALE SALE", "", '<style>a b c</style><img src="x"><p>now</p>', "now")

    assert [one.code for one in lint_mail(source, heavy)] == ["W211"]
    assert sorted(one.code for one in lint_mail(source, poster)) == ["W212", "W215", "W219"]


def test_text_message_is_passed_over_when_it_is_looked_at() -> None:
    source = source_of(text_message("Hi"))

    assert lint_template(source, compile_template(source)) == []
    assert lint_mail(source, Rendered("", "", "", "Hi")) == []
